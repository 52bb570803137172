"""How fast an alarm is recorded while every provider is down, and how soon it gets out when they are there (alarm.md, section 19).

    python bench/alarm.py                                  each engine that is there, 200 presses a second for 60 s
    python bench/alarm.py --engine sqlite --seconds 20
    python bench/alarm.py --users 1000                     12,000 presses of 1,000 people: new alarms and repeats that fold

Presses come on time whatever the answers do, and each is measured from the moment at which it was due, so that a server that stalls cannot hide it.
Without --users every press is a new alarm. What the machine itself needs is measured in the same run, since figures of another hour say little.
"""

import argparse
import asyncio
import contextlib
import os
import re
import sqlite3
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import asyncpg
import drive
import httpx2
import stage
import uvloop

sys.path[:0] = [str(stage.ROOT / "tests"), str(stage.ROOT / "tests/faults")]

from crowd import Caller, crowd  # noqa: E402
from mailserver import MailServer, mail_server  # noqa: E402

from holdfast.settings import Settings  # noqa: E402

GATE, FIRST_GATE = 50.0, 1000.0  # ms, p99; alarm.md, section 19
CONNECTIONS = 256  # of the load; the next press waits for none of them
KEY = re.compile(r"/a/([0-9A-Za-z]{22})")


class Load(NamedTuple):
    took: list[float]  # ms from the moment at which the press was due
    statuses: Counter[str]
    late: int  # presses that found no free connection


def main() -> int:
    given = arguments()
    missed = []
    for engine in given.engine or stage.engines():
        with stage.world(engine, "down", "idle") as world:
            missed += measure_load(world, given)
            missed += measure_idle(world, given)
    print("\n".join(missed) or "Every gate is met.")
    return 1 if missed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", nargs="+", choices=["sqlite", "postgres"], help="default: each that is there")
    parser.add_argument("--rate", type=int, default=200, help="presses a second")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--users", type=int, default=0, help="who press in turn; default: somebody else each time")
    parser.add_argument("--alarms", type=int, default=100, help="on the idle queue, one after the other")
    parser.add_argument("--keep", type=Path, help="where the server's log of the load is kept")
    return parser.parse_args()


def measure_load(world: stage.World, given: argparse.Namespace) -> list[str]:
    settings, log = world.settings("down"), world.folder / "down.log"
    callers = asyncio.run(crowd(settings, given.users or given.rate * given.seconds))
    if settings.postgres:  # as autovacuum does within a minute; else all plans are those of empty tables
        asyncio.run(query(settings, "analyze"))
    nowhere = {"SMTP_URL": f"smtp://127.0.0.1:{stage.free_port()}", "SMS_URL": f"http://AC1:secret@127.0.0.1:{stage.free_port()}/Messages.json"}
    title = f"{world.engine}: {given.rate}/s for {given.seconds} s, {len(callers):,} people with 3 contacts x 2 channels, every provider down"
    with serving(settings, log, nowhere) as server:
        uvloop.run(press_all(server.port, callers[-50:], 50, 1))  # their first presses; what they press later folds, if they press at all
        with Machine(world.folder) as machine:
            cpu, began = server.cpu(), time.perf_counter()
            load = uvloop.run(press_all(server.port, callers[: -50 if not given.users else None], given.rate, given.seconds))
            cpu, took = server.cpu() - cpu, time.perf_counter() - began
    rows = asyncio.run(counts(settings))
    print(f"\n{title}")
    line("trigger, ms from when it was due", load.took)
    print(f"  answers {dict(load.statuses)}; without a free connection {load.late}; server's CPU {cpu / took:.0%} of a core; {rows}")
    machine.show()
    if given.keep:
        given.keep.write_bytes(log.read_bytes())
    slow = [f"{world.engine}: p99 of the trigger is {p(load.took, 99):.0f} ms, the gate is {GATE:.0f}"] if p(load.took, 99) > GATE else []
    return slow + ([f"{world.engine}: not every answer was 200: {dict(load.statuses)}"] if set(load.statuses) != {"200"} else [])


