"""The scribe writes down what is said, and publishes it once it is durable.

Where each commit waits for the disk by itself (SQLite), everything that is waiting by then shares one.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from holdfast.db import Database
from holdfast.http import Actor
from holdfast.support import service
from holdfast.support.schemas import Said, Stored
from holdfast.support.service import NoSuchUser, SaidBefore


class _Line(NamedTuple):
    actor: Actor
    said: Said
    written: asyncio.Future[Stored]


class Scribe:
    def __init__(self, db: Database, publish: Callable[[Stored], None]) -> None:
        self._db, self._publish = db, publish
        self._waiting: deque[_Line] = deque()
        self._work: asyncio.Task[None] | None = None

    async def write(self, actor: Actor, said: Said) -> Stored:
        """Raises NoSuchUser, SaidBefore, and what the database raises."""
        if self._db.sharing == 1:
            return await self._write_alone(actor, said)
        line = _Line(actor, said, asyncio.get_running_loop().create_future())
        self._waiting.append(line)
        if self._work is None:
            self._work = asyncio.create_task(self._write_waiting())
        return await line.written

    async def _write_waiting(self) -> None:
        try:
            while self._waiting:
                await self._write_together()
        finally:
            self._work = None

    async def _write_together(self) -> None:
        """One that cannot be written takes none of the others with it."""
        page: list[_Line] = []
        try:
            async with self._db.write() as tx:
                page = self._take(self._db.sharing)
                rows = [await service.say(tx, line.actor, line.said) for line in page]
                tx.after_commit(lambda: self._publish_all(rows))
        except (SaidBefore, NoSuchUser):
            for line in page:
                await self._write_one(line)
        except Exception as error:
            for line in page or self._take(len(self._waiting)):
                _refuse(line, error)
        else:
            for line, row in zip(page, rows, strict=True):
                _confirm(line, row)

    async def _write_one(self, line: _Line) -> None:
        try:
            _confirm(line, await self._write_alone(line.actor, line.said))
        except Exception as error:
            _refuse(line, error)

    async def _write_alone(self, actor: Actor, said: Said) -> Stored:
        async with self._db.write() as tx:
            row = await service.say(tx, actor, said)
            tx.after_commit(lambda: self._publish(row))
        return row

    def _take(self, most: int) -> list[_Line]:
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def _publish_all(self, rows: list[Stored]) -> None:
        for row in rows:
            self._publish(row)


def _confirm(line: _Line, row: Stored) -> None:
    if not line.written.done():  # whoever waited for it may have been cancelled
        line.written.set_result(row)


def _refuse(line: _Line, error: Exception) -> None:
    if not line.written.done():
        line.written.set_exception(error)
