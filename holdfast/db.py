"""The one interface over SQLite and PostgreSQL; nothing above it knows which of the two is there."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, get_args, get_type_hints

import msgspec

from holdfast.errors import Unavailable

if TYPE_CHECKING:
    from holdfast.settings import Settings

T = TypeVar("T", bound=msgspec.Struct)

PATIENCE = 5.0  # seconds that a writer waits for its turn; alarm.md section 1 rule 2: after that an honest 503

_writing: ContextVar[bool] = ContextVar("writing", default=False)


class Sql(NamedTuple):
    """The few statements that differ per engine, side by side."""

    sqlite: str
    postgres: str


Statement = str | Sql


class Tx(Protocol):
    """Statements with `:named` parameters. A column's name is the name of the Struct's field."""

    async def one(self, sql: Statement, into: type[T], **values: object) -> T | None: ...

    async def all(self, sql: Statement, into: type[T], **values: object) -> list[T]: ...

    async def value(self, sql: Statement, **values: object) -> Any:
        """The first column of the first row; None without a row."""

    async def row(self, sql: Statement, **values: object) -> Any:
        """The first row as the engine gives it, its columns by name or by place, for more than one Struct: see `shaped`. None without a row."""

    async def run(self, sql: Statement, **values: object) -> int:
        """How many rows it changed."""

    def after_commit(self, act: Callable[[], None]) -> None:
        """Hints and wake-ups: called once the rows can be read by everybody, never after a rollback."""


class Database(Protocol):
    sharing: int  # how many acts that wait should share one commit; 1 where commits go side by side

    def read(self, *, alarm: bool = False) -> AbstractAsyncContextManager[Tx]:
        """Each statement sees its own snapshot, as new as it can be. Raises Unavailable after PATIENCE."""

    def write(self, *, alarm: bool = False) -> AbstractAsyncContextManager[Tx]:
        """One transaction, durable when the block has been left. `alarm` goes before everybody who waits. Raises Unavailable after PATIENCE."""

    def down(self, error: BaseException) -> bool:
        """Whether the error means that the database cannot be reached or written now, and not that a statement is wrong."""

    async def version(self) -> str | None:
        """The migration that the schema is at; None for an empty database."""

    async def close(self) -> None: ...


async def open_database(settings: Settings) -> Database:
    if settings.postgres:
        from holdfast.postgres import open_postgres

        return await open_postgres(settings.database_url)
    from holdfast.sqlite import SqliteDatabase

    return SqliteDatabase(settings.data_dir / "holdfast.sqlite3")


def refuse_inside_transaction() -> None:
    """Called by everything that leaves the process: a slow provider must never hold the database. Raises RuntimeError."""
    if _writing.get():
        raise RuntimeError("a network call inside a transaction")


class writing:
    """The stretch of a task that `refuse_inside_transaction` forbids network calls in."""

    def __enter__(self) -> None:
        self._mark = _writing.set(True)

    def __exit__(self, *_: object) -> None:
        _writing.reset(self._mark)


def shaped(row: Any, into: type[T], sql: Statement) -> T:
    """Takes the columns of `sql`'s row that `into` names and leaves the others. SQLite keeps truth as 0 and 1."""
    places, truths = _places.get((sql, into)) or _find_places(row, into, sql)
    values = [row[place] for place in places]
    for truth in truths:
        if values[truth] is not None:
            values[truth] = bool(values[truth])
    return into(*values)


# Where the fields of a Struct stand in the rows of a statement: a name costs SQLite a search in each row.
_places: dict[tuple[Statement, type[msgspec.Struct]], tuple[list[int], list[int]]] = {}


def _find_places(row: Any, into: type[msgspec.Struct], sql: Statement) -> tuple[list[int], list[int]]:
    hints, columns = get_type_hints(into), list(row.keys())
    names = into.__struct_fields__
    truths = [place for place, name in enumerate(names) if hints[name] is bool or bool in get_args(hints[name])]
    _places[sql, into] = [columns.index(name) for name in names], truths
    return _places[sql, into]


class Lanes:
    """A gate with two lanes, each first come, first served; whoever waits in the alarm lane goes before all others."""

    def __init__(self, permits: int) -> None:
        self._free = permits
        self._alarms: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    async def enter(self, alarm: bool) -> None:
        """Every `enter` that returns must be answered by one `leave`. Raises Unavailable after PATIENCE."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(self._alarms if alarm else self._others)

    async def _wait(self, lane: deque[asyncio.Future[None]]) -> None:
        loop = asyncio.get_running_loop()
        place = loop.create_future()
        lane.append(place)
        patience = loop.call_later(PATIENCE, _give_up, place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and not place.exception():
                self.leave()
            raise
        finally:
            patience.cancel()

    def leave(self) -> None:
        for lane in (self._alarms, self._others):
            while lane:
                place = lane.popleft()
                if not place.done():
                    place.set_result(None)
                    return
        self._free += 1


def _give_up(place: asyncio.Future[None]) -> None:
    if not place.done():
        place.set_exception(Unavailable())
