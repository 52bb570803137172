"""One answer while it is put together: its numbers, and the parts that more than one level says."""

from datetime import date
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct

from holdfast.companion.detector import Reading
from holdfast.companion.resources import Line, directory, emergency_for, lines_for
from holdfast.companion.wording import Frame, Wording, wording

FRAMES = {"danger_from_other": "danger", "third_person": "other", "act_in_progress": "act", "harm_to_others": "harm"}  # the first that applies
FRAMES_AT = {"watch": {"danger", "harm"}, "elevated": {"danger", "harm", "other"}, "imminent": {"danger", "harm", "other", "act"}}
DEEDS = ("retraction", "farewell", "means_request")  # what somebody does by saying it: acknowledged before everything else


class Circumstances(Struct, frozen=True):
    """What shapes an answer beside the text.

    `turn`: how many answers there were, so that the words change. `first`: the first answer at this level of the episode.
    `question`: what to ask now. `answered` and `reply`: our question that this text answers, and how (confirms, denies, evades);
    none where the text has a sign of its own.
    `ai_said`: the sentence about the AI was said in this episode. `staff`: what is true about the people of the service, in the language.
    """

    today: date
    country: str | None = None
    veteran: bool = False
    turn: int = 0
    first: bool = True
    question: str | None = None
    reworded: bool = False
    answered: str | None = None
    reply: str | None = None
    ai_said: bool = False
    staff: str = ""


class Contact(NamedTuple):
    """The numbers of one answer, ready to stand in a sentence. `second`: the general line beside a veterans' one, else empty."""

    emergency: str
    line: str
    directory: str
    second: str


class Part(NamedTuple):
    """Rank 0 is always said; the others as far as the length allows, the lowest first."""

    text: str
    rank: int = 0

    @property
    def words(self) -> int:
        return len(self.text.split())


Lines = list[list[Part]]


class Telling(NamedTuple):
    """`short`: the fewest words that say it, for when the others do not fit."""

    words: Wording
    reading: Reading
    about: Circumstances
    reach: Contact
    short: bool = False

    def has(self, flag: str) -> bool:
        return flag in self.reading.flags

    def say(self, texts: list[str], rank: int = 0) -> list[Part]:
        if self.short:
            texts = sorted(texts, key=lambda text: len(text.split()))[:1]
        return [self.part(texts[self.about.turn % len(texts)], rank)] if texts else []

    def step(self, *lists: list[str]) -> list[Part]:
        """One list after the other; a list comes back in other words."""
        cycle, place = divmod(self.about.turn, len(lists))
        return [self.part(lists[place][cycle % len(lists[place])])]

    def part(self, text: str, rank: int = 0) -> Part:
        return Part(filled(text, self.reach), rank)

    def frame(self) -> Frame | None:
        """The situation that has an answer of its own at this level."""
        level = self.reading.level
        name = next((name for flag, name in FRAMES.items() if self.has(flag) and name in FRAMES_AT[level]), None)
        if name == "other" and level == "imminent" and self.has("act_in_progress"):
            name = "other_act"
        return self.words.frames[name] if name else None

    def acknowledged(self, otherwise: list[str]) -> list[Part]:
        """Of what the person did with these words: taking back, taking leave, asking for means, answering our question."""
        for deed in DEEDS:
            if self.has(deed):
                return self.opening(getattr(self.words.flags, deed))
        replied = self.words.replies.get(self.about.answered or "")
        # There two things are asked at once: a bare yes may mean "I am alone", so nobody is told that this is good.
        unsure = self.reading.level == "imminent" and (self.about.answered, self.about.reply) == ("safe_now", "confirms")
        if replied and self.about.reply and not unsure:
            return self.opening(getattr(replied, self.about.reply))
        return self.opening(otherwise)

    def opening(self, texts: list[str]) -> list[Part]:
        """At `imminent` one sentence; what follows it where there is room."""
        said = self.say(texts)
        if self.reading.level != "imminent":
            return said
        first, stop, rest = said[0].text.partition(". ")
        return [Part(first + stop.strip()), *([Part(rest, 1)] if rest else [])]

    def asks(self) -> str | None:
        """A frame asks nothing that a bare yes could answer for the person's own risk."""
        if self.frame():
            return None
        leaves = self.reading.level == "imminent" and self.about.first
        return self.about.question or ("safe_now" if leaves else None)

    def asked(self) -> list[Part]:
        """At most one question; a frame has its own, and none while an act is in progress: the call comes first."""
        if frame := self.frame():
            return self.say(frame.question) if self.about.question or self.about.first else []
        name = self.asks()
        if name == "thoughts" and self.about.reworded:
            name = "thoughts_again"
        if name == "safe_now" and self.reading.level == "imminent":
            name = "leave"
        return self.say(self.words.questions[name]) if name else []

    def ai(self) -> list[Part]:
        """Once in an episode, again in the first answer at `imminent`, and always when asked. Not at `watch` unless asked."""
        asked, level = self.has("asks_if_ai"), self.reading.level
        due = not self.about.ai_said if level == "elevated" else level == "imminent" and (self.about.first or not self.about.ai_said)
        if not asked and not due:
            return []
        return [Part(self.words.not_human if asked else self.words.not_a_person)]

    def staff(self) -> list[Part]:
        return [Part(self.about.staff)] if self.about.staff else []

    def people(self, texts: list[str]) -> list[Part]:
        """What is true of the people of the service, or where they are."""
        return self.staff() or self.say(texts, 0 if self.has("asks_human") else 5)

    def second(self) -> list[Part]:
        return [self.part(self.words.second, 2)] if self.reach.second else []

    def voices(self) -> list[Part]:
        return self.say(self.words.flags.voices, 1) if self.has("voices") else []


