"""Named people as signed-in clients of a real server on a real database, on each engine that is there."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx2
import pytest
import uvicorn
from msgspec import structs

from holdfast import log
from holdfast.accounts import service as accounts
from holdfast.accounts.passwords import Passwords
from holdfast.app import Holdfast
from holdfast.clock import SECOND
from holdfast.db import Database, open_database
from holdfast.migrate import migrate
from holdfast.profiles import service as profiles
from holdfast.server import configuration
from holdfast.settings import Settings

PASSWORD = "a quiet green harbour"
PEOPLE = {"maya": False, "sam": False, "olive": True}  # name, staff; ids 1, 2, 3
PG = "postgresql://{user}@{host}:{port}/".format(
    user=os.environ.get("PGUSER", "postgres"), host=os.environ.get("PGHOST", "127.0.0.1"), port=os.environ.get("PGPORT", "5432")
)
NAME = f"holdfast_test_{os.getpid()}"


def postgres_is_there() -> bool:
    if os.environ.get("HOLDFAST_TEST_POSTGRES") == "off":
        return False

    async def ask() -> bool:
        with contextlib.suppress(OSError, asyncpg.PostgresError, TimeoutError):
            await (await asyncpg.connect(PG + "postgres", timeout=3)).close()
            return True
        return False

    return asyncio.run(ask())


POSTGRES = postgres_is_there()
ENGINES = ["sqlite", pytest.param("postgres", marks=pytest.mark.skipif(not POSTGRES, reason="PostgreSQL is not there or switched off"))]


class Answer(NamedTuple):
    status: int
    json: Any
    headers: httpx2.Headers
    content: bytes


class Person:
    """Somebody with a device: speaks HTTP under /api/v1, with a token unless it is None."""

    def __init__(self, client: httpx2.AsyncClient, id: int, name: str, token: str | None) -> None:
        self.client, self.id, self.name, self.token = client, id, name, token

    async def ask(self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, **more: Any) -> Answer:
        given = {"Authorization": f"Token {self.token}"} if self.token else {}
        content = {"json": body} if body is not None else {}
        place = path if path.startswith(("/healthz", "/readyz", "/openapi", "/docs", "/music/")) else "/api/v1" + path
        answer = await self.client.request(method, place, headers=given | (headers or {}), **content, **more)
        is_json = answer.headers.get("content-type", "") == "application/json" and answer.content
        return Answer(answer.status_code, answer.json() if is_json else None, answer.headers, answer.content)

    async def get(self, path: str, **more: Any) -> Answer:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.ask("POST", path, body, **more)

    async def put(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.ask("PUT", path, body, **more)

    async def patch(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.ask("PATCH", path, body, **more)


class Server(NamedTuple):
    address: str  # 127.0.0.1:port
    app: Holdfast

    @property
    def db(self) -> Database:
        return self.app.state.db

    async def turn_clock(self, seconds: float) -> None:
        """Moves the database's own clock, the only one that counts."""
        clock = getattr(self.db, "clock", None)
        if clock:
            clock.turn(int(seconds * SECOND))
            return
        async with self.db.write() as tx:
            offset = await tx.value("select holdfast_now() - (extract(epoch from clock_timestamp()) * 1000000)::bigint")
            ahead = round(offset / SECOND) + seconds
            await tx.value(
                "create or replace function holdfast_now() returns bigint language sql volatile as "
                f"$$ select ((extract(epoch from clock_timestamp()) + {ahead}) * 1000000)::bigint $$"
            )


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def quiet_log() -> None:
    log.configure("error")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


class Template(NamedTuple):
    settings: Settings
    tokens: dict[str, str]


async def populate(settings: Settings) -> Template:
    """Three people with one password, each signed in once."""
    await migrate(settings)
    db = await open_database(settings)
    password_hash = await Passwords().hash(PASSWORD)
    tokens = {}
    async with db.write() as tx:
        for name, is_staff in PEOPLE.items():
            user_id = await accounts.register(tx, username=name, email=f"{name}@example.org", password_hash=password_hash, is_staff=is_staff)
            await profiles.begin(tx, user_id)
            tokens[name] = await accounts.issue(tx, user_id, "o" if is_staff else "u")
    await db.close()
    return Template(settings, tokens)


