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
CHOICES = re.compile(r"\{([^{}]*)\}")


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
