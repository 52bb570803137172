"""A line is the outgoing side of one socket: what waits to be written, and the patience with somebody who does not read."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

QUEUE = 256  # events
QUEUE_SIZE = 1024 * 1024  # characters; support-chat.md section 7
WRITE_DEADLINE = 5.0  # seconds for one event
LAST_WORD = 1.0  # seconds for the close frame; a peer that does not read never takes it

TOKEN_ENDED, TRY_AGAIN, TOO_SLOW, REPLACED, FLOOD = 1008, 1013, 4008, 4009, 4429

# uvicorn raises OSError when the peer has gone, and RuntimeError when it has itself begun to close (frame too big, ping unanswered).
GONE = (OSError, RuntimeError)


class Event(NamedTuple):
    """Something with a place in a topic's order."""

    topic: int
    seq: int
    text: str  # as it goes out: encoded once, however many listen


class Line:
    """`written` is told of each event that the transport has taken."""

    __slots__ = ("_abort", "_closing", "_queue", "_send", "_size", "_writer", "_written", "code", "ended")

    def __init__(self, send: Callable[[Any], Awaitable[None]], abort: Callable[[], None], written: Callable[[Event], None]) -> None:
        self._send, self._abort, self._written = send, abort, written
        self._queue: deque[tuple[str, Event | None]] = deque()
        self._size = 0
        self._writer: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self.ended = False
        self.code: int | None = None  # with which this side ended it

    def say(self, text: str, event: Event | None = None) -> None:
        """Never waits. The line ends with TOO_SLOW when too much is waiting already: the database has everything, memory has a bound."""
        if self.ended:
            return
        if len(self._queue) >= QUEUE or self._size + len(text) > QUEUE_SIZE:
            self.end(TOO_SLOW)
            return
        self._queue.append((text, event))
        self._size += len(text)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def deliver(self, event: Event) -> None:
        """Waits until it is written: for a replay, which may be longer than the queue. Not beside `say`."""
        if not self.ended:
            await self._put(event.text, event)

    def end(self, code: int) -> None:
        """Closes with `code`; what is still waiting is dropped."""
        if self.ended:
            return
        self._stop()
        self.code = code
        self._closing = asyncio.create_task(self._close(code))

    async def finish(self) -> None:
        """The socket has gone: nothing more is written, and a close that was begun is brought to its end."""
        if not self.ended:
            self._stop()
        if self._closing:
            await self._closing

    async def _write(self) -> None:
        try:
            while self._queue:
                text, event = self._queue.popleft()
                self._size -= len(text)
                await self._put(text, event)
        finally:
            self._writer = None

    async def _put(self, text: str, event: Event | None) -> None:
        try:
            async with asyncio.timeout(WRITE_DEADLINE):
                await self._send({"type": "websocket.send", "text": text})
        except TimeoutError:
            self._writer = None
            self.end(TOO_SLOW)
        except GONE:
            self._writer = None
            self._stop()
        else:
            if event:
                self._written(event)

    def _stop(self) -> None:
        self.ended = True
        self._queue.clear()
        if self._writer:
            self._writer.cancel()

    async def _close(self, code: int) -> None:
        try:
            async with asyncio.timeout(LAST_WORD):
                await self._send({"type": "websocket.close", "code": code})
        except TimeoutError:
            self._abort()
        except GONE:
            return
        if code == TOO_SLOW:
            await asyncio.sleep(LAST_WORD)
            self._abort()
