"""The server process: checks that it may start, brings SQLite to its schema, and runs uvicorn."""

import asyncio
import signal
from contextlib import nullcontext
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

import click

from holdfast.beside import WatchdogBeside
from holdfast.db import open_database
from holdfast.migrate import copy_first, migrate_sqlite, newest
from holdfast.settings import UNREACHABLE, Refused, Settings

if TYPE_CHECKING:
    import uvicorn

FRAME = 64 * 1024  # bytes; 4,000 Cyrillic letters escaped in JSON need 24 KB
PING = 20.0  # seconds between pings, and for the answer: half-open sockets end within 45 s
STOP = 20  # seconds for requests in flight
BACKLOG = 4096

ONE_PROCESS = (
    "More than one worker process needs PostgreSQL and Redis, and this version does not carry chat messages between processes yet. "
    "Start one worker process; `holdfast worker` may run beside it."
)

WELCOME = """Holdfast answers at {address}
  API         {address}/api/v1/
  reference   {address}/docs/
  health      {address}/healthz
First staff account: .venv/bin/holdfast createadmin --username NAME --email ADDRESS --password-stdin
Is everything set up? .venv/bin/holdfast doctor"""


def run(settings: Settings, *, host: str, port: int, workers: int, watchdog: bool = True) -> None:
    """Returns after SIGTERM or SIGINT, when everything in flight has been finished. Raises Refused."""
    if workers != 1:
        raise Refused(ONE_PROCESS if settings.postgres else "SQLite has one writer. " + ONE_PROCESS)
    migration = begin_migration(settings)
    config = configuration(settings, host=host, port=port)
    if migration:
        migration.join()
        if migration.exitcode:
            raise Refused("The database could not be brought to this version; a copy of it as it was lies beside it.")
    address = settings.public_url.rstrip("/") or f"http://{host}:{port}"
    click.echo(WELCOME.format(address=address))
    with WatchdogBeside() if watchdog else nullcontext():
        _serve(config)


def configuration(settings: Settings, *, host: str, port: int) -> "uvicorn.Config":
    """Imports the application: while a migration runs, when one is due."""
    import uvicorn

    from holdfast.app import create_app

    return uvicorn.Config(
        create_app(settings),
        host=host,
        port=port,
        loop="uvloop",
        http="holdfast.transport:Http",
        ws="holdfast.realtime.protocol:SocketProtocol",
        ws_max_size=FRAME,
        ws_ping_interval=PING,
        ws_ping_timeout=PING,
        ws_per_message_deflate=False,
        interface="asgi3",
        lifespan="on",
        backlog=BACKLOG,
        access_log=False,
        server_header=False,
        log_config=None,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=STOP,
    )


def begin_migration(settings: Settings) -> BaseProcess | None:
    """SQLite is brought to the newest schema after a copy; PostgreSQL is never changed by a server that starts. Raises Refused.

    A process of its own: what a migration imports would stay in this one's memory for good.
    """
    try:
        version = asyncio.run(_version(settings))
    except (OSError, TimeoutError):
        raise Refused(UNREACHABLE) from None
    if version == newest():
        return None
    if settings.postgres:
        raise Refused(f"The database is at version {version or 'none'}, this program needs {newest()}. Run: holdfast migrate")
    path = settings.data_dir / "holdfast.sqlite3"
    copy_first(path, version)
    migration = get_context("fork").Process(target=migrate_sqlite, args=(path,))
    migration.start()
    return migration


def _serve(config: "uvicorn.Config") -> None:
    import uvicorn

    for stop in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them once more when it has finished; a graceful stop is a success
        signal.signal(stop, lambda *_: None)
    uvicorn.Server(config).run()


async def _version(settings: Settings) -> str | None:
    db = await open_database(settings)
    try:
        return await db.version()
    finally:
        await db.close()
