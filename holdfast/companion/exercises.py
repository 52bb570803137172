"""The calming exercises: what they are, for which feeling, and in which order for one person."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

from msgspec import Struct, convert

DATA = Path(__file__).parent.parent / "data" / "exercises.toml"
PROVEN = 3  # rated uses before anything is said about them; product.md section 9
LAST = 5

# The feeling of each topic of the guide.
FEELINGS = {
    "panic": "panic",
    "breathing": "panic",
    "worry": "panic",
    "calm": "panic",
    "flashback": "flashback",
    "grounding": "flashback",
    "numb": "flashback",
    "unreal": "flashback",
    "anniversary": "flashback",
    "nightmare": "sleep",
    "sleep": "sleep",
    "anger": "anger",
    "drinking": "anger",
    "conflict": "anger",
    "pain": "tense",
    "tense": "tense",
    "alert": "tense",
    "load": "tense",
    "crowd": "crowd",
    "trigger": "crowd",
    "lonely": "low",
    "low": "low",
    "sad": "low",
    "sadness": "low",
    "guilt": "low",
    "grief": "low",
    "shame": "low",
}
UNFIT = {"sleep": "after_nightmare"}  # somebody who lies awake has not always dreamt

Kind = Literal["breathing", "grounding", "body", "sleep", "urge", "thoughts", "people", "action"]


class Script(Struct, frozen=True):
    """`eyes`: the form with open eyes. `with_hold`: the steps in which the breath is held, for those who ask for them."""

    name: str
    when: str
    eyes: str
    care: str
    steps: tuple[str, ...]
    with_hold: tuple[str, ...] = ()
    skip: str | None = None


class Exercise(Struct, frozen=True):
    """`seconds` of each step. `says`: the steps ask for words. `holds`: never the first one offered."""

    id: str
    version: int
    kind: Kind
    seconds: tuple[int, ...]
    source: str
    en: Script
    ru: Script
    uk: Script
    es: Script
    de: Script
    says: bool = False
    holds: bool = False

    def script(self, language: str) -> Script:
        found: Script = getattr(self, language)
        return found


class Feeling(Struct, frozen=True):
    """Its name in each language, and the ids of what may help."""

    id: str
    exercises: tuple[str, ...]
    en: str
    ru: str
    uk: str
    es: str
    de: str


class Words(Struct, frozen=True):
    """What all exercises of a language share. `source` says "may help", for nobody can promise more."""

    stop: str
    skip: str
    source: str


class Catalogue(Struct, frozen=True):
    words: dict[str, Words]
    feeling: tuple[Feeling, ...]
    exercise: tuple[Exercise, ...]


class Tally(Struct, frozen=True):
    """How one exercise went for one person. Sums of the ratings before and after, 0 to 10, of the `rated` among the `count` uses.

    `last`: the newest changes, the newest last; below zero is relief.
    """

    count: int = 0
    rated: int = 0
    before: int = 0
    after: int = 0
    last: tuple[int, ...] = ()

    def change(self) -> float | None:
        """The mean; None until there are enough uses to say anything."""
        return (self.after - self.before) / self.rated if self.rated >= PROVEN else None

    def averages(self) -> tuple[int, int] | None:
        """Before and after, when there is a relief to speak of."""
        means = (round(self.before / self.rated), round(self.after / self.rated)) if self.rated >= PROVEN else (0, 0)
        return means if means[1] < means[0] else None


def used(tally: Tally, before: int | None, after: int | None) -> Tally:
    """Once more, to the end."""
    if before is None or after is None:
        return Tally(tally.count + 1, tally.rated, tally.before, tally.after, tally.last)
    last = (*tally.last, after - before)[-LAST:]
    return Tally(tally.count + 1, tally.rated + 1, tally.before + before, tally.after + after, last)


@cache
def catalogue() -> Catalogue:
    """Raises msgspec.ValidationError when a text is missing in one of the languages: a test reads it."""
    return convert(tomllib.loads(DATA.read_text("utf-8")), Catalogue)


@cache
def exercises() -> dict[str, Exercise]:
    return {one.id: one for one in catalogue().exercise}


def source_line(exercise: Exercise, language: str) -> str:
    return catalogue().words[language].source.format(source=exercise.source)


def for_feeling(feeling: str, uses: dict[str, Tally], worse: dict[str, int]) -> list[Exercise]:
    """What helped this person comes first; what a person found worse comes last."""
    ids = next(one.exercises for one in catalogue().feeling if one.id == feeling)
    return by_what_helped([exercises()[id] for id in ids], uses, worse)


def for_topic(topic: str, uses: dict[str, Tally], worse: dict[str, int]) -> list[Exercise]:
    """Empty for a topic that no exercise belongs to."""
    found = for_feeling(FEELINGS[topic], uses, worse) if topic in FEELINGS else []
    return [one for one in found if one.id != UNFIT.get(topic)]


def feelings_of(exercise: str) -> tuple[str, ...]:
    return tuple(one.id for one in catalogue().feeling if exercise in one.exercises)


def by_what_helped(found: list[Exercise], uses: dict[str, Tally], worse: dict[str, int]) -> list[Exercise]:
    """Stable: without any use the order of the catalogue stays."""

    def place(one: Exercise) -> tuple[int, bool, float]:
        change = uses.get(one.id, Tally()).change() or 0.0
        return worse.get(one.id, 0), one.holds, change

    return sorted(found, key=place)
