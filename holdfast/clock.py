"""Time: integer microseconds of UTC, from a clock that a step of the wall clock does not move."""

import time
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime.fromtimestamp(0, UTC)


class Clock:
    """The wall clock as it was at the start, or the newest recorded time if that is later, plus monotonic time (alarm.md, section 4)."""

    def __init__(self) -> None:
        self._zero = time.time_ns() // 1_000 - time.monotonic_ns() // 1_000

    def __call__(self) -> int:
        return self._zero + time.monotonic_ns() // 1_000

    def not_before(self, recorded: int) -> None:
        self._zero += max(0, recorded - self())

    def turn(self, microseconds: int) -> None:
        """Moves the clock; tests live a day in a second with it."""
        self._zero += microseconds


def iso_or_none(at: int | None) -> str | None:
    return None if at is None else iso(at)


def iso(at: int) -> str:
    """2026-11-22T12:00:00.000000Z: what crosses the wire."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="microseconds").replace("+00:00", "Z")
