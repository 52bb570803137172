"""Throttles: they slow a guesser down and never lock anybody out for good."""

import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from holdfast.errors import TooMany
from holdfast.settings import LOOPBACK

KEYS = 100_000  # remembered at most; the least recently used go first, so that a flood of names cannot fill the memory


class Backoff:
    """After `free` failures each further try has to wait 1, 2, 4 ... `longest` seconds; a try during a wait changes nothing."""

    def __init__(self, free: int, longest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._free, self._longest, self._clock = free, longest, clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def begin(self, key: str) -> None:
        """Counts the try as failed until `succeeded` says otherwise, so that a hundred at once do not all slip through. Raises TooMany."""
        failures, until = self._failures.get(key, (0, 0.0))
        now = self._clock()
        if now < until:
            raise TooMany(until - now)
        if failures > self._free and now > until + self._longest:
            failures = self._free
        failures += 1
        wait = min(2.0 ** min(failures - self._free - 1, 32), self._longest) if failures > self._free else 0.0
        self._failures[key] = (failures, now + wait)
        self._failures.move_to_end(key)
        if len(self._failures) > KEYS:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        self._failures.pop(key, None)


class Window:
    """At most `limit` per `seconds`, for each key."""

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._seconds, self._clock = limit, seconds, clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, key: str) -> None:
        """Raises TooMany."""
        times = self._times.setdefault(key, deque())
        self._times.move_to_end(key)
        now = self._clock()
        while times and times[0] <= now - self._seconds:
            times.popleft()
        if len(times) >= self._limit:
            raise TooMany(times[0] + self._seconds - now)
        times.append(now)
        if len(self._times) > KEYS:
            self._times.popitem(last=False)

    def succeeded(self, key: str) -> None:
        if times := self._times.get(key):
            times.pop()


def network(address: str) -> str:
    """The /24 or /64 around an address: one household, not one telephone."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 64), strict=False))


def is_loopback(address: str) -> bool:
    return address in LOOPBACK
