"""Reads messages and talks from a stream, without a database and without a clock: what the crisis check makes of each."""

import sys
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct, structs

from holdfast.companion.asking import is_worried, question_in, wording_of
from holdfast.companion.detector import Reading, read
from holdfast.companion.episode import Episode, follow, with_question

SPEAKERS = ("user", "assistant")
LONGEST_LINE = 200  # characters of a fault


class Turn(Struct):
    role: str
    text: str


class Line(Struct):
    """One of both."""

    text: str | None = None
    turns: list[Turn] | None = None


class Found(Struct):
    level: str
    flags: list[str]
    rule_ids: list[str]
    language: str


class Unreadable(Struct):
    error: str


def run() -> int:
    """One line of JSON for each line of standard input, written before the next is needed. 1 when a line could not be read."""
    faults = 0
    for number, found in enumerate(audit(sys.stdin.buffer), 1):
        if isinstance(found, Unreadable):
            faults += 1
            sys.stderr.write(f"Line {number}: {found.error}\n")
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.buffer.flush()
    return 1 if faults else 0


def audit(lines: Iterable[bytes]) -> Iterator[Found | Unreadable]:
    for line in lines:
        try:
            yield _found(msgspec.json.decode(line, type=Line))
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as fault:
            yield Unreadable(str(fault)[:LONGEST_LINE])


def _found(line: Line) -> Found:
    if (line.text is None) == (line.turns is None):
        raise ValueError("A line holds either `text` or `turns`.")
    if line.turns is None:
        return _shown(read(line.text or ""))
    return follow_talk(line.turns)


def follow_talk(turns: list[Turn]) -> Found:
    """The level after the last turn. An assistant's turn need not be in our words: what it asked waits for the reply."""
    episode, reading = Episode(), Reading("none")
    for turn in turns:
        if turn.role not in SPEAKERS:
            raise ValueError(f"A turn's role is one of {', '.join(SPEAKERS)}.")
        if turn.role == "user":
            reading = read(turn.text, reading.language)
            episode = follow(episode, reading, turn.text, 0)
        else:
            episode = _asked(episode, turn.text)
    return _shown(structs.replace(reading, level=episode.level, flags=reading.flags | episode.flags))


def _asked(episode: Episode, text: str) -> Episode:
    """A turn that asks nothing at all leaves an evaded question open. One that is worried has heard what the detector may have missed."""
    if episode.level == "none" and is_worried(text):
        episode = structs.replace(episode, level="watch")
    question = question_in(text, episode.level)
    return with_question(episode, question, wording_of(text)) if question or "?" in text else episode


def _shown(reading: Reading) -> Found:
    return Found(reading.level, sorted(reading.flags), list(reading.rule_ids), reading.language)
