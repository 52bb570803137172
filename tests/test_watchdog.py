"""The watchdog: what it finds, whom it tells, and that it says nothing is well only while that is so."""

import asyncio
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx2
import pytest
from calling import until
from conftest import ENGINES
from mailserver import free_port, mail_server, speaking
from msgspec import structs
from process import server_process

from holdfast import findings, log, paging, pulse, watchdog
from holdfast.clock import SECOND
from holdfast.db import open_database
from holdfast.findings import MOST
from holdfast.pulse import Moment
from holdfast.settings import Refused, Settings
from holdfast.watchdog import Watchdog

ROOT = Path(__file__).parent.parent
NOW = "(select holdfast_now())"
ALARM = f"""
    insert into alarm (code, user_id, drill, level, state, close_reason, snapshot, answer, created_at, expires_at, next_step_at, closed_at)
    values ('1', :user_id, false, 2, :state, :close_reason, '', '', {NOW} - cast(:age as bigint), {NOW} + cast(:left as bigint),
            {NOW} + cast(:next as bigint), {NOW} - cast(:closed as bigint))
    returning id"""
DELIVERY = f"""
    insert into delivery (ref, dedup_key, alarm_id, kind, channel, destination, body, priority, state, error_class, next_at, deadline_at,
                          created_at, attempt, segments)
    values (:ref, :ref, :alarm_id, 'alarm', :channel, 'somebody', '', 100, :state, :error_class, {NOW} + cast(:next as bigint),
            {NOW} + 3600000000, {NOW}, :attempt, :segments)
    returning id"""
ATTEMPT = f"""
    insert into delivery_attempt (delivery_id, n, fence, worker, started_at, finished_at, outcome, provider_code)
    values (:delivery_id, :n, :n, 'w', {NOW}, {NOW}, :outcome, :code)"""
HELPER = f"""
    insert into alarm_helper (alarm_id, kind, person_id, position, name, relationship, answer, next_channel_at)
    values (:alarm_id, 'contact', 1, 0, 'Ivan', '', cast(:answer as text), case when :waits then {NOW} end)"""
BEAT = f"insert into heartbeat (worker, at) values (:worker, {NOW}) on conflict (worker) do update set at = excluded.at"


