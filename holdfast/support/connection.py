"""A connection is one open socket of the chat, from accept to its last word."""

import asyncio
from collections.abc import Mapping
from typing import Any

from holdfast.http import Ask
from holdfast.log import log
from holdfast.realtime.line import QUEUE, TOO_SLOW, TRY_AGAIN, Event, Line
from holdfast.realtime.protocol import ABORT
from holdfast.support import service
from holdfast.support.chat import Chat, event
from holdfast.support.delivered import Written
from holdfast.support.hearing import Hearing
from holdfast.support.inbox import Inbox
from holdfast.support.schemas import Said

GOODBYES = {1000, 1001, 1005}  # done, page left, closed without a number


class Connection:
    """`room` is the user whose room it is; None is the staff's."""

    __slots__ = ("_ask", "_chat", "_hearing", "_held", "_inbox", "_send", "actor", "line", "room", "written")

    def __init__(self, ask: Ask, send: Any, *, room: int | None) -> None:
        self._ask, self._send = ask, send
        self._chat: Chat = ask.state.chat
        self.actor, self.room = ask.actor, room
        self.written = Written()
        self.line = Line(send, ask.scope["extensions"][ABORT], self.written.note)
        self._inbox = Inbox(room, self.line, self._save)
        self._hearing = None if room is not None else Hearing(self._chat.records, self.actor.id, self.line)
        self._held: list[Event] | None = []  # what is heard while joining; None when live

    @property
    def owns_room(self) -> bool:
        return self.actor.id == self.room

    async def live(self, receive: Any) -> None:
        goodbye, began = False, asyncio.get_running_loop().time()
        self._chat.enter(self)
        try:
            await receive()  # the handshake
            # Never the secret that was offered beside the word.
            await self._send({"type": "websocket.accept", "subprotocol": "token" if "token" in self._ask.scope["subprotocols"] else None})
            goodbye = await self._converse(receive)
        except OSError:
            pass  # the peer went while it was let in
        finally:
            self._chat.leave(self)
            self._chat.delivered.note(self.actor.id, self.written.ripe(goodbye=goodbye))
            await self._finish()
            seconds = round(asyncio.get_running_loop().time() - began, 1)
            log.info("socket_closed", request_id=self._ask.request_id, actor=self.actor.mark, code=self.line.code, seconds=seconds)

    def hear(self, event: Event) -> None:
        if self._held is None:
            if self._hearing:
                self._hearing.hear(event)
            else:
                self.line.say(event.text, event)
        elif len(self._held) < QUEUE:
            self._held.append(event)
        else:
            self.line.end(TOO_SLOW)

    async def _converse(self, receive: Any) -> bool:
        """Whether it ended with a goodbye."""
        try:
            at = await self._join()
        except Exception as error:
            # Without its replay the chat would look empty: the client has to come again.
            log.error("chat_not_joined", request_id=self._ask.request_id, exc_info=error)
            self.line.end(TRY_AGAIN)
            return False
        self._chat.came(self, at)
        goodbye = False
        try:
            while (frame := await receive())["type"] != "websocket.disconnect":
                await self._inbox.take(frame)
            goodbye = _is_goodbye(frame)
        finally:
            self._chat.left(self, goodbye=goodbye)
        return goodbye

    async def _join(self) -> int:
        """Hold back what is heard; read what was missed; merge the two without gap or double; live. Returns the database's time."""
        chat, person_id = self._chat, self.actor.id
        await chat.delivered.settle(person_id, self.room)
        dispatched = await chat.hub.survey() if self.room is None else {self.room: await chat.hub.standing(self.room)}
        async with chat.db.read() as tx:
            rows = await (service.unheard_waiting(tx, person_id) if self.room is None else service.unheard(tx, person_id, self.room))
            at = await service.now(tx)
        await self._catch_up([event(row) for row in rows if row.seq <= dispatched.get(row.user_id, 0)])
        return at

    async def _catch_up(self, missed: list[Event]) -> None:
        batch = _merged(missed, self._held or [])
        while batch:
            self._held = []
            if self._hearing:
                await self._hearing.record(batch)
            for one in batch:
                await self.line.deliver(one)
            batch = self._held
        self._held = None

    async def _save(self, said: Said) -> None:
        if again := await self._chat.save(self.actor, said):
            self.line.say(again.text, again)

    async def _finish(self) -> None:
        if self._hearing:
            await self._hearing.finish()
        await self._inbox.finish()
        await self.line.finish()
        try:
            await self._chat.delivered.settle(self.actor.id, self.room)
        except Exception as error:
            log.warning("delivered_not_noted", exc_info=error)  # it stays for the next flush


def _is_goodbye(frame: Mapping[str, Any]) -> bool:
    """uvicorn gives a reason, be it empty, only when a close frame came; a lost line is a bare 1005."""
    return frame.get("code") in GOODBYES and "reason" in frame


def _merged(missed: list[Event], heard: list[Event]) -> list[Event]:
    """Each once, in the order of its conversation; conversations in the order of `missed`."""
    once = {(one.topic, one.seq): one for one in [*missed, *heard]}
    place = {topic: number for number, topic in enumerate(dict.fromkeys(topic for topic, _ in once))}
    return sorted(once.values(), key=lambda one: (place[one.topic], one.seq))
