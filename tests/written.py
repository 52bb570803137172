"""The development messages: who wrote what, and the alternatives that one line holds."""

import csv
import hashlib
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from holdfast.companion.words import DATA

MESSAGES = Path(__file__).parent / "companion" / "messages"
EXAM = Path(__file__).parent / "companion" / "exam"  # by somebody who saw nothing else; never learnt from
CHOICES = re.compile(r"\{([^{}]*)\}")


MEASURES = [  # what is counted: of the messages with these levels, the share that is read as one of those
    ("risk ≥ elevated", {2, 3}, {2, 3}),
    ("imminent ≥ elevated", {3}, {2, 3}),
    ("imminent as imminent", {3}, {3}),
    ("imminent as none", {3}, {0}),
    ("risk ≥ watch", {2, 3}, {1, 2, 3}),
    ("watch ≥ watch", {1}, {1, 2, 3}),
    ("none ≥ elevated", {0}, {2, 3}),
    ("none as imminent", {0}, {3}),
]
HEAD = "| | n |" + "".join(f" {name} |" for name, _, _ in MEASURES) + " precision, half and half |"


class Message(NamedTuple):
    """`seed` is the line that it comes from: messages of one seed are never divided between learning and measuring."""

    language: str
    writer: str
    seed: str
    level: str
    flags: str
    mode: str
    text: str


def messages(samples: int = 1) -> list[Message]:
    """At most `samples` out of each line with alternatives, the same ones each time."""
    found = []
    for path in sorted(MESSAGES.glob("*.tsv")):
        language, _, writer = path.stem.partition("-")
        with path.open(encoding="utf-8", newline="") as file:
            for number, (level, flags, mode, line) in enumerate(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)):
                seed = f"{path.stem}-{number}"
                texts = dict.fromkeys(_chosen(line, seed, samples))
                found += [Message(language, writer, seed, level, flags, mode, text) for text in texts]
    return found


def exam() -> list[Message]:
    found = []
    for path in sorted(EXAM.glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        found += [Message(path.stem, "exam", f"{path.stem}-{number}", *row) for number, row in enumerate(rows)]
    return found


def row(name: str, found: list[tuple[int, int]]) -> str:
    """`found`: the number of the level that was meant, and of the one that was read."""
    shares = [_share(found, meant, got) for _, meant, got in MEASURES]
    return f"| {name} | {len(found)} |" + "".join(f" {share:.3f} |" for share in shares) + f" {shares[0] / (shares[0] + shares[6]):.3f} |"


def _share(found: list[tuple[int, int]], meant: set[int], got: set[int]) -> float:
    hits = [seen in got for level, seen in found if level in meant]
    return sum(hits) / max(1, len(hits))


def made_from() -> str:
    """A digest of everything that the weights follow from."""
    parts = [*MESSAGES.glob("*.tsv"), *DATA.glob("*.toml"), *(DATA / "concepts").glob("*.toml")]
    return hashlib.sha256(
        b"".join(path.read_bytes() for path in sorted(parts) if path.stem not in ("topics", "never", "replies", "walking"))
    ).hexdigest()


def _chosen(line: str, seed: str, times: int) -> Iterator[str]:
    chance = random.Random(seed)  # noqa: S311 - a choice that must be the same each time
    for _ in range(times):
        yield CHOICES.sub(lambda found: chance.choice(found[1].split("|")), line)
