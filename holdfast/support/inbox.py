"""An inbox holds what one socket has sent and is not saved yet: one message in work, the others in turn.

Nobody is cut off for typing fast, and there is no fixed rate: a flood slows its sender alone (support-chat.md, section 7).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from holdfast.realtime.line import FLOOD, TOKEN_ENDED, Line
from holdfast.support import frames
from holdfast.support.frames import Refused
from holdfast.support.schemas import Said, wire

WAITING = 100  # messages
ERRORS = 5  # a second: what a client is told about its bad frames
MACHINE, MACHINE_SPAN = 1_000, 10.0  # refused frames within seconds: no human hand


class Inbox:
    """`save` stores and publishes one message; what it raises as Refused goes back to the sender."""

    __slots__ = ("_errors", "_line", "_refused", "_room", "_save", "_waiting", "_work")

    def __init__(self, room: int | None, line: Line, save: Callable[[Said], Awaitable[None]]) -> None:
        self._room, self._line, self._save = room, line, save
        self._waiting: deque[Said] = deque()
        self._work: asyncio.Task[None] | None = None
        self._errors, self._refused = _Meter(1.0), _Meter(MACHINE_SPAN)

    async def take(self, frame: Mapping[str, Any]) -> None:
        """Refuses what is no message, and what is one too many. Only a refusal lets others go first."""
        try:
            said = frames.read(frame, self._room)
            if len(self._waiting) >= WAITING:
                raise Refused("slow_down", said.client_msg_id, retry_after=1)
        except Refused as refused:
            self._refuse(refused)
            await asyncio.sleep(0)  # a flood at line speed must not hold the loop
            return
        if self._work is None:
            self._work = asyncio.create_task(self._save_each(said))
        else:
            self._waiting.append(said)

    async def finish(self) -> None:
        """Who says something and leaves at once has said it; who may no longer speak has not."""
        if self._line.code == TOKEN_ENDED:
            self._waiting.clear()
        if self._work:
            await self._work

    async def _save_each(self, first: Said) -> None:
        try:
            await self._save_one(first)
            while self._waiting and self._line.code != TOKEN_ENDED:
                await self._save_one(self._waiting.popleft())
        finally:
            self._work = None

    async def _save_one(self, said: Said) -> None:
        try:
            await self._save(said)
        except Refused as refused:
            self._line.say(wire(refused.event))

    def _refuse(self, refused: Refused) -> None:
        if self._refused.count() > MACHINE:
            self._line.end(FLOOD)
        elif refused.event.code == "slow_down" or self._errors.count() <= ERRORS:
            self._line.say(wire(refused.event))


class _Meter:
    """Counts within a span of seconds, then begins again."""

    __slots__ = ("_began", "_count", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds, self._began, self._count = seconds, 0.0, 0

    def count(self) -> int:
        now = asyncio.get_running_loop().time()
        if now - self._began >= self._seconds:
            self._began, self._count = now, 0
        self._count += 1
        return self._count
