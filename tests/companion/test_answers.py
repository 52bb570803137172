"""Every built-in text, in every language and at every level: complete, short, and without anything from the never-list."""

import itertools
import re
from datetime import date, timedelta

import pytest

from holdfast.companion import answers, scope
from holdfast.companion.answers import Circumstances
from holdfast.companion.detector import Reading
from holdfast.companion.normalise import LANGUAGES, tokens_of
from holdfast.companion.output_check import reasons_against
from holdfast.companion.resources import country_of, directory, line_for
from holdfast.companion.wording import wording
from holdfast.companion.words import vocabulary

TODAY = date(2026, 11, 22)
COUNTRIES = [None, *directory().country]
FLAGS = [frozenset(), {"third_person"}, {"act_in_progress"}, {"harm_to_others"}, {"danger_from_other"}]
LIMITS = {"watch": 110, "elevated": 130, "imminent": 90}


def every_answer():
    for language, level, flags, country, turn in itertools.product(LANGUAGES, LIMITS, FLAGS, COUNTRIES, range(3)):
        about = Circumstances(TODAY, country, turn=turn)
        yield language, level, flags, country, answers.answer(Reading(level, frozenset(flags), (), language), about, "other")
    for language, topic, turn in itertools.product(LANGUAGES, wording("en").topics, range(2)):
        yield language, "none", frozenset(), None, answers.answer(Reading("none", language=language), Circumstances(TODAY, turn=turn), topic)


def said(text, language):
    tokens = tokens_of(text)
    hits = vocabulary("never").find(tokens, [language] * (tokens[-1].sentence + 1))
    return {hit.kind for hit in scope.without_negated(scope.without_idioms(hits))}


def test_no_text_is_longer_than_its_level_allows():
    for language, level, flags, _, text in every_answer():
        assert len(text.split()) <= LIMITS.get(level, 120), (language, level, flags, len(text.split()), text)


def test_nothing_is_left_unfilled_and_nothing_is_promised():
    for language, _, _, _, text in every_answer():
        assert "{" not in text
        assert "never_say" not in said(text, language), (language, text)


def test_imminent_begins_with_the_action_and_has_three_numbered_lines_at_most():
    for language, level, flags, country, text in every_answer():
        if level == "imminent":
            emergency = directory().country[country].emergency if country else None
            assert (emergency or wording(language).emergency_unknown) in text.splitlines()[0]
            assert len(re.findall(r"^\d\. ", text, re.MULTILINE)) <= 3, (language, flags)
            assert wording(language).not_a_person in text


def test_watch_and_elevated_ask_and_name_a_contact():
    for language, level, _, _, text in every_answer():
        if level in ("watch", "elevated"):
            assert 1 <= text.count("?") <= 3, (language, level, text)
            assert "findahelpline.com" in text or any(line.dial in text for line in directory().line)


def test_only_checked_numbers_are_ever_named():
    checked = {line.dial for line in directory().line if line.usable(TODAY)} | {country.emergency for country in directory().country.values()}
    checked |= set(re.findall(r"\d{3,}", wording("en").emergency_unknown))
    for _, _, _, _, text in every_answer():
        for number in re.findall(r"(?<!\d)\d{3,}(?: \d{3})*(?!\d)", text):
            assert number in checked, text


def test_an_unverified_or_old_row_never_enters_an_answer():
    assert line_for("GB", veteran=True, today=TODAY) is None
    assert line_for("US", veteran=False, today=TODAY).dial == "988"
    assert line_for("US", veteran=False, today=TODAY + timedelta(days=181)) is None


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("I am in Germany", "DE"),
        ("живу в Україні", "UA"),
        ("я в Испании", "ES"),
        ("vivo en Estados Unidos", "US"),
        ("Help us, please", None),
        ("Ich wohne in Spanien", "ES"),
    ],
)
def test_a_country_is_found_in_a_text(text, country):
    assert country_of(text) == country


def test_a_country_code_is_understood_in_the_profile():
    assert country_of("Hello", "us") == "US"
    assert country_of("Hello", "Kyiv, Ukraine") == "UA"


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_five_languages_hold_the_same_keys(language):
    assert wording(language).topics.keys() == wording("en").topics.keys()
    for topic in wording(language).topics.values():
        assert len(topic.opening) >= 2


@pytest.mark.parametrize(
    "text",
    [
        "That sounds hard. Would you like to try slow breathing?",
        "You got up at 3:30 again, that is tiring. What helps you rest?",
        "In 2014 things were different. Now, press both feet on the floor.",
        "Let us do 5-4-3-2-1 together. What do you see first?",
    ],
)
def test_a_good_text_of_a_model_passes(text):
    assert reasons_against(text, "en") == []
