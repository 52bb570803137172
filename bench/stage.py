"""What the benchmarks share: a seeded database on each engine, real server processes on free ports, and what they cost."""

import asyncio
import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import asyncpg

from holdfast.accounts import service as accounts
from holdfast.accounts.passwords import Passwords
from holdfast.alarms import scenarios
from holdfast.db import open_database
from holdfast.fields import Draft
from holdfast.migrate import migrate
from holdfast.profiles import service as profiles
from holdfast.profiles.schemas import ProfileChanges
from holdfast.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
FLOOR = Path(__file__).with_name("floor.py")
PEOPLE = 1_000  # enough for a statement that reads a whole table to show
PROFILE = {"age": 41, "location": "Lviv, by the old water tower", "military_status": True, "ptsd_level": 6}
PG = "postgresql://{}@{}:{}/".format(os.environ.get("PGUSER", "postgres"), os.environ.get("PGHOST", "127.0.0.1"), os.environ.get("PGPORT", "5432"))
START_PATIENCE = 20.0  # seconds


class Person(NamedTuple):
    id: int
    name: str
    token: str


class World(NamedTuple):
    """One seeded database on one engine; `people[0]` is staff."""

    engine: str
    folder: Path
    people: list[Person]

    def settings(self, name: str) -> Settings:
        """Where the copy called `name` is."""
        if self.engine == "sqlite":
            return Settings(data_dir=self.folder / name)
        return Settings(database_url=PG + f"holdfast_bench_{os.getpid()}_{name}")


class Server(NamedTuple):
    process: subprocess.Popen[bytes]
    port: int

    def cpu(self) -> float:
        """Seconds of user and system time of all its threads, from the kernel's clock of that process (Linux)."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def memory(self) -> dict[str, float]:
        """MB of resident and of proportional memory."""
        lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        return {line.split(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(("Rss:", "Pss:"))}


def engines() -> list[str]:
    """PostgreSQL is left out when it does not answer, and that is said."""
    try:
        asyncio.run(administer())
    except (OSError, asyncpg.PostgresError, TimeoutError):
        print("PostgreSQL does not answer (PGHOST, PGPORT, PGUSER): SQLite only.", file=sys.stderr)
        return ["sqlite"]
    return ["sqlite", "postgres"]


@contextlib.contextmanager
def world(engine: str, *copies: str):
    """A database with PEOPLE signed-in people and one member of staff, once for each of `copies`; all gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    made = World(engine, folder, [])
    seed = made.settings("seed")
    names = [made.settings(name).database_url.removeprefix(PG) for name in ("seed", *copies)]
    try:
        if engine == "postgres":
            asyncio.run(administer(f"create database {names[0]}"))
        made.people.extend(asyncio.run(populate(seed)))
        for copy, name in zip(copies, names[1:], strict=True):
            if engine == "postgres":
                asyncio.run(administer(f"create database {name} template {names[0]}"))
            else:
                shutil.copytree(seed.data_dir, made.settings(copy).data_dir)
        yield made
    finally:
        if engine == "postgres":
            asyncio.run(administer(*(f"drop database if exists {name} with (force)" for name in names)))
        shutil.rmtree(folder)


async def populate(settings: Settings) -> list[Person]:
    """Through the services, as people would, but with one password for all of them."""
    await migrate(settings)
    db = await open_database(settings)
    password_hash = await Passwords().hash("a quiet green harbour")
    people = []
    async with db.write() as tx:
        for number in range(PEOPLE + 1):
            name, is_staff = (f"person{number}", False) if number else ("olive", True)
            user_id = await accounts.register(tx, username=name, email=f"{name}@example.org", password_hash=password_hash, is_staff=is_staff)
            await profiles.begin(tx, user_id)
            await profiles.change(tx, user_id, Draft(ProfileChanges, PROFILE), scenario_exists=scenarios.exists)
            people.append(Person(user_id, name, await accounts.issue(tx, user_id, "o" if is_staff else "u")))
    await db.close()
    return people


async def administer(*statements: str) -> None:
    connection = await asyncpg.connect(PG + "postgres", timeout=3)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


@contextlib.contextmanager
def floor(settings: Settings, log: Path):
    where = ["--postgres", settings.database_url] if settings.postgres else ["--sqlite", str(settings.data_dir / "holdfast.sqlite3")]
    with running([sys.executable, str(FLOOR), *where], {}, log) as server:
        yield server


@contextlib.contextmanager
def ours(settings: Settings, log: Path, tree: Path = ROOT):
    """`holdfast serve` of the checkout at `tree`, with its access log on, into the file `log`."""
    command = [sys.executable, "-m", "holdfast", "serve"]
    environment = {"HOLDFAST_DATABASE_URL": settings.database_url, "HOLDFAST_DATA_DIR": str(settings.data_dir), "PYTHONPATH": str(tree)}
    with running(command, environment, log) as server:
        yield server


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str], log: Path):
    """The process, once it answers; it is ended by its id."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    with log.open("ab") as errors:
        process = subprocess.Popen(  # in the log's folder, so that no .env of the checkout counts
            [*command, "--port", str(port)], env=kept | environment, cwd=log.parent, stdout=errors, stderr=errors
        )
    try:
        until_it_answers(process, port, log)
        yield Server(process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def until_it_answers(process, port, log):
    """Raises RuntimeError with the log's end when the process does not come up."""
    deadline = time.monotonic() + START_PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.002)
        finally:
            connection.close()
    raise RuntimeError(f"no answer from {process.args}:\n" + log.read_text()[-2000:])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]
