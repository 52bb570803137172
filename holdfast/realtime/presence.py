"""Who is connected: observed, never chosen, and nothing is delivered or withheld because of it."""

import asyncio
from collections.abc import Callable

from holdfast.clock import SECOND

GRACE = 10.0  # seconds after the last connection was lost, so that a tunnel does not flicker
GRACE_AFTER_GOODBYE = 2.0  # seconds after a clean close

Tell = Callable[[int, str, bool, int], None]  # person, name, connected, at


class _Present:
    __slots__ = ("at", "came", "count", "going", "name")

    def __init__(self, name: str, at: int) -> None:
        self.name, self.count = name, 0
        self.at, self.came = at, asyncio.get_running_loop().time()
        self.going: asyncio.TimerHandle | None = None


class Presence:
    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._people: dict[int, _Present] = {}

    def came(self, person_id: int, name: str, at: int) -> None:
        present = self._people.get(person_id)
        if present is None:
            present = self._people[person_id] = _Present(name, at)
            self._tell(person_id, name, True, at)
        if present.going:
            present.going.cancel()
            present.going = None
        present.count += 1

    def left(self, person_id: int, *, goodbye: bool) -> None:
        present = self._people[person_id]
        present.count -= 1
        if not present.count:
            grace = GRACE_AFTER_GOODBYE if goodbye else GRACE
            present.going = asyncio.get_running_loop().call_later(grace, self._gone, person_id)

    def finish(self) -> None:
        for present in self._people.values():
            if present.going:
                present.going.cancel()

    def _gone(self, person_id: int) -> None:
        present = self._people.pop(person_id)
        elapsed = asyncio.get_running_loop().time() - present.came
        self._tell(person_id, present.name, False, present.at + int(elapsed * SECOND))
