"""The outbox: what is due, who holds it, and what becomes of it."""

from collections.abc import AsyncIterator

import pytest

from holdfast.clock import SECOND
from holdfast.db import Database, open_database
from holdfast.delivery import outbox
from holdfast.delivery.schemas import Body, Kind, Leased, NewDelivery
from holdfast.outside.sending import Sent

ACCEPTED, LATER, DOUBT, NEVER = Sent("accepted", "250"), Sent("temporary", "451"), Sent("ambiguous"), Sent("permanent", "550")


@pytest.fixture
async def db(fresh) -> AsyncIterator[Database]:
    db = await open_database(fresh.settings)
    yield db
    await db.close()


async def now(db: Database) -> int:
    async with db.read() as tx:
        return await tx.value("select holdfast_now()")


async def put(db: Database, key: str = "one", *, lives: int = 7200 * SECOND, kind: Kind = "alarm") -> bool:
    deadline = await now(db) + lives
    async with db.write() as tx:
        new = NewDelivery(
            dedup_key=key,
            kind=kind,
            channel="email",
            destination="ivan@example.org",
            body=Body("Subject", "Text"),
            deadline_at=deadline,
        )
        return bool(await outbox.add(tx, new))


async def claim(db: Database, worker: str = "a", free: int = 8) -> list[Leased]:
    async with db.write() as tx:
        return await outbox.claim(tx, worker, "email", free)


async def finish(db: Database, delivery: Leased, sent: Sent, worker: str = "a") -> bool:
    async with db.write() as tx:
        return await outbox.finish(tx, worker, delivery, sent)


async def make_due(db: Database) -> None:
    async with db.write() as tx:
        await tx.run("update delivery set next_at = holdfast_now()")


async def row(db: Database, columns: str, table: str = "delivery", where: str = "true") -> tuple:
    async with db.read() as tx:
        found = await tx.row(f"select {columns} from {table} where {where}")
        return tuple(found) if found else ()


async def test_the_same_key_is_put_once(db):
    assert [await put(db), await put(db), await put(db, "other")] == [True, False, True]


async def test_what_one_holds_no_other_gets(db):
    await put(db)
    assert len(await claim(db, "a")) == 1
    assert await claim(db, "b") == []
    async with db.read() as tx:
        assert not await outbox.is_due(tx, "email")


async def test_no_more_are_taken_than_can_be_sent_and_the_urgent_first(db):
    await put(db, "later", kind="check_in")
    await put(db, "now", kind="alarm")
    await put(db, "soon", kind="repeat")
    assert len(first := await claim(db, free=2)) == 2
    assert {delivery.fence for delivery in first} == {1}
    assert await row(db, "dedup_key", where="state = 'pending'") == ("later",)


async def test_an_accepted_one_is_done(db):
    await put(db)
    (delivery,) = await claim(db)
    assert await finish(db, delivery, ACCEPTED)
    assert await row(db, "state, attempt, error_class") == ("accepted", 1, None)
    assert await row(db, "n, outcome, provider_code, worker", "delivery_attempt") == (1, "accepted", "250", "a")
    await make_due(db)
    assert await claim(db) == []


async def test_a_lost_lease_is_taken_up_and_the_first_holder_can_change_nothing(db):
    """The zombie: stopped in mid-send, it comes back when another has taken over."""
    await put(db)
    (mine,) = await claim(db, "a")
    await make_due(db)
    (theirs,) = await claim(db, "b")
    assert (theirs.ref, theirs.fence, theirs.attempt) == (mine.ref, 2, 2)
    before = await row(db, "*")
    assert not await finish(db, mine, ACCEPTED, "a")
    assert await row(db, "*") == before
    assert await row(db, "outcome, detail", "delivery_attempt", "n = 1") == ("lease_lost", "late: accepted")
    assert await finish(db, theirs, ACCEPTED, "b")
    assert await row(db, "state") == ("accepted",)


async def test_a_lease_ends_after_thirty_seconds(db):
    await put(db)
    await claim(db)
    lasts = (await row(db, "next_at - holdfast_now()"))[0] / SECOND
    assert 29 < lasts <= 30


async def test_a_temporary_failure_waits_its_backoff(db):
    await put(db)
    for seconds in (2, 5, 10, 20, 40, 60, 60):
        (delivery,) = await claim(db)
        assert await finish(db, delivery, LATER)
        state, error, wait = await row(db, "state, error_class, next_at - holdfast_now()")
        assert (state, error) == ("pending", "temporary")
        assert 0.8 * seconds - 0.5 < wait / SECOND <= 1.2 * seconds
        assert await claim(db) == []
        await make_due(db)


async def test_a_permanent_failure_is_not_tried_again(db):
    await put(db)
    (delivery,) = await claim(db)
    await finish(db, delivery, NEVER)
    await make_due(db)
    assert await claim(db) == []
    assert await row(db, "state, error_class") == ("failed", "permanent")


async def test_doubt_is_tried_three_times_and_said(db):
    await put(db)
    for state in ("pending", "pending", "failed"):
        (delivery,) = await claim(db)
        await finish(db, delivery, DOUBT)
        assert await row(db, "state, error_class") == (state, "ambiguous")
        await make_due(db)
    assert await claim(db) == []


async def test_past_its_deadline_nothing_is_sent_and_it_is_given_up(db):
    await put(db, lives=-1)
    assert await claim(db) == []
    async with db.read() as tx:
        assert await outbox.is_untidy(tx, ["email"])
    async with db.write() as tx:
        assert await outbox.tidy(tx, ["email"]) == 1
    assert await row(db, "state, error_class") == ("failed", "expired")
    async with db.read() as tx:
        assert not await outbox.is_untidy(tx, ["email"])


async def test_what_is_on_its_way_at_the_deadline_keeps_its_result(db):
    await put(db)
    (delivery,) = await claim(db)
    async with db.write() as tx:
        await tx.run("update delivery set deadline_at = holdfast_now()")
        assert await outbox.tidy(tx, ["email"]) == 0
    assert await finish(db, delivery, ACCEPTED)


async def test_a_clock_set_back_delays_nothing_beyond_its_rule(db):
    hour = 3600 * SECOND
    await put(db, "unsent")
    await put(db, "retried")
    async with db.write() as tx:
        await tx.run("update delivery set next_at = holdfast_now() + :hour", hour=hour)
        await tx.run("update delivery set attempt = 3 where dedup_key = 'retried'")
        await outbox.tidy(tx, ["email"])
    assert (await row(db, "next_at <= holdfast_now()", where="dedup_key = 'unsent'"))[0]
    assert (await row(db, "next_at <= holdfast_now() + 72000000", where="dedup_key = 'retried'"))[0]
    async with db.read() as tx:
        assert not await outbox.is_untidy(tx, ["email"])


async def test_a_provider_that_refuses_us_is_told_apart_from_one_that_is_busy(db):
    await put(db)
    (delivery,) = await claim(db)
    await finish(db, delivery, Sent("temporary", "20003", refused_us=True))
    async with db.read() as tx:
        assert tuple(await tx.row("select state, error_class from delivery")) == ("pending", "configuration")
