"""SQLite behind the interface: reads in the event loop, one writer, COMMIT in a thread."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from holdfast.clock import Clock
from holdfast.db import PATIENCE, Lanes, Sql, Statement, T, shaped, writing
from holdfast.errors import Unavailable

BUSY_PAUSE = 0.01  # seconds between tries while another process holds the write lock
STATEMENTS = 512  # prepared statements that a connection keeps

_DOWN = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_READONLY")


class SqliteTx:
    """Both a transaction of the writer and, without BEGIN, the stateless reader."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._after: list[Callable[[], None]] = []

    async def __aenter__(self) -> "SqliteTx":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def one(self, sql: Statement, into: type[T], **values: object) -> T | None:
        row = await self.row(sql, **values)
        return None if row is None else shaped(row, into, sql)

    async def all(self, sql: Statement, into: type[T], **values: object) -> list[T]:
        return [shaped(row, into, sql) for row in self._execute(sql, values)]

    async def value(self, sql: Statement, **values: object) -> Any:
        row = await self.row(sql, **values)
        return None if row is None else row[0]

    async def row(self, sql: Statement, **values: object) -> Any:
        rows = self._execute(sql, values).fetchall()  # to the end: an open cursor would hold its snapshot
        return rows[0] if rows else None

    async def run(self, sql: Statement, **values: object) -> int:
        return self._execute(sql, values).rowcount

    def after_commit(self, act: Callable[[], None]) -> None:
        self._after.append(act)

    def committed(self) -> None:
        for act in self._after:
            act()

    def _execute(self, sql: Statement, values: dict[str, object]) -> sqlite3.Cursor:
        return self._connection.execute(sql.sqlite if isinstance(sql, Sql) else sql, values)


class SqliteDatabase:
    sharing = 64  # each commit waits for the disk; support-chat.md section 2

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self._writer = connect(path, self.clock)
        self._writer.execute("pragma busy_timeout = 0")  # see _begin
        self._reader = connect(path, self.clock)
        self._reader.execute("pragma query_only = on")
        self._read = SqliteTx(self._reader)
        self._lanes = Lanes(1)
        self._committer = ThreadPoolExecutor(1, "commit")
        self.clock.not_before(_newest_record(self._reader))

    def read(self, *, alarm: bool = False) -> SqliteTx:
        """Nobody waits to read, so there is no lane."""
        return self._read

    @asynccontextmanager
    async def write(self, *, alarm: bool = False) -> AsyncIterator[SqliteTx]:
        tx = SqliteTx(self._writer)
        await self._lanes.enter(alarm)
        try:
            await self._begin()
            with writing():
                yield tx
            await self._commit()
        finally:
            if self._writer.in_transaction:
                self._writer.rollback()
            self._lanes.leave()
        tx.committed()

    def down(self, error: BaseException) -> bool:
        return isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorname", "").startswith(_DOWN)

    async def version(self) -> str | None:
        if not self._reader.execute("select 1 from sqlite_master where name = 'alembic_version'").fetchone():
            return None
        row = self._reader.execute("select version_num from alembic_version").fetchone()
        return row and str(row[0])

    async def close(self) -> None:
        self._committer.shutdown()
        self._reader.close()
        self._writer.close()

    async def _begin(self) -> None:
        """Waits in the loop, not in SQLite: `busy_timeout` would stop every other request of the process."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._writer.execute("begin immediate")
                return
            except sqlite3.OperationalError as busy:
                if not self.down(busy) or time.monotonic() > deadline:
                    raise Unavailable from busy
                await asyncio.sleep(BUSY_PAUSE)

    async def _commit(self) -> None:
        """The disk is waited for in a thread. A cancelled caller still waits: nobody may use the connection until then."""
        done = asyncio.get_running_loop().run_in_executor(self._committer, self._writer.commit)
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])
            raise


def connect(path: Path, clock: Clock) -> sqlite3.Connection:
    """Only the owner may read the file: it holds what people say on their worst night."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS)
    connection.row_factory = sqlite3.Row
    connection.create_function("holdfast_now", 0, clock)
    for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on", "secure_delete = on"):
        connection.execute(f"pragma {pragma}")
    return connection


def _newest_record(connection: sqlite3.Connection) -> int:
    if not connection.execute("select 1 from sqlite_master where name = 'audit'").fetchone():
        return 0
    row = connection.execute("select at from audit order by id desc limit 1").fetchone()
    return row[0] if row else 0
