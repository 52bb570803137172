"""The crisis check: scope, disguises, failure, linear time, and what it finds of the written messages."""

import json
import sys

import pytest
from written import made_from

from holdfast.companion import detector
from holdfast.companion.detector import LEVELS, read
from holdfast.companion.words import DATA, vocabulary

LANGUAGES = ["en", "ru", "uk", "es", "de"]

SCOPE = [
    ("I don't want to die", "none"),
    ("I don't want to die, but I don't want to be here anymore", "elevated"),
    ("I can't promise I won't kill myself", "imminent"),
    ("I'm not saying I'm fine. I want to die.", "elevated"),
    ("I tried to kill myself twelve years ago, I got help and I am well", "none"),
    ("I wanted to die years ago. Now I want to die.", "elevated"),
    ("In my novel the hero wants to kill himself", "none"),
    ("I am a nurse and I want to die", "elevated"),
    ("My brother wants to kill himself", "elevated"),
    ("I was dying of laughter, then I thought about killing myself", "elevated"),
    ("I bought rope for climbing", "none"),
    ("Quiero vivir, no quiero morir", "none"),
    ("Ich bringe mich nicht um", "none"),
    ("Die Katze ist krank", "none"),
    ("Я не хочу умирать", "none"),
    ("Мені не хочеться жити", "elevated"),
]
DISGUISES = [
    "i want to k i l l myself tonight",
    "I want to k1ll mys3lf tonight",
    "I WANT TO KILL MYSELF TONIGHT",
    "i want to kill mysefl tonight",
    "i want to kil myself 2nite",
    "I want to ki\u200bll my\u00adself tonight",
    "I want to k\u0456ll mys\u0435lf tonight",
    "iii wannnna kill myself tonight!!!",
    "i want to k*ll myself tonight",
    "aSB3YW50IHRvIGtpbGwgbXlzZWxmIHRvbmlnaHQ=",
    "ja hochu umeret segodnya nochyu",
]


REPEATED = ["a ", "kill ", "not ", "so ", "I want to die. ", "!", "want to not die and ", "а б ", "k1ll my*elf ", "<", "want, die; "]


@pytest.mark.parametrize(("text", "level"), SCOPE)
def test_scope(text, level):
    """`watch` is no false alarm: it asks, and leaves it there."""
    found = read(text).level
    assert found == level or (level, found) == ("none", "watch")


@pytest.mark.parametrize("text", DISGUISES)
def test_a_disguise_changes_nothing(text):
    assert LEVELS.index(read(text).level) >= 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_tried_whatever_is_guessed(language):
    for text in ("I want to die", "Я хочу умереть", "Я хочу померти", "Quiero morirme", "Ich will sterben"):
        assert read(text, language).level == "elevated"


def test_the_last_sentence_of_a_long_text_counts():
    assert read("It rained and I walked home. " * 130 + "I want to kill myself.").level == "elevated"


def test_a_fault_is_watch_and_never_none(monkeypatch):
    def broken(text):
        raise FileNotFoundError

    monkeypatch.setattr(detector, "tokens_of", broken)
    reading = read("Hello")
    assert reading.level == "watch"
    assert reading.rule_ids == ("detector-failed:FileNotFoundError",)


def work(text):
    """Calls and steps of the reading: the same on every machine, however busy it is."""
    calls, before = [0], vocabulary().steps

    def count(frame, event, argument):
        calls[0] += 1

    sys.setprofile(count)
    try:
        read(text)
    finally:
        sys.setprofile(None)
    return calls[0] + vocabulary().steps - before


@pytest.mark.parametrize("unit", REPEATED)
def test_work_grows_with_the_length_and_not_faster(unit):
    long = (unit * (8_000 // len(unit) + 1))[:8_000]
    read(long)  # so that both are counted with the words known
    assert work(long) <= 10 * work(long[:1_000]) + 500


def test_the_weights_were_made_from_the_messages_and_words_of_this_repository():
    """After a change of either: `make companion-train`."""
    about = json.loads((DATA / "weights.bin").read_bytes().partition(b"\n")[0])
    assert about["made_from"] == made_from()


@pytest.mark.parametrize("text", ["I want to kill myself tonight", "Я хочу умереть", "I hate my life", "Good morning"])
def test_the_weights_raise_and_never_lower(text, monkeypatch):
    def weighed(level):
        monkeypatch.setattr(detector, "_weighed", lambda found: level)
        return LEVELS.index(read(text).level)

    assert [weighed(level) for level in LEVELS] == [max(weighed("none"), at) for at in range(len(LEVELS))]


def test_a_reading_holds_no_text():
    reading = read("My name is Zebulon and I want to die")
    assert "zebulon" not in repr(reading).lower()