def telling(reading: Reading, about: Circumstances, *, short: bool = False) -> Telling:
    words = wording(reading.language)
    return Telling(words, reading, about, contact(words, about, reading, short=short), short)


def contact(words: Wording, about: Circumstances, reading: Reading, *, short: bool = False) -> Contact:
    """`short`: where the country is unknown, the numbers in fewer words."""
    veteran, young = about.veteran or "veteran_words" in reading.flags, "minor" in reading.flags
    lines = [_line(words, line) for line in lines_for(about.country, veteran=veteran, young=young, today=about.today)]
    page = directory().directory
    nowhere = page if short else words.line_none.format(directory=page)
    unknown = words.emergency_short if short else words.emergency_unknown
    return Contact(emergency_for(about.country) or unknown, lines[0] if lines else nowhere, page, "".join(lines[1:2]))


def filled(text: str, reach: Contact) -> str:
    """Only our own templates come here, never a person's words or a model's."""
    return text.format(**reach._asdict())


def numbered(steps: Lines) -> Lines:
    return [[Part(f"{number}. {first.text}", first.rank), *more] for number, (first, *more) in enumerate(steps, 1)]


def fitted(lines: Lines, limit: int) -> str:
    """The lines as one text of at most `limit` words: rank 0 always, the rest in the order of the ranks as far as there is room."""
    parts = [part for line in lines for part in line]
    room = limit - sum(part.words for part in parts if not part.rank)
    kept = {part for part in parts if not part.rank}
    for part in sorted((part for part in parts if part.rank), key=attrgetter("rank")):
        if part.words <= room:
            room -= part.words
            kept.add(part)
    told = [" ".join(part.text for part in line if part in kept) for line in lines]
    return "\n".join(line for line in told if line)


def _line(words: Wording, line: Line) -> str:
    """By telephone where there is one: a text comes beside it, or alone with the word that it begins with."""
    pattern = words.line_press if line.press else words.line_text if {"call", "text"} <= set(line.how) else words.line_call
    if "call" not in line.how:
        pattern = words.line_write
    return " ".join(pattern.format(name=line.name, dial=line.dial, press=line.press, keyword=line.keyword or "").split())
