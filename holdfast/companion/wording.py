"""What the companion says, in the five languages: texts by key, never built from a person's words."""

import tomllib
from functools import cache
from pathlib import Path

from msgspec import Struct, convert

TEXTS = Path(__file__).parent.parent / "texts"


class Imminent(Struct, frozen=True):
    first: str
    opening: list[str]
    person: list[str]
    distance: list[str]
    waiting: list[str]
    question: list[str]
    act: list[str]
    other: list[str]
    harm: list[str]
    danger: list[str]


class Elevated(Struct, frozen=True):
    opening: list[str]
    question: list[str]
    contact: str
    trusted: str
    professional: str
    means: str
    skill: str
    alarm: str
    other: list[str]
    harm: list[str]


class Watch(Struct, frozen=True):
    opening: list[str]
    question: list[str]
    contact: str
    skill: list[str]
    people: str


class Topic(Struct, frozen=True):
    opening: list[str]
    body: str


class Wording(Struct, frozen=True):
    disclosure: str
    not_a_person: str
    emergency_unknown: str
    line_call: str
    line_text: str
    line_press: str
    line_none: str
    too_long: str
    too_long_contact: str
    offer: str
    consent_yes: str
    consent_no: str
    consent_none: str
    imminent: Imminent
    elevated: Elevated
    watch: Watch
    topics: dict[str, Topic]


@cache
def wording(language: str) -> Wording:
    """Raises msgspec.ValidationError when a text is missing: a test reads all five."""
    return convert(tomllib.loads((TEXTS / language / "companion.toml").read_text("utf-8")), Wording)
