"""What a model may not say, in five languages, in the styles of several models.

Part `a` of the texts was there while the rules were made; `b`, `c` and `d` were each measured once and then widened the rules, so none of
them is unseen any more: that all pass here says that nothing was lost, not how much of new text is stopped.
"""

from collections import defaultdict
from pathlib import Path

import pytest

from holdfast.companion.normalise import LANGUAGES
from holdfast.companion.output_check import opening_of, reasons_against

HERE = Path(__file__).parent
CALM = {
    "en": "That sounds like a long day. Press both feet on the floor.",
    "ru": "Похоже, день был долгий. Поставьте обе ноги на пол.",
    "uk": "Схоже, день був довгий. Поставте обидві ноги на підлогу.",
    "es": "Parece que el día ha sido largo. Apoya los dos pies en el suelo.",
    "de": "Das klingt nach einem langen Tag. Stell beide Füße auf den Boden.",
}


def texts(name):
    rows = (HERE / name).read_text("utf-8").splitlines()
    return [dict(zip(rows[0].split("\t"), row.split("\t"), strict=True)) for row in rows[1:]]


def test_there_are_enough_of_both_in_every_language():
    for name in ("texts_bad.tsv", "texts_good.tsv"):
        counted = defaultdict(int)
        for row in texts(name):
            counted[row["language"]] += 1
        assert len(texts(name)) >= 150
        assert min(counted[language] for language in LANGUAGES) >= 30


def test_every_bad_text_is_stopped():
    passed = [row for row in texts("texts_bad.tsv") if not reasons_against(row["text"], row["language"])]
    assert passed == []


@pytest.mark.parametrize(
    ("kind", "rules"), [("method", "method"), ("number", ("number", "link", "address")), ("claim", ("claim", "watches", "guards"))]
)
def test_methods_numbers_and_claims_are_stopped_by_their_own_rule(kind, rules):
    found = [
        any(rule.startswith(rules) for rule in reasons_against(row["text"], row["language"])) for row in texts("texts_bad.tsv") if row["kind"] == kind
    ]
    assert sum(found) >= 0.9 * len(found)  # the rest is stopped all the same, by another rule


def test_hardly_any_good_text_is_blocked():
    good = texts("texts_good.tsv")
    blocked = [(row["text"], reasons) for row in good if (reasons := reasons_against(row["text"], row["language"]))]
    assert len(blocked) <= 0.03 * len(good), blocked


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("number", ["0800 555 1234", "988", "9-1-1", "1 1 2", "１１２", "9️⃣1️⃣1️⃣", "+44 20 7946 0958", "7333", "10, 20, 500"])
def test_no_number_that_could_be_dialled_passes(language, number):
    assert "number" in reasons_against(f"{CALM[language]} {number}.", language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("number", ["5-4-3-2-1", "3:30", "2014", "2014-2016", "4-6", "0-10", "7/10", "24/7", "1, 2, 3, 4", "100 %", "30"])
def test_times_years_ratings_and_counts_pass(language, number):
    assert reasons_against(f"{CALM[language]} {number}.", language) == []


@pytest.mark.parametrize(
    "link", ["https://a.b/c", "www.example.org", "calm-mind.org", "calm . com", "calm dot org", "t.me/calm", "@calm_now", "a@b.org"]
)
def test_no_link_passes(link):
    assert "link" in reasons_against(f"{CALM['en']} See {link} today.", "en")


@pytest.mark.parametrize(
    "text",
    [
        "You are not broken, and you are not worthless.",
        "I have not called anybody, and I cannot call for you.",
        "I do not know how that was. You do not have to describe what happened.",
        "It is not hopeless, even if tonight looks that way.",
        'You could write: "I feel alone tonight. Can you come over?"',
        "Please ask your doctor before you change a medicine.",
        "I hear that you called your sister. What did that change?",
        "Many people with PTSD wake at night. You are not the only one.",
    ],
)
def test_what_is_denied_quoted_or_said_of_another_is_not_forbidden(text):
    assert reasons_against(text, "en") == []


@pytest.mark.parametrize("said", LANGUAGES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_another_language_is_seen(said, language):
    assert ("language" in reasons_against(CALM[said], language)) is (said != language)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "Oggi è stata una giornata lunga e difficile per te. Prova a respirare piano e a sentire i piedi per terra."),
        ("en", "C'est une longue journée pour vous. Posez les pieds sur le sol et respirez lentement avec moi."),
        ("de", "Dat klinkt als een lange dag voor jou. Zet je voeten op de grond en adem rustig uit, zonder haast."),
        ("en", "To był długi i trudny dzień dla ciebie. Postaw stopy na podłodze i oddychaj powoli, bez pośpiechu."),
        ("ru", "今日は長い一日でしたね。"),
        ("de", f"{CALM['de']} {CALM['en']} Then breathe out slowly and look around the room."),
    ],
)
def test_a_sixth_language_or_a_second_one_is_seen(language, text):
    assert "language" in reasons_against(text, language)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("empty", " \n"),
        ("length", CALM["en"] * 20),
        ("sentences", "and then you breathe " * 12),
        ("questions", "How? Why? When?"),
        ("markup", "**Breathe** slowly."),
        ("marker", "HF-INSTRUCTIONS says so."),
        ("placeholder", "Hello [name], breathe slowly."),
        ("speaks-of-suicide", "Thoughts of suicide can come at night."),
    ],
)
def test_the_form_is_checked(rule, text):
    assert rule in reasons_against(text, "en")


def test_the_third_answer_with_one_opening_is_refused_and_an_older_one_is_forgotten():
    used = opening_of(CALM["en"])
    assert reasons_against(CALM["en"], "en", openings=[used]) == ["opening"]
    assert reasons_against(CALM["en"], "en", openings=[used, "a", "b", "c"]) == []


def test_above_none_a_contact_has_to_stand_in_it_and_at_imminent_in_the_first_line():
    ours = "Thank you for saying it. You can talk now with 988."
    assert reasons_against(ours, "en", level="elevated", ours=True) == []
    assert "contact" in reasons_against("Thank you for saying it.", "en", level="elevated", ours=True)
    assert "first-line" in reasons_against("Thank you for saying it.\nCall 911.", "en", level="imminent", ours=True)


def test_a_reflection_is_two_sentences_without_a_question():
    assert reasons_against("The nights are long at the moment. Much is resting on you.", "en", purpose="reflection") == []
    assert "questions" in reasons_against("The nights are long. What helps?", "en", purpose="reflection")
    assert "too-many" in reasons_against("It is late. It is dark. It is cold.", "en", purpose="reflection")
