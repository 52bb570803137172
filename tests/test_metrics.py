"""What Prometheus reads: the names of alarm.md section 17, right figures, nobody's name, and a bounded cost."""

import asyncio
import contextlib
import os
import re
import sys
from pathlib import Path

import httpx2
import pytest
from calling import until
from mailserver import free_port

from holdfast import metrics
from holdfast.db import open_database
from holdfast.exporter import Exporter
from holdfast.metrics import Metrics

ROOT = Path(__file__).parent.parent
AGO = "(select holdfast_now()) - cast({} as bigint) * 1000000"
ALARM = f"""
    insert into alarm (code, user_id, drill, level, state, close_reason, snapshot, answer, created_at, expires_at, closed_at)
    values ('1', :user_id, :drill, 2, :state, :reason, 'canary7', 'canary7', {AGO.format(500)}, 1, {AGO.format(100)}) returning id"""
DELIVERY = f"""
    insert into delivery (ref, dedup_key, alarm_id, kind, channel, destination, body, priority, state, error_class, provider, next_at, deadline_at,
                          created_at, accepted_at, delivered_at)
    values (:ref, :ref, :alarm_id, 'alarm', :channel, 'canary7', 'canary7', 100, :state, :error, :provider, {AGO.format(30)},
            {AGO.format(-900)}, {AGO.format(500)}, case when :accepted then {AGO.format(480)} end, case when :delivered then {AGO.format(470)} end)
    returning id"""
ATTEMPT = f"""
    insert into delivery_attempt (delivery_id, n, fence, worker, started_at, finished_at, outcome, detail)
    values (:id, :n, :n, 'canary7', {AGO.format(490)}, case when :ended then {AGO.format(487)} end, :outcome, 'canary7')"""
HELPER = f"""
    insert into alarm_helper (alarm_id, kind, person_id, position, name, relationship, answer, answered_at)
    values (:id, 'contact', 1, 0, 'canary7', 'canary7', 'coming', {AGO.format(250)})"""
REPEAT = f"insert into alarm_audit (alarm_id, n, kind, at, data, hash) values (1, :n, :kind, {AGO.format(60)}, '', 'x')"

NAMES = {
    "holdfast_alarms_total": ("counter", {"drill", "outcome"}),
    "holdfast_alarm_live": ("gauge", {"state"}),
    "holdfast_alarm_first_attempt_seconds": ("histogram", set()),
    "holdfast_alarm_first_delivery_seconds": ("histogram", set()),
    "holdfast_alarm_answer_seconds": ("histogram", set()),
    "holdfast_deliveries_total": ("counter", {"channel", "kind", "state", "class"}),
    "holdfast_delivery_attempt_seconds": ("histogram", {"channel", "outcome"}),
    "holdfast_outbox_due": ("gauge", {"channel"}),
    "holdfast_outbox_oldest_seconds": ("gauge", {"channel"}),
    "holdfast_lease_lost_total": ("counter", set()),
    "holdfast_trigger_repeats_total": ("counter", set()),
    "holdfast_cap_hits_total": ("counter", {"cap"}),
    "holdfast_watchdog_pages_total": ("counter", {"finding"}),
    "holdfast_clock_step_seconds": ("gauge", set()),
}


@pytest.fixture
async def db(fresh):
    db = await open_database(fresh.settings)
    yield db
    await db.close()


class Books:
    """Rows as acts would leave them, and what is read of them."""

    def __init__(self, db):
        self.db, self.metrics, self.refs = db, Metrics(), 0

    async def add(self, sql, **values):
        async with self.db.write() as tx:
            return await tx.value(sql, **values) if "returning" in sql else await tx.run(sql, **values)

    async def alarm(self, state="closed", reason="all_clear", *, drill=False, user_id=1):
        return await self.add(ALARM, state=state, reason=reason if state == "closed" else None, drill=drill, user_id=user_id)

    async def delivery(self, alarm_id, state, *, error=None, provider=None, accepted=False, delivered=False, channel="email"):
        self.refs += 1
        values = {"state": state, "error": error, "provider": provider, "accepted": accepted, "delivered": delivered, "channel": channel}
        return await self.add(DELIVERY, ref=str(self.refs), alarm_id=alarm_id, **values)

    async def read(self):
        """Each line's figure by its name and labels."""
        async with self.db.read() as tx:
            text = await self.metrics.text(tx, pages={"no_worker": 2}, stepped=3600.0)
        self.text = text
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not line.startswith("#")}