class Call(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Listener:
    """An HTTP server that keeps what it was told, and answers with `status`."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.status = 200
        self.address = ""

    @property
    def pages(self) -> list[dict[str, Any]]:
        return [json.loads(call.body) for call in self.calls if call.path == "/page"]

    @property
    def pings(self) -> int:
        return sum(call.path == "/alive" for call in self.calls)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("Content-Length", 0)))
        self.calls.append(Call(head[0].split()[1], headers, body))
        writer.write(f"HTTP/1.1 {self.status} x\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    async with speaking(listener) as port:
        listener.address = f"http://127.0.0.1:{port}"
        yield listener


class Watch:
    """A watchdog with a clock that can be turned, and the database that it looks at."""

    def __init__(self, settings: Settings, db: Any) -> None:
        self.settings, self.db, self.turned, self.stepped = settings, db, 0.0, 0.0
        self.dog = Watchdog(settings, self.moment)

    @property
    def moment(self) -> Moment:
        now = Moment.now()
        return Moment(now.at + self.turned, now.wall + int((self.turned + self.stepped) * SECOND))

    async def later(self, seconds: float, *, works: bool = True) -> None:
        """Lets all clocks go on, and a round come after it; until then a worker works, or none."""
        self.turned += seconds
        await self.turn_database(seconds)
        if works:
            await self.works()
        await self.dog.round(self.moment)

    async def turn_database(self, seconds: float, *, step: bool = False) -> None:
        if not self.settings.postgres:
            clocks = [self.db.clock] if step or self.dog.db is None else [self.db.clock, self.dog.db.clock]
            for clock in clocks:
                clock.turn(int(seconds * SECOND))
            if self.dog.db is None and not step:
                await self.dog.opened()
                self.dog.db.clock.turn(self.db.clock() - self.dog.db.clock())
            return
        self.ahead = getattr(self, "ahead", 0.0) + seconds
        async with self.db.write() as tx:
            await tx.value(
                "create or replace function holdfast_now() returns bigint language sql volatile as "
                f"$$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint + {int(self.ahead * SECOND)} $$"
            )

    async def works(self) -> None:
        """A worker lives."""
        async with self.db.write() as tx:
            await tx.run(BEAT, worker="w")

    async def alarm(self, age: float, state: str = "open", *, user_id: int = 1, reason: str | None = None, next: float = 3000) -> int:
        times = {"age": age, "left": 3600, "next": next, "closed": 0}
        async with self.db.write() as tx:
            values = {name: int(seconds * SECOND) for name, seconds in times.items()}
            return await tx.value(ALARM, user_id=user_id, state=state, close_reason=reason, **values)

    async def delivery(
        self, alarm_id: int, state: str, *, next: float = 5, error: str | None = None, channel: str = "sms", attempt: int = 1, segments: int = 1
    ) -> int:
        async with self.db.write() as tx:
            ref = await tx.value("select count(*) from delivery")
            values = {"state": state, "error_class": error, "channel": channel, "attempt": attempt, "segments": segments}
            return await tx.value(DELIVERY, ref=str(ref), alarm_id=alarm_id, next=int(next * SECOND), **values)

    async def attempt(self, delivery_id: int, n: int, outcome: str, code: str | None = None) -> None:
        async with self.db.write() as tx:
            await tx.run(ATTEMPT, delivery_id=delivery_id, n=n, outcome=outcome, code=code)

    async def run(self, sql: str, **values: object) -> None:
        async with self.db.write() as tx:
            await tx.run(sql, **values)


@pytest.fixture
async def watch(fresh: Any, listener: Listener) -> AsyncIterator[Watch]:
    db = await open_database(fresh.settings)
    settings = structs.replace(fresh.settings, operator_page_url=f"{listener.address}/page", deadman_url=f"{listener.address}/alive")
    watch = Watch(settings, db)
    await watch.works()
    yield watch
    await watch.dog.close()
    await db.close()


async def test_while_all_is_well_the_switch_is_fed_every_thirty_seconds_and_nobody_is_paged(watch, listener):
    for _ in range(7):
        await watch.later(10)
    assert (listener.pings, listener.pages) == (3, [])


async def test_an_alarm_that_nothing_was_accepted_of_is_paged_once_then_every_quarter_of_an_hour_and_resolved_once(watch, listener):
    alarm_id = await watch.alarm(55)
    delivery = await watch.delivery(alarm_id, "pending")
    await watch.later(1)
    assert (listener.pages, listener.pings) == ([], 1)
    for seconds in (6, 10, 10, 860):
        await watch.run(f"update delivery set next_at = {NOW} + 890000000")  # its backoff
        await watch.later(seconds)
    assert [page["findings"] for page in listener.pages] == [["nothing_accepted"]]
    assert f"No provider has taken anything for 60 s: 1 alarm ({alarm_id})." in listener.pages[0]["text"]
    await watch.later(20)
    assert [page["findings"] for page in listener.pages] == [["nothing_accepted"]] * 2
    await watch.run("update delivery set state = 'accepted' where id = :id", id=delivery)
    for _ in range(5):
        await watch.later(10)
    assert [page["resolved"] for page in listener.pages] == [[], [], ["nothing_accepted"]]
    assert listener.pings == 2  # one before it began, one when it was over


@pytest.mark.parametrize(
    ("state", "reason", "delivery"),
    [("open", None, "delivered"), ("open", None, "accepted"), ("acknowledged", None, "pending"), ("closed", "all_clear", "failed")],
)
async def test_an_alarm_that_got_out_or_ended_is_no_finding(watch, listener, state, reason, delivery):
    await watch.delivery(await watch.alarm(120, state, reason=reason), delivery, next=60)
    await watch.later(1)
    assert listener.pages == []


async def test_an_alarm_in_its_grace_waits_for_its_end(watch, listener):
    await watch.alarm(70, "grace")
    await watch.run(f"update alarm set grace_ends_at = {NOW} - 50000000")
    await watch.later(1)
    assert listener.pages == []
    await watch.later(12)
    assert listener.pages[0]["findings"] == ["nothing_accepted"]


async def test_a_failure_that_leaves_nobody_told_is_found_at_once(watch, listener):
    alarm_id = await watch.alarm(5)
    await watch.delivery(alarm_id, "failed", error="permanent")
    await watch.run(HELPER, alarm_id=alarm_id, answer=None, waits=True)
    await watch.later(1)
    assert listener.pages == []  # the next channel is about to be started
    await watch.run("update alarm_helper set next_channel_at = null")
    await watch.later(1)
    assert [page["findings"] for page in listener.pages] == [["nobody_told"]]


@pytest.mark.parametrize(("state", "error"), [("pending", None), ("leased", None), ("accepted", None), ("failed", "capped")])
async def test_a_failure_beside_a_message_that_may_arrive_is_no_finding_and_a_cap_is_no_failure(watch, listener, state, error):
    alarm_id = await watch.alarm(5)
    await watch.delivery(alarm_id, "failed", error=error or "permanent")
    if state != "failed":
        await watch.delivery(alarm_id, state)
    await watch.later(1)
    assert listener.pages == []


async def test_a_step_and_an_end_that_are_late_are_found(watch, listener):
    late = await watch.alarm(5, next=-20)
    await watch.delivery(late, "accepted")
    await watch.later(1)
    assert listener.pages == []
    past = await watch.alarm(5, user_id=2)
    await watch.delivery(past, "accepted")
    await watch.run(f"update alarm set expires_at = {NOW} - 25000000 where id = :id", id=past)
    await watch.later(12)
    assert f"2 alarms ({late}, {past})" in listener.pages[0]["text"]
    assert listener.pages[0]["findings"] == ["step_overdue"]


async def test_an_alarm_that_ended_without_an_answer_is_told(watch, listener):
    await watch.alarm(7200, "closed", reason="expired")
    answered = await watch.alarm(7200, "closed", reason="expired", user_id=2)
    await watch.run(HELPER, alarm_id=answered, answer="coming", waits=False)
    await watch.later(1)
    assert "Ended without an answer of anybody: 1 alarm (1)." in listener.pages[0]["text"]


async def test_what_is_due_and_not_sent_is_found_after_ten_seconds(watch, listener):
    alarm_id = await watch.alarm(5)
    await watch.delivery(alarm_id, "accepted")
    await watch.delivery(alarm_id, "pending", next=0)
    await watch.later(5)
    assert listener.pages == []
    await watch.later(7)
    assert [page["findings"] for page in listener.pages] == [["delivery_overdue"]]


async def test_a_worker_that_falls_silent_is_missed_after_fifteen_seconds_whatever_its_clock_says(watch, listener):
    await watch.later(1)
    if watch.settings.postgres:  # on SQLite, where each process has its own clock, ours would follow
        await watch.run("update heartbeat set at = at + 3600000000")
    else:
        await watch.works()
    for seconds in (10, 10):
        await watch.later(seconds, works=False)
    assert (listener.pages, listener.pings) == ([], 1)
    await watch.later(6, works=False)
    assert [page["findings"] for page in listener.pages] == [["no_worker"]]
    await watch.later(10, works=False)
    assert (len(listener.pages), listener.pings) == (1, 1)


async def test_without_any_worker_ever_the_operator_is_paged(watch, listener):
    await watch.run("delete from heartbeat")
    for seconds in (1, 13):
        await watch.later(seconds, works=False)
    assert listener.pages == []
    await watch.later(2, works=False)
    assert [page["findings"] for page in listener.pages] == [["no_worker"]]


async def test_a_provider_that_refuses_our_login_is_found(watch, listener):
    alarm_id = await watch.alarm(5)
    await watch.delivery(alarm_id, "pending", attempt=2, error="configuration")
    await watch.later(1)
    assert [page["findings"] for page in listener.pages] == [["provider_refuses_us"]]


async def test_a_message_that_was_lost_five_times_is_found(watch, listener):
    alarm_id = await watch.alarm(5)
    delivery = await watch.delivery(alarm_id, "pending", attempt=5)
    for n in range(1, 6):
        await watch.attempt(delivery, n, "lease_lost")
    await watch.later(1)
    assert [page["findings"] for page in listener.pages] == [["lease_lost"]]


@pytest.mark.parametrize("by", ["wall", "database"])
async def test_a_clock_that_was_set_is_paged_and_then_over(watch, listener, by):
    await watch.later(1)
    if by == "wall":
        watch.stepped = 3600.0
    elif watch.settings.postgres:
        await watch.turn_database(3600)
        watch.stepped = 3600.0  # both machines were set; were it one alone, it would be found as long as they differ
    else:
        await watch.turn_database(3600, step=True)  # a worker that was started after the wall was set
    if by == "wall" and watch.settings.postgres:
        await watch.turn_database(3600)
    await watch.later(10)
    assert [page["findings"] for page in listener.pages] == [["clock_step"]]
    assert "A clock was set by 3600 s." in listener.pages[0]["text"]
    assert watch.dog.clocks.stepped == pytest.approx(3600, abs=30)
    for _ in range(10):
        await watch.later(10)
    assert [page["resolved"] for page in listener.pages] == [[], ["clock_step"]]


@pytest.mark.parametrize("engine", ENGINES[1:], indirect=True)
async def test_clocks_of_two_machines_that_differ_are_found_while_they_do(watch, listener):
    await watch.later(1)
    await watch.turn_database(40)
    for _ in range(10):
        await watch.later(10)
    assert [page["findings"] for page in listener.pages] == [["clock_step"]]
    assert "differ by 40 s" in listener.pages[0]["text"]


async def test_money_is_warned_of_at_fifty_and_eighty_and_found_when_it_is_gone(fresh, watch, listener):
    watch.dog._caps = structs.replace(watch.dog._caps, price=1.0, money_day=10.0)
    alarm_id = await watch.alarm(5)
    await watch.delivery(alarm_id, "accepted", segments=1)
    await watch.later(0)
    for segments in (4, 1, 2, 2):
        await watch.delivery(alarm_id, "accepted", segments=segments)
        await watch.later(31)
    assert [page["findings"] for page in listener.pages] == [["money_50"], ["money_80"], ["money_100"]]
    assert [page["resolved"] for page in listener.pages] == [[]] * 3
    assert listener.pings == 4  # a warning does not stop it
    await watch.later(1000)
    assert [page["findings"] for page in listener.pages[3:]] == [["money_100"]]


async def test_a_page_holds_no_name_and_no_end_of_numbers(watch, listener):
    await watch.run("update account set username = 'canary7', email = 'canary7@example.org'")
    for user_id in range(100, 100 + MOST + 5):
        await watch.run(
            "insert into account (id, username, username_key, email, password_hash, created_at) values (:id, :name, :name, '', '', 0)",
            id=user_id,
            name=f"canary7 {user_id}",
        )
        await watch.alarm(120, user_id=user_id)
    await watch.later(1)
    assert "canary7" not in json.dumps(listener.pages)
    assert f"{MOST} or more alarms (" in listener.pages[0]["text"] and len(listener.pages[0]["text"]) < 400


async def test_a_page_that_is_not_taken_is_tried_again_at_the_next_look(watch, listener):
    listener.status = 500
    await watch.alarm(120)
    await watch.later(1)
    listener.status = 302
    await watch.later(1)
    listener.status = 202
    await watch.later(1)
    await watch.later(1)
    assert len(listener.pages) == 3


@pytest.fixture
def log_lines():
    """Standard error as events."""
    stream = io.TextIOWrapper(io.BytesIO())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        log.configure("info")
        yield lambda: [json.loads(line) for line in stream.buffer.getvalue().splitlines()]
    log.configure("error")


async def test_without_an_address_a_finding_stands_loudly_in_the_log(fresh, watch, log_lines):
    dog = Watchdog(fresh.settings, Moment.now())
    await watch.alarm(120)
    await dog.round(Moment.now())
    await dog.close()
    found = [event for event in log_lines() if event["event"] == "watchdog_finding"]
    assert [(event["level"], event["reason"], event["count"]) for event in found] == [("error", "nothing_accepted", 1)]
    assert "dropped" not in found[0]


class Broken(io.BytesIO):
    def write(self, _: Any) -> int:
        raise BrokenPipeError


async def test_a_log_that_nobody_reads_any_more_keeps_no_page_back(watch, listener):
    await watch.alarm(120)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", io.TextIOWrapper(Broken()))
        log.configure("info")
    try:
        await watch.later(1)
    finally:
        log.configure("error")
    assert [page["findings"] for page in listener.pages] == [["nothing_accepted"]]


@asynccontextmanager
async def away(settings: Settings, engine: str) -> AsyncIterator[None]:
    """The database of a watchdog that has looked at it before, gone for the block."""
    if engine == "sqlite":
        path = settings.data_dir / "holdfast.sqlite3"
        path.rename(path.with_suffix(".away"))
        try:
            yield
        finally:
            path.with_suffix(".away").rename(path)
        return
    name = settings.database_url.rpartition("/")[2]
    admin = await asyncpg.connect(settings.database_url.rpartition("/")[0] + "/postgres")
    await admin.execute(f"alter database {name} allow_connections false")
    await admin.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
    try:
        yield
    finally:
        await admin.execute(f"alter database {name} allow_connections true")
        await admin.close()


async def test_a_database_that_is_away_is_paged_and_what_was_known_goes_on_standing(watch, engine, listener, fresh):
    if engine == "postgres":
        await watch.alarm(120)
        await watch.later(1)
    async with away(fresh.settings, engine):
        for seconds in (1, 10, 10):
            watch.turned += seconds
            await watch.dog.round(watch.moment)
    pages = [page["findings"] for page in listener.pages]
    assert pages[-1] == ["database_away"]
    assert listener.pings == 0
    await watch.run("update alarm set state = 'closed', close_reason = 'all_clear'")
    await watch.turn_database(21)
    for _ in range(5):
        await watch.later(10)
    assert "database_away" in [name for page in listener.pages for name in page["resolved"]]
    assert {name for page in listener.pages for name in page["findings"]} <= {"nothing_accepted", "database_away"}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_no_look_reads_a_whole_table_of_alarms_or_messages(watch, engine):
    """OnCall#724: an auditor was switched off for slowness."""
    seen = 0
    async with watch.db.read() as tx:
        for name, statement in vars(findings).items():
            if name.isupper() and isinstance(statement, str):
                seen += 1
                values = {"late": 1, "most": 1, "recent": 1, "often": 1}
                plan = [row[3] for row in tx._execute(f"explain query plan {statement}", values)]
                assert not [line for line in plan if line.startswith("SCAN") and "INDEX" not in line and "CONSTANT" not in line], (name, plan)
    assert seen == 7


# The ways to the operator


def written(subject: str = "Holdfast: no_worker") -> paging.Page:
    return paging.Page(subject, "- no_worker: nobody\n", ["no_worker"], [])


async def test_a_page_by_mail_goes_over_a_connection_of_its_own(fresh):
    async with mail_server() as post:
        settings = structs.replace(fresh.settings, operator_page_url=f"{post.url}/?to=me@example.org&from=Dog%20<dog@example.org>")
        await paging.make_pager(settings).page(written())
        assert post.letters[0].recipients == ["me@example.org"]
        assert post.letters[0].message["Subject"] == "Holdfast: no_worker"
        assert "- no_worker: nobody" in post.letters[0].message.get_content()
        post.data = "550 no"
        with pytest.raises(paging.NotTaken):
            await paging.make_pager(settings).page(written())


async def test_a_page_by_ntfy_is_a_plain_request_with_its_login(listener):
    url = listener.address.replace("http://", "ntfy://me:s%40cret@") + "/topic"
    await paging.make_pager(Settings(operator_page_url=url)).page(written())
    call = listener.calls[0]
    assert (call.path, call.headers["Title"], call.headers["Priority"]) == ("/topic", "Holdfast: no_worker", "urgent")
    assert call.headers["Authorization"] == "Basic bWU6c0BjcmV0"
    assert call.body == b"- no_worker: nobody\n"


@pytest.mark.parametrize("url", ["smtp://127.0.0.1", "smtp://127.0.0.1/?to=", "smtps:///?to=me@example.org"])
def test_an_address_that_leads_nowhere_is_refused_at_the_start(url):
    with pytest.raises(Refused, match="HOLDFAST_OPERATOR_PAGE_URL"):
        paging.make_pager(Settings(operator_page_url=url))


@pytest.mark.parametrize("scheme", ["http", "smtp"])
async def test_a_mute_listener_is_given_up_in_time(watch, scheme, monkeypatch):
    monkeypatch.setattr(watchdog, "PAGE_LIMIT", 0.3)
    ended = asyncio.Event()

    async def mute(reader, writer):
        with contextlib.suppress(OSError):
            await reader.read()
        ended.set()

    async with speaking(mute) as port:
        settings = structs.replace(watch.settings, operator_page_url=f"{scheme}://127.0.0.1:{port}/?to=me@example.org", deadman_url="")
        dog = Watchdog(settings, watch.moment)
        await watch.alarm(120)
        async with asyncio.timeout(5):
            await dog.round(watch.moment)
        assert dog.pages == {}
        if scheme == "http":
            async with asyncio.timeout(5):
                await ended.wait()
        await dog.close()


# Real processes


async def start(settings: Settings, folder: Path, **more: str) -> asyncio.subprocess.Process:
    given = {"DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database_url, **more}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **{f"HOLDFAST_{name}": value for name, value in given.items() if value}}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "holdfast", "watchdog", cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


async def test_the_command_pages_and_ends_when_it_is_told(watch, listener, tmp_path, fresh):
    await watch.alarm(120)
    process = await start(fresh.settings, tmp_path, OPERATOR_PAGE_URL=f"{listener.address}/page", DEADMAN_URL=f"{listener.address}/alive")
    try:

        async def paged() -> bool:
            return bool(listener.pages)

        await until(paged, 30)
        assert listener.pages[0]["findings"] == ["nothing_accepted"]
        process.terminate()
        said, _ = await process.communicate()
        assert (process.returncode, listener.pings) == (0, 0), said
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_an_address_that_leads_nowhere_ends_the_command_with_a_sentence(fresh, tmp_path):
    process = await start(fresh.settings, tmp_path, OPERATOR_PAGE_URL="smtp://127.0.0.1")
    said, _ = await process.communicate()
    assert process.returncode == 78
    assert said.startswith(b"HOLDFAST_OPERATOR_PAGE_URL must look like")


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_server_starts_its_watchdog_and_ends_with_it(tmp_path, end):
    with server_process(tmp_path) as server:
        pid = server._process.pid

        async def started() -> list[int]:
            return children(pid)

        (dog,) = await until(started, 30)
        if end == "stop":
            assert server.stop() == 0
            assert not alive(dog)
        else:
            server._process.send_signal(signal.SIGKILL)

            async def gone() -> bool:
                return not alive(dog)

            await until(gone, 30)


def test_a_watchdog_knows_when_who_started_it_is_gone(tmp_path):
    """It was too late to see it: somebody else is its parent from the start."""
    command = [sys.executable, "-m", "holdfast", "watchdog", "--beside", "1" if os.getpid() != 1 else "2"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOLDFAST_DATA_DIR": str(tmp_path)}
    assert subprocess.run(command, cwd=tmp_path, env=environment, timeout=30, capture_output=True).returncode == 0


def test_the_times_keep_the_promise_of_ninety_seconds():
    """Nothing accepted for 60 s, one look later, one page; and no database for a look, two more, one page."""
    assert 60 + watchdog.INTERVAL + watchdog.PING_LIMIT + paging.PAGE_LIMIT <= 90
    assert watchdog.AWAY + 2 * (watchdog.INTERVAL + watchdog.LOOK_LIMIT) + paging.PAGE_LIMIT <= 90
    assert pulse.SILENT + 2 * watchdog.INTERVAL + paging.PAGE_LIMIT <= 90
    assert free_port()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("fault", ["providers", "server"])
async def test_the_operator_hears_within_ninety_seconds_that_nothing_gets_out(fresh, listener, tmp_path, fault):
    """All providers down: the watchdog beside the server. All workers gone: one that runs alone."""
    ways = {"OPERATOR_PAGE_URL": f"{listener.address}/page", "DEADMAN_URL": f"{listener.address}/alive"}
    mail = {"HOLDFAST_SMTP_URL": f"smtp://127.0.0.1:{free_port()}", "HOLDFAST_MAIL_FROM": "line@example.org"}
    beside = {f"HOLDFAST_{name}": url for name, url in ways.items()} if fault == "providers" else {}
    with server_process(tmp_path, **mail, **beside) as server:
        alone = await start(fresh.settings, tmp_path, **ways) if fault == "server" else None

        async def pinged() -> int:
            return listener.pings

        await until(pinged, 60)
        async with httpx2.AsyncClient(base_url=f"{server.address}/api/v1", headers={"Authorization": f"Token {fresh.tokens['maya']}"}) as maya:
            ivan = {"name": "Ivan", "phone": "+380501234567", "email": "ivan@example.org", "relationship": "friend"}
            assert (await maya.patch("/user/edit/contact/me/", json=ivan)).status_code == 201
            assert (await maya.post("/event/trigger/me/")).status_code == 200
        began = time.monotonic()
        if fault == "server":
            server._process.send_signal(signal.SIGKILL)

        async def paged() -> bool:
            return {"nothing_accepted", "no_worker"} & {name for page in listener.pages for name in page["findings"]} != set()

        await until(paged, 90)
        assert time.monotonic() - began < 90
        pings = listener.pings
        await asyncio.sleep(35)
        assert listener.pings == pings
        if alone:
            alone.terminate()
            await alone.wait()
