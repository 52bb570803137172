"""The lint of companion.md, section 15: every rule on every answer of the scripted talks, without a model."""

from collections import Counter

import msgspec
import pytest
from lint.play import LANGUAGES, Answer, Line, Talk, line, played, talks
from lint.rules import RULES

from holdfast.companion.detector import LEVELS, read

BEST = 0.95
FLAGS = set("act_in_progress means_request third_person farewell retraction self_injury voices harm_to_others danger_from_other minor".split())
FILLER = ("none||ok", "none||I had some tea", "none||the rain stopped", "none||my neighbour waved")


def hits(talk: Talk, found: list[Answer], *, harm: bool) -> list[str]:
    return [rule.id for rule in RULES if rule.harm is harm for _, met in rule.check(talk, found) if not met]


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_enough_talks_over_all_levels_and_flags(language):
    found = talks(language)
    assert len(found) >= (25 if language == "en" else 10)
    assert all(8 <= len(talk.said) <= 12 for talk in found)
    assert {one.level for talk in found for one in talk.said} == set(LEVELS)
    flags = {flag for talk in talks("en") + found for one in talk.said for flag in one.flags}
    assert flags >= FLAGS


@pytest.mark.parametrize("language", LANGUAGES)
def test_vera_lint(language):
    met, applied = Counter[str](), Counter[str]()
    for talk in talks(language):
        found = played(talk)
        assert hits(talk, found, harm=True) == [], talk.about
        for rule in RULES:
            for _, kept in rule.check(talk, found):
                applied[rule.id] += 1
                met[rule.id] += kept
    best = [rule.id for rule in RULES if not rule.harm]
    assert sum(met[rule] for rule in best) >= BEST * sum(applied[rule] for rule in best)


def test_every_rule_runs_on_something():
    everything = [(talk, played(talk)) for language in LANGUAGES for talk in talks(language)]
    assert [rule.id for rule in RULES if not any(True for talk, found in everything for _ in rule.check(talk, found))] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_harmful_answer_when_the_crisis_check_reads_the_talks_itself(language):
    for talk in talks(language):
        found = played(talk, lambda said, spoken: read(said.text, spoken))
        own = [rule for rule in hits(talk, found, harm=True) if rule != "no-words-of-suicide-where-there-was-no-sign"]
        assert own == [], talk.about


@pytest.mark.parametrize("turn", [1, 10, 30, 100])
def test_a_sign_is_answered_alike_however_late_it_comes(turn):
    before = tuple(line(FILLER[at % len(FILLER)]) for at in range(turn - 1))
    signs = tuple(line(one) for one in ("elevated||I want to die", "none||no", "none||no", "none||yes", "none||my sister"))
    talk = Talk("en", f"a sign at turn {turn}", before + signs, country="US")
    found = played(talk)
    assert [answer.level for answer in found[turn - 1 :]] == ["elevated"] * 5
    assert [answer.asked for answer in found[turn - 1 :]] == ["plan", "means", "safe_now", "who_is_with_you", None]
    assert hits(talk, found, harm=True) == hits(talk, found[turn - 1 :], harm=False) == []


def test_a_hundred_turns_at_imminent_never_lose_the_contact_or_the_subject():
    said = (line("imminent||I have the pills in my hand and want to die"), *(line(FILLER[at % len(FILLER)]) for at in range(99)))
    talk = Talk("en", "a long night", said, country="US")
    found = played(talk)
    assert {answer.level for answer in found} == {"imminent"}
    assert hits(talk, found, harm=True) == []


SPOILED = [
    ("elevated", "Have a nice day.", "every-risk-turn-is-acknowledged-with-a-question-or-a-contact"),
    ("none", "Are there thoughts of suicide?", "no-words-of-suicide-where-there-was-no-sign"),
    ("imminent", "Thank you.\nCall 911.", "imminent-begins-with-the-contact"),
    ("imminent", "Call 911.\nThank you. How did you sleep?", "imminent-stays-on-safety"),
    ("elevated", "Thank you. Call 988. You are not thinking of suicide, right?", "no-question-leads"),
    ("elevated", "Thank you. 988. I cannot talk about that.", "the-talk-is-never-ended-or-refused"),
    ("watch", "Thank you. Call 555 0199.", "no-number-that-nobody-checked"),
    ("watch", "Thank you. 988. What? Why? Who?", "at-most-three-items-and-two-questions"),
    ("elevated", "Thank you.\n1. Call 988.\n2. Your friend.", "elevated-gives-at-most-three-options-and-marks-one-as-first"),
    ("watch", "Thank you 988 " + "and " * 40, "within-the-length-and-in-short-sentences"),
    ("imminent", "Call 911. Thank you.", "imminent-leads-to-people-distance-a-lower-barrier-and-one-step"),
]


@pytest.mark.parametrize(("level", "text", "rule"), SPOILED)
def test_a_spoiled_answer_hits_its_rule(level, text, rule):
    talk = Talk("en", "spoiled", (Line(level, frozenset(), "?"),), country="US")
    found = [Answer(talk.said[0], level, "none", frozenset(), True, None, text)]
    assert rule in hits(talk, found, harm=True) + hits(talk, found, harm=False)


@pytest.mark.parametrize(
    ("flags", "text", "rule"),
    [
        ("act_in_progress", "Call 911. Thank you. How many?", "nothing-is-asked-and-no-amount-is-named-while-an-act-is-in-progress"),
        ("danger_from_other", "Call 911. Thank you. Confront him.", "danger-from-another-is-met-with-responders-and-without-confrontation"),
        ("danger_from_other", "Call 911. Thank you.", "a-quick-exit-is-named-where-another-could-read"),
        ("third_person", "Call 911. Thank you.", "the-helper-is-asked-too"),
    ],
)
def test_a_spoiled_answer_to_a_flag_hits_its_rule(flags, text, rule):
    talk = Talk("en", "spoiled", (Line("imminent", frozenset({flags}), "?"),), country="US")
    found = [Answer(talk.said[0], "imminent", "none", frozenset({flags}), True, None, text)]
    assert rule in hits(talk, found, harm=True) + hits(talk, found, harm=False)


def test_repeating_a_question_or_an_answer_hits_its_rule():
    talk = talks("en")[0]
    found = played(talk)
    twice = [msgspec.structs.replace(found[-1], asked="plan", level="elevated", before="elevated", flags=frozenset()) for _ in range(2)]
    broken = hits(talk, found + twice, harm=False)
    assert "no-question-twice-without-a-change-and-the-order-is-kept" in broken
    assert "no-opening-more-than-three-times-and-no-answer-twice" in broken
