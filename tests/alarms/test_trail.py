"""The audit of an alarm: rows that only ever come, each bound to the one before, and anchors that know how long a chain was."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from holdfast.alarms import trail
from holdfast.clock import MINUTE, SECOND, Clock
from holdfast.db import open_database

ROOT = Path(__file__).parent.parent.parent
ROW = """insert into alarm_audit (alarm_id, n, kind, actor_id, at, data) values (:alarm_id, :n, 'trigger', 1, holdfast_now(), '{}')"""


@pytest.fixture
async def db(fresh):
    db = await open_database(fresh.settings)
    yield db
    await db.close()


@pytest.fixture
async def written(db):
    for alarm_id in (71, 72):
        async with db.write() as tx:
            await trail.record(tx, alarm_id, "trigger", 1, added=3)
            await trail.record(tx, alarm_id, "answer", None, helper=5, answer="coming", ways=["email", "sms"])
        async with db.write() as tx:
            await trail.record(tx, alarm_id, "all_clear", 1)
    return db


@pytest.fixture
def administrator(fresh, engine):
    """Runs a statement as somebody whom no trigger stops."""

    async def run(statement):
        if engine == "sqlite":
            with contextlib.closing(sqlite3.connect(fresh.settings.data_dir / "holdfast.sqlite3", timeout=10)) as connection:
                for name in ("update", "delete"):
                    for table in ("alarm_audit", "audit_anchor"):
                        connection.execute(f"drop trigger if exists {table}_no_{name}")
                connection.execute(statement)
                connection.commit()
            return
        connection = await asyncpg.connect(fresh.settings.database_url)
        await connection.execute("set session_replication_role = replica")
        await connection.execute(statement)
        await connection.close()

    return run


async def later(db, engine, seconds):
    """Anchors as is done so much later than now."""
    if engine == "sqlite":
        db.clock.turn(Clock()() + int(seconds * SECOND) - db.clock())
        await trail.anchor(db)
        return
    async with db.write() as tx:
        await tx.value(
            "create or replace function holdfast_now() returns bigint language sql volatile as "
            f"$$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint + {int(seconds * SECOND)} $$"
        )
    await trail.anchor(db)


async def test_each_row_holds_the_hash_of_the_one_before(written):
    async with written.read() as tx:
        assert await tx.value("select count(*) from alarm_audit where alarm_id = 71") == 3
        for n in (2, 3):
            before = await tx.value("select hash from alarm_audit where alarm_id = 71 and n = :n", n=n - 1)
            assert len(before) == 64
            assert await tx.value("select prev_hash from alarm_audit where alarm_id = 71 and n = :n", n=n) == before
        assert await tx.value("select data from alarm_audit where alarm_id = 71 and n = 2") == '{"answer":"coming","helper":5,"ways":["email","sms"]}'
    verified = await trail.verify(written)
    assert (verified.chains, verified.rows, verified.flaws) == (2, 6, [])


async def test_a_text_a_name_and_an_address_are_left_out_and_counted(db):
    async with db.write() as tx:
        await trail.record(tx, 72, "answer", 1, who="Ivan Petrenko", to="ivan@example.org", nested={"a": 1}, count=2)
        assert await tx.value("select data from alarm_audit where alarm_id = 72") == '{"count":2,"dropped":3}'


async def test_writers_who_hold_the_alarm_make_one_chain(db):
    """Each holds it as every act does: by changing it first."""
    async with db.write() as tx:
        alarm_id = await tx.value(
            "insert into alarm (code, user_id, level, state, snapshot, answer, created_at, expires_at) "
            "values ('1', 1, 2, 'open', '', '', 0, 1) returning id"
        )

    async def act():
        async with db.write(alarm=True) as tx:
            await tx.run("update alarm set version = version + 1 where id = :id", id=alarm_id)
            await trail.record(tx, alarm_id, "repeat", 1)

    await asyncio.gather(*(act() for _ in range(20)))
    verified = await trail.verify(db)
    assert (verified.rows, verified.flaws) == (20, [])


@pytest.mark.parametrize(
    "statement",
    [
        "update alarm_audit set data = '{}'",
        "delete from alarm_audit where alarm_id = 71 and n = 3",
        "update audit_anchor set heads = ''",
        "delete from audit_anchor",
    ],
)
async def test_the_audit_cannot_be_changed(written, engine, statement):
    await later(written, engine, 20)
    refused = sqlite3.IntegrityError if engine == "sqlite" else asyncpg.PostgresError
    with pytest.raises(refused, match="append-only"):
        async with written.write() as tx:
            await tx.run(statement)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("update alarm_audit set data = replace(data, 'coming', 'cominG') where alarm_id = 71 and n = 2", (71, 2, "was changed")),
        ("update alarm_audit set actor_id = 2 where alarm_id = 71 and n = 1", (71, 1, "was changed")),
        ("update alarm_audit set hash = 'f' || hash where alarm_id = 72 and n = 3", (72, 3, "was changed")),
        ("update alarm_audit set prev_hash = null where alarm_id = 72 and n = 2", (72, 2, "does not follow the row before it")),
        ("update alarm_audit set hash = null where alarm_id = 72 and n = 2", (72, 2, "has no hash")),
        ("delete from alarm_audit where alarm_id = 71 and n = 2", (71, 2, "is missing")),
        ("delete from alarm_audit where alarm_id = 71 and n = 1", (71, 1, "is missing")),
    ],
)
async def test_the_first_bad_row_is_named(written, administrator, damage, why):
    await administrator(damage)
    flaws = (await trail.verify(written)).flaws
    assert [(flaw.alarm_id, flaw.n, flaw.why) for flaw in flaws] == [why]


@pytest.mark.parametrize("gone", ["alarm_id = 71 and n > 1", "alarm_id = 71"])
async def test_lost_last_rows_do_not_fit_their_anchor(written, engine, administrator, gone):
    await later(written, engine, 20)
    assert (await trail.verify(written)).flaws == []
    await administrator(f"delete from alarm_audit where {gone}")
    assert [(flaw.alarm_id, flaw.n, flaw.why) for flaw in (await trail.verify(written)).flaws] == [(71, 3, "is not as anchor 1 knew it")]


async def test_an_anchor_is_made_once_a_minute_and_only_of_what_grew(written, engine):
    await trail.anchor(written)  # the rows are too young
    await later(written, engine, 20)
    await trail.anchor(written)
    async with written.write() as tx:
        await trail.record(tx, 72, "reopened", 1)
    await later(written, engine, 110)
    await later(written, engine, 300)
    async with written.read() as tx:
        heads = [await tx.value("select heads from audit_anchor where id = :id", id=id) for id in (1, 2, 3)]
    assert [head.count("[") - 1 if head else None for head in heads] == [2, 1, None]
    verified = await trail.verify(written)
    assert (verified.anchors, verified.flaws) == (2, [])


async def test_a_clock_that_was_set_back_leaves_nothing_without_an_anchor(written, engine):
    await later(written, engine, 3600)
    await later(written, engine, 0)
    async with written.write() as tx:
        await trail.record(tx, 73, "trigger", 1)
    await later(written, engine, 20)
    async with written.read() as tx:
        assert '[73,1,"' in await tx.value("select heads from audit_anchor order by id desc limit 1")
    assert (await trail.verify(written)).flaws == []


async def test_more_than_one_anchor_can_hold_follows_at_once(written, engine, monkeypatch):
    monkeypatch.setattr(trail, "MOST", 3)
    for _ in range(4):
        await later(written, engine, 120)
    async with written.read() as tx:
        assert await tx.value("select max(at) from audit_anchor") > await tx.value("select max(at) from alarm_audit where alarm_id = 71")
    verified = await trail.verify(written)
    assert (verified.anchors > 1, verified.flaws) == (True, [])


@pytest.mark.parametrize("damage", ["update audit_anchor set heads = '[]' where id = 1", "delete from audit_anchor where id = 1"])
async def test_a_changed_and_a_lost_anchor_are_found(written, engine, administrator, damage):
    await later(written, engine, 20)
    async with written.write() as tx:
        await trail.record(tx, 73, "trigger", 1)
    await later(written, engine, 120)
    assert (await trail.verify(written)).anchors == 2
    await administrator(damage)
    assert any("or the one before it is missing" in flaw.why for flaw in (await trail.verify(written)).flaws)


async def test_an_anchor_that_the_log_kept_must_be_there(written, engine, administrator):
    await later(written, engine, 20)
    async with written.read() as tx:
        kept = await tx.value("select hash from audit_anchor")
    assert (await trail.verify(written, [kept])).flaws == []
    await administrator("delete from audit_anchor")
    assert [flaw.why for flaw in (await trail.verify(written, [kept])).flaws] == [f"anchor {kept} is missing"]


async def test_rows_of_a_version_without_hashes_are_the_head_of_a_chain(db, engine):
    async with db.write() as tx:
        for n in (1, 2):
            await tx.run(ROW, alarm_id=80, n=n)
        await tx.run(ROW, alarm_id=81, n=1)
        await trail.record(tx, 80, "all_clear", 1)
    await later(db, engine, 20)
    verified = await trail.verify(db)
    assert (verified.rows, verified.unhashed, verified.anchors, verified.flaws) == (4, 3, 1, [])


async def test_a_chain_longer_than_a_page_is_verified_across_it(written, administrator, monkeypatch):
    monkeypatch.setattr(trail, "PAGE", 2)
    assert ((verified := await trail.verify(written)).rows, verified.chains, verified.flaws) == (6, 2, [])
    await administrator("update alarm_audit set kind = 'x' where alarm_id = 71 and n = 3")
    assert [(flaw.alarm_id, flaw.n) for flaw in (await trail.verify(written)).flaws] == [(71, 3)]


async def test_the_command_counts_what_is_whole_and_names_what_is_not(written, fresh, engine, administrator, tmp_path):
    await later(written, engine, 20)
    assert await audit_verify(fresh.settings, tmp_path) == (0, "The audit is whole. Rows: 6. Alarms: 2. Anchors: 1.\n")
    await administrator("update alarm_audit set at = at + 1 where alarm_id = 72 and n = 2")
    assert await audit_verify(fresh.settings, tmp_path) == (1, "Alarm 72: row 2 was changed.\n")
    assert (await audit_verify(fresh.settings, tmp_path, "--anchor", "0" * 64))[1].endswith("Anchor " + "0" * 64 + " is missing.\n")


async def audit_verify(settings, folder, *more):
    given = {"HOLDFAST_DATA_DIR": str(settings.data_dir), "HOLDFAST_DATABASE_URL": settings.database_url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "holdfast", "audit", "verify", *more]
    environment = {**os.environ, **{name: value for name, value in given.items() if value}}
    done = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, _ = await done.communicate()
    return done.returncode, said.decode()


def test_a_minute_lies_between_anchors():
    assert trail.EVERY == MINUTE