def measure_idle(world: stage.World, given: argparse.Namespace) -> list[str]:
    settings = world.settings("idle")
    callers = asyncio.run(crowd(settings, given.alarms, contacts=1, sms=False))
    first, answer, all_clear = uvloop.run(one_by_one(world, settings, callers))
    print(f"{world.engine}: {given.alarms} alarms one after the other, idle queue, a mail server that takes everything")
    line("commit to first attempt, ms", first)
    line("answer on a link to the live state, ms", answer)
    line("stop to first all-clear attempt, ms", all_clear)
    figures = {"first attempt": p(first, 99), "answer to live state": max(answer), "stop to all-clear": max(all_clear)}
    return [f"{world.engine}: {name} took {figure:.0f} ms" for name, figure in figures.items() if figure > FIRST_GATE]


@contextlib.contextmanager
def serving(settings: Settings, log: Path, more: dict[str, str]) -> Iterator[stage.Server]:
    given = {"DATABASE_URL": settings.database_url, "DATA_DIR": str(settings.data_dir), "MAIL_FROM": "Care <care@example.org>", "SMS_FROM": "+1"}
    environment = {f"HOLDFAST_{name}": value for name, value in (given | more).items()}
    with stage.running([sys.executable, "-m", "holdfast", "serve"], environment | {"PYTHONPATH": str(stage.ROOT)}, log) as server:
        yield server


async def press_all(port: int, callers: list[Caller], rate: int, seconds: int) -> Load:
    """Each press at its own time, on a connection that nobody else uses then."""
    load = Load([], Counter(), 0)
    free = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    began, presses, late = time.perf_counter() + 0.1, set(), 0
    for number in range(rate * seconds):
        due = began + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        while free and free[-1][0].at_eof():  # the server ends a line that nobody has used for a while
            free.pop()[1].close()
        late += not free
        line = free.pop() if free else await asyncio.open_connection("127.0.0.1", port)
        press = asyncio.create_task(press_one(line, callers[number % len(callers)], due, load))
        presses.add(press)
        press.add_done_callback(lambda press, line=line: (presses.discard(press), free.append(line)))
    await asyncio.gather(*presses)
    for _, writer in free:
        writer.close()
    return load._replace(late=late)


async def press_one(line: tuple[asyncio.StreamReader, asyncio.StreamWriter], caller: Caller, due: float, load: Load) -> None:
    try:
        async with asyncio.timeout(10):
            await drive.exchange(*line, drive.request("GET", "/api/v1/event/trigger/me/", caller.token))
        load.statuses["200"] += 1
    except drive.WrongAnswer as wrong:
        load.statuses[str(wrong)[11:14]] += 1
    except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
        load.statuses[type(error).__name__] += 1
    load.took.append((time.perf_counter() - due) * 1000)


async def one_by_one(world: stage.World, settings: Settings, callers: list[Caller]) -> tuple[list[float], list[float], list[float]]:
    log = world.folder / "idle.log"
    async with mail_server() as post:
        with contextlib.ExitStack() as stack:
            server = await asyncio.to_thread(stack.enter_context, serving(settings, log, {"SMTP_URL": post.url}))
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=20) as client:
                answers = [await one_alarm(client, post, caller) for caller in callers]
            await asyncio.to_thread(stack.close)
    first = await query(settings, FIRST.format(kind="alarm", since="d.created_at"))
    all_clear = await query(settings, FIRST.format(kind="all_clear", since="d.created_at"))
    return [row[0] / 1000 for row in first], answers, [row[0] / 1000 for row in all_clear]