async def administer(database: str, *statements: str) -> None:
    connection = await asyncpg.connect(PG + database)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return asyncio.run(populate(Settings(data_dir=tmp_path_factory.mktemp("template"))))


# Copies of the rows as they were before the first test, beside the tables.
KEEP = """
create schema kept;
do $$ declare t text; begin
  for t in select tablename from pg_tables where schemaname = 'public' and tablename <> 'alembic_version' loop
    execute format('create table kept.%I as table public.%I', t, t);
  end loop;
end $$"""

# Much faster than a database of its own for each test: no file is made, no disk is waited for.
RESTORE = """
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid();
set session_replication_role = replica;
do $$ declare t text; s text; begin
  for t in select tablename from pg_tables where schemaname = 'kept' loop
    execute format('delete from public.%I', t);
    execute format('insert into public.%I select * from kept.%I', t, t);
    if exists (select 1 from information_schema.columns where table_schema = 'public' and table_name = t and is_identity = 'YES') then
      s := pg_get_serial_sequence('public.' || t, 'id');
      execute format('select setval(%L, (select coalesce(max(id), 0) + 1 from public.%I), false)', s, t);
    end if;
  end loop;
end $$;
create or replace function holdfast_now() returns bigint language sql volatile as
  $$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint $$"""


@pytest.fixture(scope="session")
def postgres_template() -> Any:
    asyncio.run(administer("postgres", f"create database {NAME}", f"alter database {NAME} set synchronous_commit = off"))
    template = asyncio.run(populate(Settings(database_url=PG + NAME)))
    asyncio.run(administer(NAME, KEEP))
    yield template
    asyncio.run(administer("postgres", f"drop database {NAME} with (force)"))


@pytest.fixture
def template(engine: str, request: pytest.FixtureRequest) -> Template:
    return request.getfixturevalue(f"{engine}_template")


@pytest.fixture
async def fresh(engine: str, template: Template, tmp_path: Path) -> AsyncIterator[Template]:
    """A database as if of its own for one test."""
    if engine == "sqlite":
        shutil.copy(template.settings.data_dir / "holdfast.sqlite3", tmp_path / "holdfast.sqlite3")
        yield Template(Settings(data_dir=tmp_path), template.tokens)
        return
    await administer(NAME, RESTORE)
    yield template


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Server]:
    """The real server in this process, without uvicorn's pauses at the end."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio forgets it for such a socket: 40 ms an answer
    config = configuration(settings, host="127.0.0.1", port=0)
    config.loop = "none"
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listening])
    assert server.started
    app = config.app
    assert isinstance(app, Holdfast)
    try:
        yield Server(f"127.0.0.1:{listening.getsockname()[1]}", app)
    finally:
        for one in server.servers:
            one.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        tasks = list(server.server_state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        await server.lifespan.shutdown()


@pytest.fixture(name="serving")
def serving_by_hand() -> Any:
    """For a test that starts its servers itself."""
    return serving


@pytest.fixture
def settings() -> dict[str, Any]:
    """What a test module overrides to serve with other settings."""
    return {}


@pytest.fixture
async def server(fresh: Template, settings: dict[str, Any]) -> AsyncIterator[Server]:
    async with serving(structs.replace(fresh.settings, **settings)) as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.AsyncHTTPTransport(verify=False)
    async with httpx2.AsyncClient(base_url=f"http://{server.address}", transport=transport, timeout=30) as client:
        yield client


def signed_in(name: str) -> Callable[..., Any]:
    @pytest.fixture(name=name)
    async def person(client: httpx2.AsyncClient, fresh: Template) -> Person:
        return Person(client, list(PEOPLE).index(name) + 1, name, fresh.tokens[name])

    return person


maya, sam, olive = (signed_in(name) for name in PEOPLE)


@pytest.fixture
async def nobody(client: httpx2.AsyncClient) -> Person:
    """A stranger without a token."""
    return Person(client, 0, "nobody", None)