@pytest.fixture
async def books(db):
    return Books(db)


async def test_what_happened_is_counted(books):
    alarm_id = await books.alarm()
    await books.alarm(reason="expired", drill=True)
    first = await books.delivery(alarm_id, "delivered", accepted=True, delivered=True)
    second = await books.delivery(alarm_id, "failed", error="permanent", channel="sms")
    await books.delivery(alarm_id, "failed", error="capped", provider="money", channel="sms")
    await books.delivery(alarm_id, "cancelled")
    await books.add(ATTEMPT, id=first, n=1, ended=True, outcome="lease_lost")
    await books.add(ATTEMPT, id=first, n=2, ended=True, outcome="accepted")
    await books.add(ATTEMPT, id=second, n=1, ended=False, outcome=None)
    await books.add(HELPER, id=alarm_id)
    for n, kind in enumerate(("trigger", "repeat", "repeat"), 1):
        await books.add(REPEAT, n=n, kind=kind)
    figures = await books.read()
    expected = {
        'alarms_total{drill="false",outcome="all_clear"}': 1,
        'alarms_total{drill="true",outcome="expired"}': 1,
        'deliveries_total{channel="email",kind="alarm",state="accepted",class=""}': 1,
        'deliveries_total{channel="email",kind="alarm",state="delivered",class=""}': 1,
        'deliveries_total{channel="email",kind="alarm",state="cancelled",class=""}': 1,
        'deliveries_total{channel="sms",kind="alarm",state="failed",class="permanent"}': 1,
        'deliveries_total{channel="sms",kind="alarm",state="failed",class="capped"}': 1,
        'cap_hits_total{cap="money"}': 1,
        "alarm_first_attempt_seconds_count": 1,
        'alarm_first_attempt_seconds_bucket{le="5"}': 0,
        'alarm_first_attempt_seconds_bucket{le="20"}': 1,
        'alarm_first_delivery_seconds_bucket{le="60"}': 1,
        'alarm_answer_seconds_bucket{le="60"}': 0,
        'alarm_answer_seconds_bucket{le="300"}': 1,
        'delivery_attempt_seconds_count{channel="email",outcome="accepted"}': 1,
        'delivery_attempt_seconds_bucket{channel="email",outcome="accepted",le="2"}': 0,
        'delivery_attempt_seconds_bucket{channel="email",outcome="accepted",le="5"}': 1,
        "lease_lost_total": 2,  # one that was taken up again, one that nobody has taken up yet
        "trigger_repeats_total": 2,
        'watchdog_pages_total{finding="no_worker"}': 2,
        "clock_step_seconds": 3600,
    }
    assert {name: figures.get(f"holdfast_{name}") for name in expected} == expected
    assert figures["holdfast_alarm_first_attempt_seconds_sum"] == pytest.approx(10, abs=2)


async def test_asking_twice_counts_nothing_twice_and_a_later_receipt_takes_nothing_back(books):
    alarm_id = await books.alarm()
    delivery = await books.delivery(alarm_id, "accepted", accepted=True)
    await books.add(ATTEMPT, id=delivery, n=1, ended=True, outcome="accepted")
    await books.add(REPEAT, n=1, kind="repeat")
    first = await books.read()
    assert await books.read() == first
    await books.add("update alarm set closed_at = :at where id = :id", id=await books.alarm(), at=books.metrics._closed_at + 1)
    await books.add("update delivery set state = 'delivered', delivered_at = 1")
    second = await books.read()
    assert all(second[name] >= figure for name, figure in first.items())
    assert second['holdfast_alarms_total{drill="false",outcome="all_clear"}'] == 2
    assert second['holdfast_deliveries_total{channel="email",kind="alarm",state="delivered",class=""}'] == 1


async def test_what_is_now_is_shown(books):
    alarm_id = await books.alarm("open")
    await books.alarm("acknowledged", user_id=2)
    await books.delivery(alarm_id, "pending")
    await books.delivery(alarm_id, "pending", channel="sms")
    await books.delivery(alarm_id, "leased", channel="sms")
    figures = await books.read()
    assert [figures[f'holdfast_alarm_live{{state="{state}"}}'] for state in ("grace", "open", "acknowledged")] == [0, 1, 1]
    assert (figures['holdfast_outbox_due{channel="email"}'], figures['holdfast_outbox_due{channel="sms"}']) == (1, 2)
    assert 29 < figures['holdfast_outbox_oldest_seconds{channel="sms"}'] < 90


