"""The companion's answer as server-sent events: each sentence as soon as it is checked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response

from holdfast.companion import service
from holdfast.companion.schemas import NewMessage
from holdfast.companion.service import Spoken
from holdfast.companion.streaming import Replace, Sentence
from holdfast.edge import encode
from holdfast.errors import Invalid
from holdfast.http import Ask, Doors, Problem, own_or_staff
from holdfast.log import log
from holdfast.transport import ABORT, ENDING

PATIENCE = 10.0  # seconds for one event with somebody who does not read

TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
NAMES = {Sentence: b"sentence", Replace: b"replace", Spoken: b"done"}

Event = Sentence | Replace | Spoken

doors = Doors("/api/v1/chat", tag="Chat")


@doors.post("/{user_id}/stream/", who=own_or_staff("User not found"), body=NewMessage, answers={200: None, 400: Problem, 404: Problem})
async def stream_answer(ask: Ask, message: NewMessage) -> Response:
    """Write to the companion and read its answer as server-sent events: `sentence`, `replace` (clear what was shown) and at last `done`."""
    if not (text := message.plain()):
        raise Invalid("Message text is required")
    making = Making(service.stream(ask.db, ask.state.companion, ask.user_id, text, own=ask.actor.id == ask.user_id))
    return Stream(ask, making, await making.next())


class Making:
    """An answer that is made in a task of its own, however slowly it is read: the history gets the whole, and nobody else waits for the model."""

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self._ready: asyncio.Queue[Event | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._make(events))

    async def next(self) -> Event | None:
        """None at the end. Raises what the answer was refused with or broke by."""
        if (event := await self._ready.get()) is None:
            await self._task
        return event

    def cancel(self) -> None:
        """Of no effect on an answer that has come to its end."""
        self._task.cancel()

    async def _make(self, events: AsyncIterator[Event]) -> None:
        try:
            async for event in events:
                self._ready.put_nowait(event)
        finally:
            self._ready.put_nowait(None)


class Stream(Response):
    """Lasts until the answer is made and kept, also when nobody reads any more: a server that stops waits for it as for any request."""

    def __init__(self, ask: Ask, making: Making, first: Event | None) -> None:
        self.status_code, self.media_type, self.background = 200, TYPE, None
        origin = ask.header(b"origin")
        listed = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"} if origin and origin in ask.settings.origins else {}
        self.init_headers({**HEADERS, **listed})
        self._ask, self._making, self._first = ask, making, first

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._send, self._abort = send, scope["extensions"][ABORT]
        try:
            if not await self._told():
                await scope["extensions"][ENDING].wait()  # else uvicorn would take it for a fault of ours
        finally:
            self._making.cancel()

    async def _told(self) -> bool:
        """Whether it was read. To somebody who has gone uvicorn sends nothing, and does not say so."""
        reads = await self._put({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for part in self._parts():
            reads = reads and await self._put({"type": "http.response.body", "body": part, "more_body": True})
        return reads and await self._put({"type": "http.response.body", "body": b""})

    async def _put(self, message: dict[str, Any]) -> bool:
        """False for somebody who does not read, who is cut off."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._send(message)
        except TimeoutError:
            self._abort()
            return False
        return True

    async def _parts(self) -> AsyncIterator[bytes]:
        """Without `done` when something fails; the client then reads the history."""
        event = self._first
        try:
            while event:
                yield b"event: %b\ndata: %b\n\n" % (NAMES[type(event)], encode(event))
                event = await self._making.next()
        except Exception as error:
            broken = "stream_broken" if self._ask.db.down(error) else "bug"
            log.error(broken, request_id=self._ask.request_id, exc_info=error)
