"""Every built-in answer from `watch` up, in every language: complete, short, in changing words, and without anything from the never-list."""

import itertools
import re
from datetime import date
from functools import cache

import msgspec
import pytest

from holdfast.companion import answers
from holdfast.companion.answers import LIMITS, Circumstances
from holdfast.companion.detector import Reading
from holdfast.companion.never_list import OF_A_MODEL, forbidden
from holdfast.companion.normalise import LANGUAGES
from holdfast.companion.output_check import reasons_against
from holdfast.companion.resources import directory
from holdfast.companion.wording import wording

TODAY = date(2026, 11, 22)
COUNTRIES = (None, "US", "UA", "ES", "DE")
OWN = ((), ("voices",), ("self_injury",), ("farewell",), ("means_request",), ("retraction",), ("minor",), ("asks_if_ai", "asks_human"))
FRAMES = (("third_person",), ("act_in_progress",), ("third_person", "act_in_progress"), ("harm_to_others",), ("danger_from_other",))
QUESTIONS = {"watch": ("thoughts",), "elevated": ("plan", "means", "safe_now", "who_is_with_you"), "imminent": ("safe_now", "who_is_with_you")}
NUMBERED = re.compile(r"^\d\. ", re.MULTILINE)
TONE = {
    "en": r"\b(?:just|only|simply|commit\w*)\b",
    "ru": r"\b(?:просто|только|лишь)\b|\w\([аиы]\w*\)",
    "uk": r"\b(?:просто|тільки|лише|лиш)\b|\w\([аиі]\w*\)",
    "es": r"\b(?:solo|sola|sólo|solamente|simplemente)\b|\w/[ao]\b|\w@",
    "de": r"\b(?:nur|einfach|bloß|lediglich|Selbstmord\w*)\b|\w[*:]in",
}


def answered(language, level, flags=(), country="US", **about):
    return answers.answer(Reading(level, frozenset(flags), (), language), Circumstances(TODAY, country, **about))


def staff_sentences(language):
    staff = wording(language).staff
    return ["", f"{staff.waiting_usual.format(minutes=12)} {staff.shared_level}", f"{staff.offline.format(until='08:00')} {staff.shared_messages}"]


@cache
def every_answer():
    found = []
    for language, level, flags, country, first in itertools.product(LANGUAGES, LIMITS, OWN + FRAMES, COUNTRIES, (True, False)):
        for turn, staff, question in zip(range(5), itertools.cycle(staff_sentences(language)), itertools.cycle(QUESTIONS[level]), strict=False):
            text = answered(language, level, flags, country, first=first, turn=turn, staff=staff, question=question, ai_said=not first)
            found.append((language, level, flags, country, first, staff, text))
    return found


def texts_of(built, path=""):
    if isinstance(built, str):
        yield path, built
    else:
        for key, value in built.items() if isinstance(built, dict) else enumerate(built):
            yield from texts_of(value, f"{path}.{key}")


def own_texts(language):
    words = msgspec.to_builtins(wording(language))
    return [(path, text) for path, text in texts_of(words) if not path.startswith((".topics", ".sharing.yes", ".sharing.no"))]


def one_of(texts, answer):
    return any(text.partition("{")[0] in answer for text in texts)


def test_no_answer_is_longer_than_its_level_allows_also_with_news_of_the_staff():
    for language, level, flags, country, first, _, text in every_answer():
        assert len(text.split()) <= LIMITS[level], (language, level, flags, country, first, text)


def test_no_answer_holds_more_than_three_options_or_two_questions_or_an_unfilled_place():
    for language, level, flags, _, first, staff, text in every_answer():
        assert "{" not in text
        assert staff in text
        assert len(NUMBERED.findall(text)) == (3 if first and level != "watch" else 0) or level == "watch", (language, level, flags)
        assert text.count("?") <= 2, (language, level, flags, text)


def test_imminent_begins_with_the_numbers_in_every_answer():
    for language, level, _, country, _, _, text in every_answer():
        if level == "imminent":
            emergency = directory().country[country].emergency if country else "112"
            assert emergency in text.splitlines()[0], (language, text)


