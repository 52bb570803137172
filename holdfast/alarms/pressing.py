"""Presses that come together are recorded together where each commit waits for the disk by itself (SQLite): one alarm's wait serves many."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from holdfast.alarms import service
from holdfast.alarms.schemas import Means
from holdfast.alarms.service import Press, Pressed
from holdfast.db import Database
from holdfast.errors import Unavailable

TOGETHER = 16  # in one commit: each takes about 3 ms of the loop


class _Waiting(NamedTuple):
    press: Press
    recorded: asyncio.Future[Pressed]


class Presses:
    def __init__(self, db: Database, means: Means) -> None:
        self._db, self._means = db, means
        self._waiting: deque[_Waiting] = deque()
        self._work: asyncio.Task[None] | None = None

    async def record(self, press: Press) -> Pressed:
        """Durable when it returns. Raises what `service.trigger` and the database raise."""
        if self._db.sharing == 1:
            return await self._record_alone(press)
        waiting = _Waiting(press, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._work is None:
            self._work = asyncio.create_task(self._record_waiting())
        return await waiting.recorded

    async def _record_waiting(self) -> None:
        try:
            while self._waiting:
                await self._record_together()
        finally:
            self._work = None

    async def _record_together(self) -> None:
        """What is wrong with one takes none of the others with it: then each is recorded by itself."""
        page: list[_Waiting] = []
        try:
            async with self._db.write(alarm=True) as tx:
                page = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
                rows = [await service.trigger(tx, one.press, self._means) for one in page]
        except Exception as error:
            if not page or isinstance(error, Unavailable) or self._db.down(error):
                self._refuse(page or self._waiting, error)
            else:
                for one in page:
                    await self._record_one(one)
        else:
            for one, row in zip(page, rows, strict=True):
                if not one.recorded.done():  # whoever waited for it may have gone
                    one.recorded.set_result(row)

    async def _record_one(self, one: _Waiting) -> None:
        try:
            row = await self._record_alone(one.press)
        except Exception as error:
            self._refuse([one], error)
        else:
            if not one.recorded.done():
                one.recorded.set_result(row)

    async def _record_alone(self, press: Press) -> Pressed:
        async with self._db.write(alarm=True) as tx:
            return await service.trigger(tx, press, self._means)

    def _refuse(self, those: Iterable[_Waiting], error: Exception) -> None:
        """The database cannot be had: nobody who waits for it gets a better answer later."""
        for one in list(those):
            if not one.recorded.done():
                one.recorded.set_exception(error)
        if those is self._waiting:
            self._waiting.clear()
