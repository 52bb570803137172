"""Plays a scripted talk through everything that makes an answer without a model. The levels stand in the script: the crisis check is not needed."""

import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path

from msgspec import Struct, structs

from holdfast.clock import MINUTE
from holdfast.companion import replying
from holdfast.companion.detector import Reading
from holdfast.companion.listening import followed
from holdfast.companion.memory import Known, State

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "ru", "uk", "es", "de")
TODAY = date(2026, 11, 22)
START = 1_000_000 * MINUTE

Reader = Callable[["Line", str], Reading]


class Line(Struct, frozen=True):
    level: str
    flags: frozenset[str]
    text: str


class Talk(Struct, frozen=True):
    language: str
    about: str
    said: tuple[Line, ...]
    country: str | None = None
    veteran: bool = False


class Answer(Struct, frozen=True):
    """One turn: what was said, the level after the talk so far, and what was answered."""

    line: Line
    level: str
    before: str
    flags: frozenset[str]
    first: bool
    asked: str | None
    text: str


def talks(language: str) -> list[Talk]:
    found = tomllib.loads((FOLDER / f"{language}.toml").read_text("utf-8"))["talk"]
    return [
        Talk(language, talk["about"], tuple(line(one) for one in talk["said"].strip().splitlines()), talk.get("country"), talk.get("veteran", False))
        for talk in found
    ]


def line(written: str) -> Line:
    level, flags, text = written.split("|", 2)
    return Line(level, frozenset(flags.split()), text)


def scripted(said: Line, language: str) -> Reading:
    return Reading(said.level, said.flags, (), language)


def played(talk: Talk, reader: Reader = scripted) -> list[Answer]:
    state, found = State(), list[Answer]()
    for turn, said in enumerate(talk.said):
        known = Known(START + turn * MINUTE, state=state, share="yes")
        heard = followed(1, said.text, reader(said, talk.language), known)
        about = structs.replace(heard.about, today=TODAY, country=talk.country, veteran=talk.veteran)
        reply = replying.reply(heard._replace(about=about))
        answered = replying.finished(heard._replace(about=about), reply)
        level, before = heard.reading.level, state.episode.level
        first, asked = level not in heard.state.served, answered.state.episode.pending
        found.append(Answer(said, level, before, heard.reading.flags, first, asked, reply.text))
        state = answered.state
    return found
