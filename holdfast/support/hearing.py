"""Live hearing in the staff's room is reading somebody's words: it is on record before the words leave."""

import asyncio
from collections.abc import Iterable

from holdfast import audit
from holdfast.db import Database
from holdfast.log import log
from holdfast.realtime.line import TRY_AGAIN, Event, Line

SPAN = 3600.0  # seconds: one row for each conversation, member of staff and hour (support-chat.md, section 9)
ACTION = "SOCKET /ws/chat/admin/"


class Records:
    """Which hearing is on record already, for all sockets of the process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._until: dict[tuple[int, int], float] = {}

    def valid(self, staff_id: int, user_id: int) -> bool:
        return self._until.get((staff_id, user_id), 0.0) > asyncio.get_running_loop().time()

    async def add(self, staff_id: int, user_ids: Iterable[int]) -> None:
        """One's own conversation needs none."""
        missing = [user_id for user_id in user_ids if not self.valid(staff_id, user_id)]
        if others := [user_id for user_id in missing if user_id != staff_id]:
            async with self._db.write() as tx:
                for user_id in others:
                    await audit.record(tx, actor_id=staff_id, user_id=user_id, action=ACTION)
        until = asyncio.get_running_loop().time() + SPAN
        self._until |= {(staff_id, user_id): until for user_id in missing}

    def forget(self) -> None:
        now = asyncio.get_running_loop().time()
        self._until = {key: until for key, until in self._until.items() if until > now}


class Hearing:
    """Stands between the hub and one socket in the staff's room. When the record cannot be written the line ends, and nothing is heard."""

    __slots__ = ("_held", "_line", "_records", "_staff_id", "_work")

    def __init__(self, records: Records, staff_id: int, line: Line) -> None:
        self._records, self._staff_id, self._line = records, staff_id, line
        self._held: dict[int, list[Event]] = {}
        self._work: asyncio.Task[None] | None = None

    def hear(self, event: Event) -> None:
        if self._records.valid(self._staff_id, event.topic) and event.topic not in self._held:
            self._line.say(event.text, event)
            return
        self._held.setdefault(event.topic, []).append(event)
        if self._work is None:
            self._work = asyncio.create_task(self._record_held())

    async def record(self, events: Iterable[Event]) -> None:
        """Before a replay. Raises what the database raises."""
        await self._records.add(self._staff_id, {event.topic for event in events})

    async def finish(self) -> None:
        if self._work:
            await self._work

    async def _record_held(self) -> None:
        try:
            while self._held:
                conversations = list(self._held)
                await self._records.add(self._staff_id, conversations)
                for user_id in conversations:
                    for event in self._held.pop(user_id):
                        self._line.say(event.text, event)
        except Exception as error:
            log.error("hearing_not_recorded", exc_info=error)
            self._held.clear()
            self._line.end(TRY_AGAIN)
        finally:
            self._work = None
