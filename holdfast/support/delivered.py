"""How far each person has surely heard each conversation, so that a dropped line loses nothing and a goodbye repeats nothing.

What the transport has taken counts as delivered after a clean close, or SURE seconds later on a live socket; after an unclean end
the last SURE seconds are sent again (support-chat.md, section 5).
"""

import asyncio
from collections import deque
from collections.abc import Iterator

from holdfast.db import Database
from holdfast.realtime.line import Event
from holdfast.support import service

SURE = 42.0  # seconds: a ping after 20, its answer within 20, and 2; a socket that lives by then had a peer
FLUSH = 2.0  # seconds between writes: never one for each message


class Written:
    """What went out on one socket and may not have arrived: the newest number of each conversation, second by second."""

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, dict[int, int]]] = deque()

    def note(self, event: Event) -> None:
        now = int(asyncio.get_running_loop().time())
        if not self._seconds or self._seconds[-1][0] != now:
            self._seconds.append((now, {}))
        self._seconds[-1][1][event.topic] = event.seq

    def ripe(self, *, goodbye: bool = False) -> Iterator[tuple[int, int]]:
        """Takes out what has surely arrived: conversation, number."""
        upto = asyncio.get_running_loop().time() - SURE
        while self._seconds and (goodbye or self._seconds[0][0] + 1 <= upto):
            yield from self._seconds.popleft()[1].items()


class Delivered:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._grown: dict[tuple[int, int], int] = {}
        self._flushing = asyncio.Lock()

    def note(self, person_id: int, written: Iterator[tuple[int, int]]) -> None:
        for user_id, seq in written:
            key = person_id, user_id
            self._grown[key] = max(seq, self._grown.get(key, 0))

    async def settle(self, person_id: int, user_id: int | None) -> None:
        """Before a replay is read: what one socket of the person has just heard must not be told to the next. None: of every conversation."""
        if (person_id, user_id) in self._grown or (user_id is None and any(person == person_id for person, _ in self._grown)):
            await self.flush()

    async def flush(self) -> None:
        """Everything noted is in the database when it returns, whoever wrote it. What could not be written stays for the next time."""
        async with self._flushing:
            grown = dict(self._grown)
            if not grown:
                return
            async with self._db.write() as tx:
                for (person_id, user_id), seq in sorted(grown.items()):  # sorted: two processes must not lock each other out
                    await service.note_delivered(tx, person_id, user_id, seq)
            self._grown = {key: seq for key, seq in self._grown.items() if seq > grown.get(key, 0)}