async def one_alarm(client: httpx2.AsyncClient, post: MailServer, caller: Caller) -> float:
    """Press, letter, answer on its link, stop. ms from the answer until the live state shows it."""
    headers, before = {"Authorization": f"Token {caller.token}"}, len(post.letters)
    pressed = await client.post("/api/v1/event/trigger/me/", headers=headers)
    place = pressed.headers["location"]
    await post.arrived(before + 1)
    found = KEY.search(post.letters[before].message.get_content())
    assert found, "a letter without a link"
    began = time.perf_counter()
    await client.post(f"/a/{found[1]}", data={"answer": "calling"})
    while (await client.get(place, headers=headers)).json()["state"] != "acknowledged":  # noqa: ASYNC110 - it is another process
        await asyncio.sleep(0.005)
    answered = (time.perf_counter() - began) * 1000
    stopped = await client.post(f"{place}stop/", headers=headers)
    assert stopped.json()["result"] == "all_clear", stopped.text
    await post.arrived(before + 2)
    return answered


FIRST = """
    select a.started_at - {since} from delivery_attempt a join delivery d on d.id = a.delivery_id where a.n = 1 and d.kind = '{kind}'"""


async def counts(settings: Settings) -> str:
    tables = ("alarm", "delivery", "delivery_attempt", "delivery where attempt > 0")
    alarms, deliveries, attempts, tried = [(await query(settings, f"select count(*) from {table}"))[0][0] for table in tables]
    return f"{alarms:,} alarms, {deliveries:,} deliveries, {attempts:,} attempts at {tried:,} of them"


async def query(settings: Settings, sql: str) -> list:
    if not settings.postgres:
        with contextlib.closing(sqlite3.connect(settings.data_dir / "holdfast.sqlite3")) as connection:
            return connection.execute(sql).fetchall()
    connection = await asyncpg.connect(settings.database_url)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


class Machine:
    """What the machine itself does meanwhile: once a second, one write that reaches the disk, one bare commit of SQLite, and one fixed loop."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._over = folder, threading.Event()
        self._fsync, self._commit, self._loop = [], [], []
        self._thread = threading.Thread(target=self._measure)

    def __enter__(self) -> "Machine":
        self._round_of_rest = self._one_round(20)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def show(self) -> None:
        rest = ", ".join(f"{name} {statistics.median(values):.1f}" for name, values in self._round_of_rest.items())
        print(f"  this machine just before, median ms: {rest}; load {os.getloadavg()[0]:.1f}")
        for name, values in (
            ("write and fsync", self._fsync),
            ("bare SQLite insert and commit", self._commit),
            ("loop of 100,000 additions", self._loop),
        ):
            line(f"beside the load: {name}, ms", values)

    def _measure(self) -> None:
        while not self._over.wait(0.25):
            found = self._one_round(1)
            self._fsync += found["fsync"]
            self._commit += found["commit"]
            self._loop += found["loop"]

    def _one_round(self, times: int) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {"fsync": [], "commit": [], "loop": []}
        with contextlib.closing(sqlite3.connect(self._folder / "bare.sqlite3", isolation_level=None)) as connection:
            for statement in ("pragma journal_mode = wal", "pragma synchronous = full", "create table if not exists t (x text)"):
                connection.execute(statement)
            for _ in range(times):
                found["commit"].append(timed(lambda: connection.execute("insert into t values ('" + "x" * 4000 + "')")))
                found["fsync"].append(timed(self._write))
                found["loop"].append(timed(lambda: sum(range(100_000))))
        return found

    def _write(self) -> None:
        with (self._folder / "bare.bytes").open("ab") as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())


def timed(act) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def line(title: str, values: list[float]) -> None:
    figures = "   ".join(f"p{percent:g} {p(values, percent):8.1f}" for percent in (50, 95, 99)) if values else "nothing"
    print(f"  {title:48}{figures}   worst {max(values, default=0):8.1f}   of {len(values):,}", flush=True)


def p(values: list[float], percent: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]


if __name__ == "__main__":
    sys.exit(main())
