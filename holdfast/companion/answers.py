"""What is answered at each level: the parts that section 4 of the companion's rules asks for, put together without a model."""

from datetime import date
from typing import NamedTuple

from msgspec import Struct

from holdfast.companion.detector import Reading
from holdfast.companion.resources import Line, directory, emergency_for, line_for
from holdfast.companion.wording import Wording, wording


class Circumstances(Struct, frozen=True):
    """What shapes an answer beside the text. `turn`: how many answers there were, so that the words change."""

    today: date
    country: str | None = None
    veteran: bool = False
    turn: int = 0


class Contact(NamedTuple):
    """The numbers of one answer, ready to stand in a sentence."""

    emergency: str
    line: str
    directory: str


def answer(reading: Reading, about: Circumstances, topic: str) -> str:
    """`topic` is used at `none` only."""
    words = wording(reading.language)
    reach = contact(words, about, reading)
    parts = {"imminent": _imminent, "elevated": _elevated, "watch": _watch}.get(reading.level)
    text = parts(words, reading, about) if parts else guided(words, about, topic)
    return filled(text, reach)


def too_long(reading: Reading, about: Circumstances) -> str:
    words = wording(reading.language)
    if reading.level == "none":
        return words.too_long
    return filled(words.too_long_contact, contact(words, about, reading))


def contact(words: Wording, about: Circumstances, reading: Reading) -> Contact:
    line = line_for(about.country, veteran=about.veteran or "veteran_words" in reading.flags, today=about.today)
    return Contact(emergency_for(about.country) or words.emergency_unknown, _line(words, line), directory().directory)


def filled(text: str, reach: Contact) -> str:
    """Only our own templates come here, never a person's words or a model's."""
    return text.format(**reach._asdict())


def guided(words: Wording, about: Circumstances, topic: str) -> str:
    found = words.topics[topic]
    return _turned(found.opening, about) + " " + found.body


def _imminent(words: Wording, reading: Reading, about: Circumstances) -> str:
    """The first line is the action, with the numbers; then at most three numbered lines."""
    texts = words.imminent
    if special := _special(reading):
        first, *steps, last = getattr(texts, special)
        return "\n".join([first, *_numbered(steps), f"{last} {words.not_a_person}"])
    steps = [_turned(part, about) for part in (texts.person, texts.distance, texts.waiting)]
    last = f"{_turned(texts.question, about)} {words.not_a_person}"
    return "\n".join([texts.first, _turned(texts.opening, about), *_numbered(steps), last])


def _elevated(words: Wording, reading: Reading, about: Circumstances) -> str:
    texts = words.elevated
    if "harm_to_others" in reading.flags:
        return "\n".join([*texts.harm, words.not_a_person])
    if "third_person" in reading.flags:
        return "\n".join([*texts.other, words.not_a_person])
    first = f"{_turned(texts.opening, about)} {_turned(texts.question, about)}"
    return "\n".join([first, texts.contact, texts.trusted, f"{texts.professional} {texts.means}", f"{texts.skill} {texts.alarm}", words.not_a_person])


def _watch(words: Wording, reading: Reading, about: Circumstances) -> str:
    texts = words.watch
    return "\n".join(
        [f"{_turned(texts.opening, about)} {_turned(texts.question, about)}", _turned(texts.skill, about), f"{texts.contact} {texts.people}"]
    )


def _special(reading: Reading) -> str | None:
    for flag, texts in (("danger_from_other", "danger"), ("third_person", "other"), ("act_in_progress", "act"), ("harm_to_others", "harm")):
        if flag in reading.flags:
            return texts
    return None


def _numbered(steps: list[str]) -> list[str]:
    return [f"{number}. {step}" for number, step in enumerate(steps, 1)]


def _turned(texts: list[str], about: Circumstances) -> str:
    return texts[about.turn % len(texts)]


def _line(words: Wording, line: Line | None) -> str:
    if line is None:
        return words.line_none.format(directory=directory().directory)
    pattern = words.line_press if line.press else words.line_text if "text" in line.how else words.line_call
    return pattern.format(name=line.name, dial=line.dial, press=line.press)
