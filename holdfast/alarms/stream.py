"""The live state of an alarm as server-sent events, for clients that keep no socket open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.responses import Response

from holdfast.alarms import live
from holdfast.alarms.routes import PLACE, watcher
from holdfast.alarms.schemas import AlarmView
from holdfast.edge import encode
from holdfast.errors import Refusal
from holdfast.http import Ask, Doors, Problem
from holdfast.log import log
from holdfast.realtime.seats import Seats
from holdfast.transport import ABORT, ENDING

POLL = 0.5  # seconds between two looks at the version; alarm.md section 14 allows 1 until it is shown
ANEW = 5.0  # seconds after which all is read again: the line changes by time alone too
HEARTBEAT = 15.0  # seconds; the token is asked for as often
PATIENCE = 10.0  # seconds for one event with somebody who does not read

TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Connection": "close"}
HELLO, STILL_THERE = b"retry: 1000\n\n", b": still there\n\n"

doors = Doors(PLACE, tag="Event", alarm=True)


class OnlyAStream(Refusal):
    """This is a stream of events: ask for it with the header Accept: text/event-stream."""

    status = 406


class Streams:
    """The open streams of this process: five for each person and alarm, and the newest wins."""

    def __init__(self, live: Callable[[int], Awaitable[bool]]) -> None:
        """`live` tells whether a token still is."""
        self.live = live
        self.seats: Seats[Stream] = Seats()


@doors.get("/{alarm_id}/stream/", who=watcher, target=live.OF_ALARM, answers={200: None, 404: Problem, 406: Problem})
async def stream_alarm(ask: Ask) -> Response:
    """The live state as server-sent events named `alarm`, now and within a second of every change, until the alarm has ended."""
    if TYPE not in (ask.header(b"accept") or ""):
        raise OnlyAStream
    return Stream(ask)


class Stream(Response):
    """Holds no transaction while it waits, and nothing but its last event: what a slow reader missed is in the next one."""

    def __init__(self, ask: Ask) -> None:
        self.status_code, self.media_type, self.background = 200, TYPE, None
        origin = ask.header(b"origin")
        listed = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"} if origin and origin in ask.settings.origins else {}
        self.init_headers({**HEADERS, **listed})
        self._ask, self._streams = ask, ask.state.streams
        self._text = b""
        self._version = self._anew_at = self._said_at = 0.0
        self._time = asyncio.get_running_loop().time

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._send, self._abort, self._ending = send, scope["extensions"][ABORT], scope["extensions"][ENDING]
        seat = (self._ask.actor.id, self._ask.target.id)
        for surplus in self._streams.seats.take(self, *seat):
            surplus.end()
        try:
            await self._live()
        finally:
            self._streams.seats.leave(self, *seat)

    def end(self) -> None:
        self._ending.set()

    async def _live(self) -> None:
        try:
            await self._put({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for part in self._parts():
                await self._put({"type": "http.response.body", "body": part, "more_body": True})
            await self._put({"type": "http.response.body", "body": b""})
        except TimeoutError:
            self._abort()
            await self._ending.wait()  # else uvicorn would take it for a fault of ours

    async def _put(self, message: dict[str, Any]) -> None:
        """Raises TimeoutError for somebody who does not read."""
        async with asyncio.timeout(PATIENCE):
            await self._send(message)

    async def _parts(self) -> AsyncIterator[bytes]:
        """When something fails the stream ends, and the client comes again."""
        yield HELLO
        try:
            async for part in self._events():
                yield part
        except Refusal:
            return
        except Exception as error:
            event = "stream_broken" if self._ask.db.down(error) else "bug"
            log.error(event, request_id=self._ask.request_id, alarm_id=self._ask.target.id, exc_info=error)

    async def _events(self) -> AsyncIterator[bytes]:
        self._said_at = self._time()
        ended = False
        while not ended:
            view = await self._look()
            if view and (text := encode(view)) != self._text:
                self._text = text
                yield b"event: alarm\nid: %d\ndata: %b\n\n" % (view.version, text)
            ended = view is not None and view.state == "closed"
            if not ended and self._time() >= self._said_at + HEARTBEAT:
                self._said_at = self._time()
                ended = not await self._streams.live(self._ask.actor.token_id)
                yield STILL_THERE
            ended = ended or await self._is_ending()

    async def _look(self) -> AlarmView | None:
        """None when all is as it was."""
        async with self._ask.db.read(alarm=True) as tx:
            row = await live.again(tx, self._ask.target.id) or self._ask.target
            version = await live.version(tx, row)
            if version == self._version and self._time() < self._anew_at:
                return None
            self._version, self._anew_at = version, self._time() + ANEW
            return await live.view(tx, row, self._ask.state.means)

    async def _is_ending(self) -> bool:
        """Waits for the time of one look."""
        try:
            async with asyncio.timeout(POLL):
                await self._ending.wait()
        except TimeoutError:
            return False
        return True