def test_watch_and_elevated_name_a_contact_in_every_answer():
    for _, level, _, _, _, _, text in every_answer():
        if level != "imminent":
            assert directory().directory in text or any(line.dial in text for line in directory().line if line.usable(TODAY)), text


def test_the_first_line_at_elevated_among_the_options_is_marked_first():
    for language, flags in itertools.product(LANGUAGES, OWN + FRAMES):
        first = {"en": "First", "ru": "Сначала", "uk": "Спершу", "es": "Prim", "de": ("Zuerst", "Erster")}[language]
        option = next(line for line in answered(language, "elevated", flags).splitlines() if line.startswith("1. "))
        assert option.removeprefix("1. ").startswith(first)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_answer_at_elevated_holds_the_whole_column(language):
    texts = wording(language).elevated
    for turn in range(6):
        text = answered(language, "elevated", turn=turn, question="plan")
        for part in (texts.opening, texts.contact, texts.trusted, texts.professional, texts.means, texts.skill, texts.alarm):
            assert one_of(part, text), (part, text)
        assert wording(language).not_a_person in text
        assert one_of(wording(language).questions["plan"], text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_answer_at_imminent_holds_the_whole_column(language):
    texts = wording(language).imminent
    for turn in range(5):
        text = answered(language, "imminent", turn=turn)
        for part in (texts.person, texts.distance, texts.waiting, texts.barrier, wording(language).questions["leave"]):
            assert one_of(part, text), (part, text)
        assert wording(language).not_a_person in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_watch_asks_once_when_told_and_always_offers_a_skill_and_people(language):
    texts = wording(language).watch
    text = answered(language, "watch", question="thoughts")
    assert one_of(texts.skill, text) and one_of(texts.people, text) and one_of(wording(language).questions["thoughts"], text)
    assert "?" not in answered(language, "watch", first=False)
    again = answered(language, "watch", first=False, question="thoughts", reworded=True)
    assert one_of(wording(language).questions["thoughts_again"], again)


@pytest.mark.parametrize(("language", "level"), list(itertools.product(LANGUAGES, LIMITS)))
def test_the_answer_asks_what_it_was_told_to_ask(language, level):
    for question, turn, first in itertools.product(QUESTIONS[level], range(4), (True, False)):
        name = "leave" if level == "imminent" and question == "safe_now" else question
        assert one_of(wording(language).questions[name], answered(language, level, question=question, turn=turn, first=first))


@pytest.mark.parametrize("language", LANGUAGES)
def test_while_an_act_is_in_progress_nothing_is_asked(language):
    for flags, first, turn in itertools.product((("act_in_progress",), ("act_in_progress", "third_person")), (True, False), range(4)):
        assert "?" not in answered(language, "imminent", flags, first=first, turn=turn, question="safe_now")


@pytest.mark.parametrize(("language", "level"), list(itertools.product(LANGUAGES, LIMITS)))
def test_forty_later_answers_of_an_episode_are_all_different(language, level):
    later = [answered(language, level, turn=turn, first=False, ai_said=True) for turn in range(40)]
    assert len(set(later)) == 40
    assert answered(language, level) not in later


@pytest.mark.parametrize(("language", "level", "flags"), list(itertools.product(LANGUAGES, LIMITS, FRAMES)))
def test_no_opening_comes_more_than_three_times_in_twelve_answers_or_twice_running(language, level, flags):
    openings = [answered(language, level, flags, turn=turn, first=turn == 0).splitlines()[0] for turn in range(12)]
    assert max(openings.count(opening) for opening in openings) <= 3
    assert all(before != after for before, after in itertools.pairwise(openings))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_flag_changes_the_answer(language):
    flags = wording(language).flags
    for deed in ("retraction", "farewell", "means_request"):
        for level in LIMITS:
            assert getattr(flags, deed)[0].partition(". ")[0] in answered(language, level, [deed])
    assert flags.self_injury[0] in answered(language, "elevated", ["self_injury"])
    assert flags.voices[0] in answered(language, "elevated", ["voices"])
    assert flags.minor[0] in answered(language, "elevated", ["minor"])
    assert flags.minor_now[0] in answered(language, "imminent", ["minor"])
    assert wording(language).not_human in answered(language, "watch", ["asks_if_ai"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reply_to_our_question_is_what_the_answer_begins_with(language):
    for question, replied in wording(language).replies.items():
        for reply in ("confirms", "denies", "evades"):
            text = answered(language, "elevated", answered=question, reply=reply, first=False)
            assert text.startswith(getattr(replied, reply)[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_veteran_gets_the_veterans_line_first_and_the_general_one_where_there_is_room(language):
    for about in ({"veteran": True}, {"flags": ["veteran_words"]}):
        text = answered(language, "elevated", **about)
        assert "Veterans Crisis Line" in text
        assert "988 Lifeline" not in text.partition("Veterans Crisis Line")[0]
    assert "988 Lifeline" in answered(language, "imminent", veteran=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_ai_sentence_comes_once_in_an_episode_and_again_in_the_first_imminent_answer(language):
    sentence = wording(language).not_a_person
    truth = wording(language).not_human
    assert sentence not in answered(language, "elevated", first=False, ai_said=True)
    assert sentence in answered(language, "imminent", first=True, ai_said=True)
    assert sentence not in answered(language, "imminent", first=False, ai_said=True)
    assert all(truth in answered(language, level, ["asks_if_ai"], first=False, ai_said=True) for level in LIMITS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_beside_a_person_the_companion_is_silent_and_keeps_the_contact_in_sight(language):
    calm, elevated, imminent = (
        answers.beside(Reading(level, language=language), Circumstances(TODAY, "US"), "Anna") for level in ("none", "elevated", "imminent")
    )
    assert "Anna" in calm and "988" not in calm
    assert "Anna" in elevated and "988" in elevated
    assert "911" in imminent.splitlines()[0] and "Anna" in imminent


def test_only_checked_numbers_are_ever_named():
    checked = {line.dial for line in directory().line if line.usable(TODAY)} | {country.emergency for country in directory().country.values()}
    checked |= set(re.findall(r"\d{3,}", wording("en").emergency_unknown))
    for _, _, _, _, _, staff, text in every_answer():
        for number in re.findall(r"(?<!\d)\d{3,}(?: \d{3})*(?!\d)", text.replace(staff, "")):
            assert number in checked, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_holds_anything_from_the_never_list(language):
    spoken = [(path, text) for path, text in own_texts(language) if not path.startswith((".offer", ".consent"))]  # those must name the model
    broken = {path: rules for path, text in spoken if (rules := set(forbidden(text, language, calm=False)) - OF_A_MODEL)}
    assert not broken


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tone_is_plain_and_calm_and_names_no_gender(language):
    wrong = [text for _, text in own_texts(language) if "!" in text or re.search(TONE[language], text, re.IGNORECASE)]
    assert not wrong


@pytest.mark.parametrize("language", LANGUAGES)
def test_whole_answers_pass_the_output_check(language):
    for level, flags, first in itertools.product(LIMITS, ((), *FRAMES), (True, False)):
        text = answered(language, level, flags, first=first, turn=2, question=QUESTIONS[level][0], ai_said=not first)
        assert reasons_against(text, language, level=level, ours=True) == [], text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_disclosure_is_short(language):
    assert len(wording(language).disclosure.split()) <= 35


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_five_languages_hold_the_same_texts_in_at_least_four_wordings(language):
    words, english = wording(language), wording("en")
    assert words.questions.keys() == english.questions.keys()
    assert words.replies.keys() == english.replies.keys()
    assert words.frames.keys() == english.frames.keys()
    lists = {path.rpartition(".")[0] for path, _ in own_texts(language) if path.rpartition(".")[2].isdigit()}
    for path in lists:
        count = sum(other.rpartition(".")[0] == path for other, _ in own_texts(language))
        assert count == sum(other.rpartition(".")[0] == path for other, _ in own_texts("en")), path
        assert count >= (3 if ".replies." in path or path.endswith(".steps") else 4), path
