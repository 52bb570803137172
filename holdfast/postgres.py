"""PostgreSQL behind the interface: asyncpg connections behind a gate with two lanes."""

import functools
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from holdfast.db import PATIENCE, Lanes, Sql, Statement, T, shaped, writing

CONNECTIONS = 10  # per process; PostgreSQL's own default allows 100 in all
RESERVED = 2  # of them for alarms alone, which may use all: no crowd of others can hold every connection
ABANDONED = "15s"  # after which the server ends a transaction whose client is silent: a host that died must not keep an alarm locked
STATEMENTS = 512  # prepared statements that a connection keeps

_DOWN = (
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    OSError,
    TimeoutError,
)


class PostgresTx:
    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._after: list[Callable[[], None]] = []

    async def one(self, sql: Statement, into: type[T], **values: object) -> T | None:
        row = await self.row(sql, **values)
        return None if row is None else shaped(row, into, sql)

    async def all(self, sql: Statement, into: type[T], **values: object) -> list[T]:
        text, names = numbered(sql)
        return [shaped(row, into, sql) for row in await self.connection.fetch(text, *[values[name] for name in names])]

    async def value(self, sql: Statement, **values: object) -> Any:
        row = await self.row(sql, **values)
        return None if row is None else row[0]

    async def row(self, sql: Statement, **values: object) -> Any:
        text, names = numbered(sql)
        return await self.connection.fetchrow(text, *[values[name] for name in names])

    async def run(self, sql: Statement, **values: object) -> int:
        text, names = numbered(sql)
        done = await self.connection.execute(text, *[values[name] for name in names])
        return int(done.rpartition(" ")[2])

    def after_commit(self, act: Callable[[], None]) -> None:
        self._after.append(act)

    def committed(self) -> None:
        for act in self._after:
            act()


class Connections:
    """Connections that nobody uses now. There are as many turns as connections may be, so nobody ever waits here: Lanes do the waiting."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[Any] = []

    async def take(self) -> Any:
        """One that lives: what was closed meanwhile, by a restart of the server for instance, is replaced. Raises OSError or PostgresError."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        limits = {"timeout": PATIENCE, "command_timeout": PATIENCE, "statement_cache_size": STATEMENTS}
        return await asyncpg.connect(self._url, server_settings={"idle_in_transaction_session_timeout": ABANDONED}, **limits)

    def give_back(self, connection: Any) -> None:
        if connection.is_closed():
            return
        if connection.is_in_transaction():  # whoever held it was ended in the middle of a rollback
            connection.terminate()
        else:
            self._idle.append(connection)

    async def close(self) -> None:
        for connection in self._idle:
            await connection.close(timeout=PATIENCE)


class Borrowed:
    """A connection while its turn lasts."""

    def __init__(self, connections: Connections, gates: tuple[Lanes, ...], alarm: bool) -> None:
        self._connections, self._gates, self._alarm = connections, gates, alarm
        self._entered = 0

    async def __aenter__(self) -> PostgresTx:
        try:
            for gate in self._gates:
                await gate.enter(self._alarm)
                self._entered += 1
            self._connection = await self._connections.take()
        except BaseException:
            self._leave()
            raise
        return PostgresTx(self._connection)

    async def __aexit__(self, *_: object) -> None:
        self._connections.give_back(self._connection)
        self._leave()

    def _leave(self) -> None:
        for gate in self._gates[: self._entered]:
            gate.leave()


class PostgresDatabase:
    sharing = 1

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        turns, crowd = Lanes(CONNECTIONS), Lanes(CONNECTIONS - RESERVED)
        self._gates = {True: (turns,), False: (crowd, turns)}

    def read(self, *, alarm: bool = False) -> Borrowed:
        return Borrowed(self._connections, self._gates[alarm], alarm)

    @asynccontextmanager
    async def write(self, *, alarm: bool = False) -> AsyncIterator[PostgresTx]:
        async with self.read(alarm=alarm) as tx, tx.connection.transaction():
            with writing():
                yield tx
        tx.committed()

    def down(self, error: BaseException) -> bool:
        """asyncpg raises InterfaceError for a lost connection, but also for a wrong argument, then as a ValueError too."""
        lost = isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError)
        return lost or isinstance(error, _DOWN)

    async def version(self) -> str | None:
        async with self.read() as tx:
            if not await tx.value("select to_regclass('alembic_version')::text"):
                return None
            return await tx.value("select version_num from alembic_version")

    async def close(self) -> None:
        await self._connections.close()


async def open_postgres(url: str) -> PostgresDatabase:
    """Raises ConnectionError when the server answers but does not let us in, OSError when it does not answer."""
    connections = Connections(url)
    try:
        connections.give_back(await connections.take())
    except asyncpg.PostgresError as refused:
        raise ConnectionError(type(refused).__name__) from None
    return PostgresDatabase(connections)


@functools.cache
def numbered(sql: Statement) -> tuple[str, tuple[str, ...]]:
    """`:name` becomes `$n`, and a name used twice keeps its number; `::type` is left alone."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    text = re.sub(r"(?<![:\w]):([a-z_]\w*)", number, sql.postgres if isinstance(sql, Sql) else sql)
    return text, tuple(names)
