"""What the companion says, in the five languages: texts by key, never built from a person's words."""

import tomllib
from functools import cache
from pathlib import Path

from msgspec import Struct, convert

TEXTS = Path(__file__).parent.parent / "texts"


class Staff(Struct, frozen=True):
    """What is true about the people of the service: who waits, who came, who sees what. The numbers and names are filled by the caller."""

    waiting: str
    waiting_usual: str
    joined: str
    left: str
    offline: str
    offline_unknown: str
    shared_messages: str
    shared_level: str
    open_on_yes: str
    opened: str
    beside: list[str]


class Sharing(Struct, frozen=True):
    """The agreement about danger, asked once; `yes` and `no` are the words that answer it."""

    ask: str
    given: str
    refused: str
    yes: list[str]
    no: list[str]


class Replied(Struct, frozen=True):
    """Acknowledgements of an answer to our own question."""

    confirms: list[str]
    denies: list[str]
    evades: list[str]


class Imminent(Struct, frozen=True):
    first: list[str]
    opening: list[str]
    again: list[str]
    person: list[str]
    distance: list[str]
    waiting: list[str]
    barrier: list[str]
    own: list[str]


class Elevated(Struct, frozen=True):
    opening: list[str]
    again: list[str]
    contact: list[str]
    trusted: list[str]
    professional: list[str]
    means: list[str]
    skill: list[str]
    barrier: list[str]
    alarm: list[str]
    plan: list[str]
    people: list[str]


class Watch(Struct, frozen=True):
    """`contact` also stands under answers at `none`; `heavier` is the same in several wordings."""

    opening: list[str]
    again: list[str]
    contact: str
    heavier: list[str]
    skill: list[str]
    people: list[str]
    trusted: list[str]
    plan: list[str]


class Flags(Struct, frozen=True):
    """What one sign changes in an answer to the person's own risk."""

    retraction: list[str]
    farewell: list[str]
    means_request: list[str]
    voices: list[str]
    self_injury: list[str]
    minor: list[str]
    minor_now: list[str]


class Frame(Struct, frozen=True):
    """A whole answer for a situation of its own: an act in progress, another person at risk, danger to or from somebody.

    `first` is the first line at `imminent`; `contact` and `urgent` take its place below. No question is asked while an act is in progress.
    """

    first: list[str]
    opening: list[str]
    contact: str
    steps: list[str]
    urgent: str
    more: list[str]
    question: list[str]


class Wording(Struct, frozen=True):
    disclosure: str
    reminder: str
    not_human: str
    not_a_person: str
    emergency_unknown: str
    emergency_short: str
    line_call: str
    line_text: str
    line_press: str
    line_write: str
    line_none: str
    second: str
    too_long: str
    too_long_contact: str
    offer: str
    consent_yes: str
    consent_no: str
    consent_none: str
    reach: list[str]
    check_in: list[str]
    staff: Staff
    sharing: Sharing
    questions: dict[str, list[str]]
    replies: dict[str, Replied]
    imminent: Imminent
    elevated: Elevated
    watch: Watch
    flags: Flags
    frames: dict[str, Frame]


@cache
def wording(language: str) -> Wording:
    """Raises msgspec.ValidationError when a text is missing: a test reads all five."""
    return convert(tomllib.loads((TEXTS / language / "companion.toml").read_text("utf-8")), Wording)