async def test_the_names_are_those_of_the_document_and_hold_nobody(books):
    await test_what_happened_is_counted(books)
    await books.delivery(await books.alarm("open"), "pending")
    await books.read()
    kinds = dict(re.findall(r"# TYPE (\S+) (\w+)", books.text))
    assert kinds == {name: kind for name, (kind, _) in NAMES.items()}
    for line in books.text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, figure = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
        family = name if name in NAMES else re.sub("_(bucket|sum|count)$", "", name)
        assert set(re.findall(r'(\w+)="', labels or "")) - {"le"} == NAMES[family][1], line
        assert float(figure) >= 0
    assert "canary7" not in books.text
    assert all(f"# HELP {name} " in books.text for name in NAMES)


async def test_no_look_reads_more_than_it_may_and_what_is_left_follows(books, monkeypatch):
    monkeypatch.setattr(metrics, "MOST", 2)
    monkeypatch.setattr(metrics, "OPEN", 2)
    for reason in ("all_clear", "expired", "superseded"):
        await books.add("update alarm set closed_at = closed_at - 1000000")
        alarm_id = await books.alarm(reason=reason)
    assert sum(figure for name, figure in (await books.read()).items() if "alarms_total" in name) == 2
    assert sum(figure for name, figure in (await books.read()).items() if "alarms_total" in name) == 3
    for _ in range(5):
        await books.delivery(alarm_id, "accepted", accepted=True)
    name = 'holdfast_deliveries_total{channel="email",kind="alarm",state="accepted",class=""}'
    assert ((await books.read())[name], books.metrics._delivery) == (5, 3)
    assert (await books.read())[name] == 5


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_no_figure_needs_a_whole_table(db, engine):
    values = {"since": 1, "until": 2, "most": 1}
    async with db.read() as tx:
        for name, statement in vars(metrics).items():
            if name.isupper() and isinstance(statement, str) and "select" in statement:
                plan = [row[3] for row in tx._execute(f"explain query plan {statement}", values)]
                assert not [line for line in plan if re.fullmatch(r"SCAN (alarm|delivery|delivery_attempt|alarm_audit|a|d)", line)], (name, plan)


# The page itself


@pytest.fixture
async def exported():
    """A served page whose text a test sets, by its port."""

    class Page:
        text: str | None = "holdfast_x 1\n"

        async def __call__(self):
            if self.text is None:
                raise OSError("away")
            return self.text

    page = Page()
    server = await Exporter(page).start(free_port())
    page.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield page
    server.close()


async def test_only_one_page_is_there(exported):
    async with httpx2.AsyncClient(base_url=exported.address) as client:
        answer = await client.get("/metrics")
        assert (answer.status_code, answer.text) == (200, "holdfast_x 1\n")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert (await client.get("/")).status_code == (await client.post("/metrics")).status_code == 404
        exported.text = None
        assert (await client.get("/metrics")).status_code == 503


@pytest.mark.parametrize("nonsense", [b"\r\n\r\n", b"GET\r\n\r\n", b"x" * 20_000 + b"\r\n\r\n", b"GET /metrics HTTP/1.1\r\n"])
async def test_nonsense_ends_the_line_and_nothing_else(exported, nonsense):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(exported.address.rpartition(":")[2]))
    with contextlib.suppress(ConnectionError):
        writer.write(nonsense)
        writer.write_eof()
        await reader.read()
    writer.close()
    async with httpx2.AsyncClient(base_url=exported.address) as client:
        assert (await client.get("/metrics")).status_code == 200


async def test_a_port_that_is_taken_stops_no_watch(exported):
    assert await Exporter(exported).start(int(exported.address.rpartition(":")[2])) is None


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_the_watchdog_serves_them(fresh, tmp_path):
    port = free_port()
    given = {"HOLDFAST_DATA_DIR": str(fresh.settings.data_dir), "HOLDFAST_METRICS_PORT": str(port), "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "holdfast", "watchdog", cwd=tmp_path, env={**os.environ, **given})
    try:
        async with httpx2.AsyncClient() as client:

            async def served():
                with contextlib.suppress(httpx2.TransportError):
                    return await client.get(f"http://127.0.0.1:{port}/metrics")

            answer = await until(served, 30)
        assert answer.status_code == 200
        assert "holdfast_clock_step_seconds 0.0" in answer.text
    finally:
        process.terminate()
        assert await process.wait() == 0
