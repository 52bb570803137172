"""The chat of one process: who is connected, and the few things that happen by the clock."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from holdfast.clock import iso
from holdfast.db import Database
from holdfast.http import Actor
from holdfast.log import log
from holdfast.realtime.hub import POLL, Hub
from holdfast.realtime.line import REPLACED, TOKEN_ENDED, Event
from holdfast.realtime.presence import Presence
from holdfast.realtime.seats import Seats
from holdfast.support import service
from holdfast.support.delivered import FLUSH, Delivered
from holdfast.support.frames import Refused
from holdfast.support.hearing import Records
from holdfast.support.schemas import Said, Stored, UserConnected, UserDisconnected, chat_message, wire
from holdfast.support.scribe import Scribe
from holdfast.support.service import NoSuchUser, SaidBefore

if TYPE_CHECKING:
    from holdfast.support.connection import Connection

RECHECK = 60.0  # seconds between two looks at the same token; covers a revocation that nobody announced

Live = Callable[[int], Awaitable[bool]]


class Chat:
    def __init__(self, db: Database, live: Live) -> None:
        self.db, self._live = db, live
        self.hub = Hub(_Source(db))
        self._scribe = Scribe(db, self.publish)
        self.delivered = Delivered(db)
        self.records = Records(db)
        self._presence = Presence(self._tell_staff)
        self._seats: Seats[Connection] = Seats()
        self._connections: dict[Connection, None] = {}
        self._beats: list[asyncio.Task[None]] = []

    def start(self) -> None:
        acts = {self.hub.poll: POLL, self.delivered.flush: FLUSH, self.count_delivered: FLUSH, self.recheck: RECHECK}
        for act, seconds in acts.items():
            self.beat(act, seconds)

    def beat(self, act: Callable[[], Awaitable[None]], seconds: float) -> None:
        """What else happens by the clock as long as there is the chat."""
        self._beats.append(asyncio.create_task(_every(seconds, act)))

    async def finish(self) -> None:
        """The sockets have gone before; what they noted is written."""
        for beat in self._beats:
            beat.cancel()
        await asyncio.gather(*self._beats, return_exceptions=True)
        self._presence.finish()
        try:
            await self.delivered.flush()
        except Exception as error:
            log.warning("delivered_not_noted", exc_info=error)

    def enter(self, connection: "Connection") -> None:
        """From here on it hears. The oldest of too many goes."""
        self._connections[connection] = None
        for oldest in self._seats.take(connection, connection.actor.id, connection.room):
            oldest.line.end(REPLACED)
        self.hub.listen(connection, connection.room)

    def leave(self, connection: "Connection") -> None:
        del self._connections[connection]
        self._seats.leave(connection, connection.actor.id, connection.room)
        self.hub.leave(connection, connection.room)

    def came(self, connection: "Connection", at: int) -> None:
        if connection.owns_room:
            self._presence.came(connection.actor.id, connection.actor.username, at)

    def left(self, connection: "Connection", *, goodbye: bool) -> None:
        if connection.owns_room:
            self._presence.left(connection.actor.id, goodbye=goodbye)

    async def save(self, actor: Actor, said: Said) -> Event | None:
        """Stores, then publishes. An Event is what the same sender has said before, for that sender alone. Raises Refused."""
        try:
            return await self._write(actor, said)
        except NoSuchUser:
            raise Refused("no_such_user", said.client_msg_id) from None
        except Exception as error:
            log.error("message_not_saved", exc_info=error)
            raise Refused("not_saved", said.client_msg_id, retry_after=1) from None

    def publish(self, stored: Stored) -> None:
        """A message that another act has written; after its COMMIT. A lost hint costs POLL seconds, not the message."""
        self.hub.publish(event(stored))

    @property
    def staff_here(self) -> set[int]:
        """Who of the staff listens, in the staff's room or in somebody's. Of other processes nothing is known."""
        listening = (one for one in self._connections if one.actor.is_staff and not one.owns_room and not one.line.ended)
        return {connection.actor.id for connection in listening}

    @property
    def staff_online(self) -> bool:
        return bool(self.staff_here)

    @property
    def users_online(self) -> set[int]:
        """Who has their own room open."""
        return {connection.actor.id for connection in self._connections if connection.owns_room and not connection.line.ended}

    async def count_delivered(self) -> None:
        for connection in self._connections:
            self.delivered.note(connection.actor.id, connection.written.ripe())

    async def recheck(self) -> None:
        """Each token once, however many sockets it has opened."""
        for token_id in {connection.actor.token_id for connection in self._connections}:
            if not await self._live(token_id):
                self._end(token_id)
            await asyncio.sleep(0)
        self.records.forget()

    async def _write(self, actor: Actor, said: Said) -> Event | None:
        try:
            await self._scribe.write(actor, said)
        except SaidBefore:
            async with self.db.read() as tx:
                first = await service.said_before(tx, actor, said)
            return event(first) if first else None
        return None

    def _end(self, token_id: int) -> None:
        for connection in list(self._connections):
            if connection.actor.token_id == token_id:
                connection.line.end(TOKEN_ENDED)

    def _tell_staff(self, user_id: int, name: str, connected: bool, at: int) -> None:
        text = wire((UserConnected if connected else UserDisconnected)(user_id, name, iso(at)))
        for connection in list(self._connections):
            if connection.actor.is_staff and connection.room in (None, user_id):
                connection.line.say(text)


class _Source:
    """The conversations as the hub's topics, each under its user's id."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def heads(self, topics: list[int]) -> dict[int, int]:
        async with self._db.read() as tx:
            return await service.heads(tx, topics)

    async def open_heads(self) -> dict[int, int]:
        async with self._db.read() as tx:
            return await service.open_heads(tx)

    async def after(self, topic: int, seq: int) -> list[Event]:
        async with self._db.read() as tx:
            return [event(stored) for stored in await service.after(tx, topic, seq)]


def event(stored: Stored) -> Event:
    return Event(stored.user_id, stored.seq, wire(chat_message(stored)))


async def _every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    """One failure, for instance of the database, must not end the beat."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await act()
        except Exception as error:
            log.warning("beat_failed", reason=act.__name__, exc_info=error)
