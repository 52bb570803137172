"""Looking into the database of a process from outside, and holding a process fast in the middle of a transaction."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from holdfast.settings import Settings

HELD = 0.3  # seconds for which nobody else gets SQLite's write lock: then somebody holds it and does not let go

# A trigger that never ends: the process is inside its transaction until it is killed.
ENDLESS = "create view endless as with recursive number (n) as (select 1 union all select n + 1 from number) select n from number"
TRAP = "create trigger trap before insert on alarm_audit when new.kind = '{kind}' begin select count(*) from endless; end"

WAITING = "select count(*) from pg_locks where not granted"


async def ask(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    """One statement of an own connection."""
    if not settings.postgres:
        with contextlib.closing(_sqlite(settings)) as connection:
            return connection.execute(sql).fetchall()
    connection = await asyncpg.connect(settings.database_url)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def value(settings: Settings, sql: str) -> Any:
    rows = await ask(settings, sql)
    return rows[0][0] if rows else None


async def count(settings: Settings, table: str, where: str = "true") -> int:
    return int(await value(settings, f"select count(*) from {table} where {where}"))


async def attempts(settings: Settings) -> list[str | None]:
    """The outcomes of all attempts, in their order."""
    return [row[0] for row in await ask(settings, "select outcome from delivery_attempt order by delivery_id, n")]


@asynccontextmanager
async def trap(settings: Settings, kind: str) -> AsyncIterator[Callable[[], Any]]:
    """Whoever writes such a row into an alarm's audit, as every act does at its end, gets no further, with its transaction open.

    Yields what waits until somebody is caught, who has to be killed within the block.
    """
    if settings.postgres:
        connection = await asyncpg.connect(settings.database_url)
        async with connection.transaction():
            await connection.execute("lock table alarm_audit in share mode")
            yield lambda: _caught_in_postgres(settings)
        await connection.close()
        while await value(settings, WAITING):  # noqa: ASYNC110 - of the server that outlives its client a little
            await asyncio.sleep(0.02)
        return
    await ask(settings, ENDLESS)
    await ask(settings, TRAP.format(kind=kind))
    try:
        yield lambda: _caught_in_sqlite(settings)
    finally:
        await ask(settings, "drop trigger trap")
        await ask(settings, "drop view endless")


@asynccontextmanager
async def unwritable(settings: Settings) -> AsyncIterator[None]:
    """Nobody can change a delivery."""
    if settings.postgres:
        connection = await asyncpg.connect(settings.database_url)
        async with connection.transaction():
            await connection.execute("select id from delivery for update")
            yield
        await connection.close()
        return
    with contextlib.closing(_sqlite(settings)) as connection:
        connection.execute("begin immediate")
        yield


async def _caught_in_postgres(settings: Settings) -> None:
    async with asyncio.timeout(60):
        while not await value(settings, WAITING):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


async def _caught_in_sqlite(settings: Settings) -> None:
    with contextlib.closing(_sqlite(settings, patience=0)) as connection:
        async with asyncio.timeout(60):
            free = time.monotonic()
            while time.monotonic() - free < HELD:
                with contextlib.suppress(sqlite3.OperationalError):
                    connection.execute("begin immediate")
                    connection.execute("rollback")
                    free = time.monotonic()
                await asyncio.sleep(0.02)


def _sqlite(settings: Settings, patience: float = 10) -> sqlite3.Connection:
    return sqlite3.connect(settings.data_dir / "holdfast.sqlite3", timeout=patience, isolation_level=None)
