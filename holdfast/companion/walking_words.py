"""What is said on the way through an exercise, in the five languages: texts by key, never built from a person's words."""

import tomllib
from functools import cache

from msgspec import Struct, convert

from holdfast.companion.wording import TEXTS

MINUTES_FROM = 100  # seconds


class WalkingWords(Struct, frozen=True):
    seconds: str
    minutes: str
    start: str
    helped: str
    rate: str
    step: str
    hint: str
    slower: str
    rate_after: str
    lower: str
    same: str
    higher: str
    done: str
    choose: str
    choose_other: str
    stopped: str
    ended: str
    worse: str
    stuck: str
    silent: str
    waits: str

    def time(self, seconds: int) -> str:
        """Rounded, for nobody holds a watch: "about 2 minutes"."""
        return self.seconds.format(count=seconds) if seconds < MINUTES_FROM else self.minutes.format(count=max(2, round(seconds / 60)))


@cache
def walking_words(language: str) -> WalkingWords:
    """Raises msgspec.ValidationError when a text is missing: a test reads all five."""
    return convert(tomllib.loads((TEXTS / language / "walking.toml").read_text("utf-8")), WalkingWords)
