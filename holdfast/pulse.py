"""Whether somebody delivers, and whether the clocks agree: both can be known only by looking again."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from holdfast.clock import SECOND, Clock
from holdfast.findings import Finding

SILENT = 15.0  # seconds; a worker writes every 5
STEP = 2.0  # seconds by which clocks may part; alarm.md section 4
SHOWN = 60.0  # seconds for which a step that is over is still a finding

HEARD = "select holdfast_now() - max(at) from heartbeat"  # microseconds since anybody wrote

BEATS = "select worker, at from heartbeat order by at desc limit 1000"


class Moment(NamedTuple):
    """The same moment by the clock that only counts and by the clock on the wall, in seconds and in microseconds of UTC."""

    at: float
    wall: int

    @classmethod
    def now(cls) -> "Moment":
        return cls(time.monotonic(), Clock()())  # a clock that starts now shows the wall's time


class Beat(Struct):
    worker: str
    at: int


class Pulse:
    """Counts by its own monotonic time: a worker lives when what it wrote has changed, whatever time it wrote."""

    def __init__(self, moment: Moment) -> None:
        self._known: dict[str, int] | None = None
        self.heard(moment)

    def heard(self, moment: Moment) -> None:
        self._heard_at = moment.at

    def listen(self, moment: Moment, beats: Sequence[Beat]) -> int | None:
        """The newest of the times that were written since the last look; None when nobody wrote, and at the first look."""
        known, self._known = self._known, {beat.worker: beat.at for beat in beats}
        new = [beat.at for beat in beats if known is not None and known.get(beat.worker) != beat.at]
        if new:
            self.heard(moment)
        return max(new, default=None)

    def finding(self, moment: Moment) -> Finding | None:
        silence = moment.at - self._heard_at
        return Finding("no_worker", f"Nobody delivers: no worker has been heard of for {silence:.0f} s.") if silence >= SILENT else None


class Clocks:
    """A step is what the wall's or the database's clock moves against monotonic time from one look to the next."""

    def __init__(self, moment: Moment) -> None:
        self._wall = self._base = moment.wall - moment.at * SECOND
        self._slack, self._shown_until = 0.0, moment.at
        self.stepped = 0.0  # seconds, of the last step

    def compare(self, moment: Moment, base: int, slack: float, *, apart: bool) -> Finding | None:
        """`base` is the database's time, read within `slack` seconds of the moment; `apart`: it is another machine's and must agree with ours."""
        wall, base_offset = moment.wall - moment.at * SECOND, base - moment.at * SECOND
        moved = max(abs(wall - self._wall), abs(base_offset - self._base)) / SECOND
        unsure = STEP + slack + self._slack
        self._wall, self._base, self._slack = wall, base_offset, slack
        if moved > unsure:
            self.stepped, self._shown_until = moved, moment.at + SHOWN
        difference = abs(base - moment.wall) / SECOND
        if apart and difference > unsure:
            return Finding("clock_step", f"The clocks of this machine and of the database differ by {difference:.0f} s.")
        return Finding("clock_step", f"A clock was set by {self.stepped:.0f} s.") if moment.at < self._shown_until else None
