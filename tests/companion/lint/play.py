"""Plays a scripted talk through the real episode and answers. The levels of the texts stand in the script: the crisis check is not needed."""

import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path

from msgspec import Struct

from holdfast.clock import MINUTE
from holdfast.companion import answers
from holdfast.companion.answers import Circumstances
from holdfast.companion.asking import reply_in
from holdfast.companion.detector import Reading
from holdfast.companion.episode import CARRIED, Episode, follow, next_question, with_question
from holdfast.companion.telling import DEEDS

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
    episode, answered, ai_said, found = Episode(), set[str](), False, list[Answer]()
    for turn, said in enumerate(talk.said):
        before, reading = episode, reader(said, talk.language)
        episode = follow(before, reading, said.text, START + turn * MINUTE)
        answered = answered if episode.level != "none" else set()
        flags = (reading.flags | (episode.flags & CARRIED - set(DEEDS))) if episode.level != "none" else reading.flags
        served = Reading(episode.level, flags, (), talk.language)
        about = _circumstances(talk, before, episode, said, turn, episode.level not in answered, ai_said)
        text, asked = answers.answer(served, about), answers.asks(served, about)
        found.append(Answer(said, episode.level, before.level, flags, about.first, asked, text))
        ai_said = ai_said or episode.level in ("elevated", "imminent")
        answered = answered | {episode.level}
        episode = with_question(episode, asked)
    return found


def _circumstances(talk: Talk, before: Episode, episode: Episode, said: Line, turn: int, first: bool, ai_said: bool) -> Circumstances:
    question = next_question(episode)
    # A text with a sign of its own is acknowledged for what it says, and not as a reply.
    answered = before.pending if said.level in ("none", "watch") else None
    return Circumstances(
        today=TODAY,
        country=talk.country,
        veteran=talk.veteran,
        turn=turn,
        first=first,
        question=question,
        reworded=question == "thoughts" and "thoughts" in episode.asked,
        answered=answered,
        reply=reply_in(said.text, answered) if answered else None,
        ai_said=ai_said,
    )
