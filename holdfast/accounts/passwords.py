"""Passwords: argon2id in a bounded pool, and the rules that NIST SP 800-63B-4 leaves standing."""

import asyncio
import functools
import gzip
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from holdfast.errors import Unavailable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

R = TypeVar("R")

SHORTEST, LONGEST = 8, 1024  # characters
SHORTEST_STAFF = 15
THREADS = 2  # of 19 MiB each
WAITING = 64  # beyond it a login is told to come back: a login flood is an attack on the memory

# Passwords of at least 8 characters among the most frequent ones in published breaches, as Django and zxcvbn count them, case-folded.
COMMON = Path(__file__).parent.parent / "data" / "common_passwords.txt.gz"


class Passwords:
    """Hashes in its own two threads. Raises Unavailable when too many wait."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, "argon2")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        return await self._run(_hasher().hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """The same work and time for somebody who does not exist, `stored` None."""
        return await self._run(_verify, stored or _nobody(), password) and stored is not None

    def outdated(self, stored: str) -> bool:
        return _hasher().check_needs_rehash(stored)

    async def _run(self, work: Callable[..., R], *values: str) -> R:
        if self._waiting >= WAITING:
            raise Unavailable
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *values)
        finally:
            self._waiting -= 1


def weakness(password: str, *context: str) -> str | None:
    """Why nobody should use it, as a sentence; `context` is what a guesser would try first: username, e-mail."""
    folded = password.casefold()
    for word in context:
        if word and folded in (word.casefold(), word.casefold().partition("@")[0]):
            return "The password must not be the username or the e-mail."
    if folded.strip("0123456789!.") == "holdfast" or b"\n" + folded.encode() + b"\n" in _common():
        return "This password is too common."
    return None


@functools.cache
def _common() -> bytes:
    return b"\n" + gzip.decompress(COMMON.read_bytes())


@functools.cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's minimum


@functools.cache
def _nobody() -> str:
    return _hasher().hash("nobody")


def _verify(stored: str, password: str) -> bool:
    from argon2.exceptions import VerificationError

    try:
        return _hasher().verify(stored, password)
    except VerificationError:
        return False
