"""Caps hold back SMS, never a record, and leave every helper one channel (alarm.md, section 12; security.md N1)."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import calling
import pytest
from calling import TRIGGER, count, trusts
from mailserver import free_port
from msgspec import structs

from holdfast.clock import MINUTE, SECOND
from holdfast.db import Database, Tx, open_database
from holdfast.delivery import caps, outbox
from holdfast.delivery.caps import Caps, Due, Planned
from holdfast.delivery.schemas import LINK, Body, Kind, NewDelivery
from holdfast.settings import Settings

IVAN, OLGA = "+380501234567", "+380501234568"
LIMITS = Caps.of(Settings(sms_price=0.1))
KINDS: list[Kind] = ["alarm", "repeat", "staff", "reminder", "summary", "status", "all_clear", "closing"]


@pytest.fixture
async def db(fresh) -> AsyncIterator[Database]:
    db = await open_database(fresh.settings)
    yield db
    await db.close()


async def press(tx: Tx, user_id: int = 1, *, ago: int = 0, state: str = "closed", reason: str | None = "all_clear", drill: bool = False) -> int:
    """An alarm that began `ago` microseconds before now."""
    return await tx.value(
        "insert into alarm (code, user_id, drill, state, close_reason, level, snapshot, answer, expires_at, created_at) values "
        "('0000', :user_id, :drill, :state, :reason, 2, '{}', '', holdfast_now(), holdfast_now() - cast(:ago as bigint)) returning id",
        user_id=user_id,
        ago=ago,
        state=state,
        reason=reason,
        drill=drill,
    )


def sms(to: str = IVAN, kind: Kind = "repeat", *, confirmed: bool = True, alone: bool = False, segments: int = 1) -> Planned:
    return Planned(destination=to, kind=kind, confirmed=confirmed, alone=alone, segments=segments)


numbers = iter(range(10_000_000))


def new(planned: Planned, alarm_id: int | None) -> NewDelivery:
    return NewDelivery(
        dedup_key=f"key {next(numbers)}",
        kind=planned.kind,
        channel="sms",
        destination=planned.destination,
        body=Body("", "Text"),
        deadline_at=2**60,
        alarm_id=alarm_id,
        segments=planned.segments,
    )


async def act(tx: Tx, *planned: Planned, alarm_id: int | None, limits: Caps = LIMITS, user_id: int = 1, first: bool = False) -> list[caps.Cap | None]:
    """What an act does with what it plans."""
    verdicts = await caps.judged(tx, limits, planned, user_id=user_id, alarm_id=alarm_id, first=first)
    for each, cap in zip(planned, verdicts, strict=True):
        assert await outbox.add(tx, structs.replace(new(each, alarm_id), cap=cap))
    return verdicts


async def age(tx: Tx, by: int) -> None:
    await tx.run("update delivery set created_at = created_at - cast(:by as bigint), next_at = next_at - cast(:by as bigint)", by=by)
    await tx.run("update alarm set created_at = created_at - cast(:by as bigint)", by=by)


async def test_a_number_gets_three_in_ten_minutes_and_ten_in_a_day(db):
    async with db.write() as tx:
        alarm = await press(tx, state="open", reason=None)
        sent = []
        for _ in range(5):
            sent += await act(tx, *[sms() for _ in range(4)], alarm_id=alarm)
            await age(tx, 10 * MINUTE)
        assert sent == [None, None, None, "destination"] * 3 + [None] + ["destination"] * 7
        assert await act(tx, sms(OLGA), alarm_id=alarm) == [None]
        await age(tx, 24 * 60 * MINUTE)
        assert await act(tx, sms(), alarm_id=alarm) == [None]


async def test_a_user_has_twenty_in_a_day_wherever_they_go(db):
    async with db.write() as tx:
        alarms = [await press(tx), await press(tx, state="open", reason=None)]
        verdicts = [verdict for alarm in alarms for verdict in await act(tx, *[sms(f"+38050000{n:04}") for n in range(12)], alarm_id=alarm)]
        assert Counter(verdicts) == {None: 20, "user": 4}
        theirs = await press(tx, 2, state="open", reason=None)
        assert await act(tx, sms(OLGA), alarm_id=theirs, user_id=2) == [None]


async def test_an_invitation_counts_for_its_user(db):
    async with db.write() as tx:
        contact = await tx.value(
            "insert into contact (user_id, name, phone, relationship, created_at) values (1, 'Ivan', :to, 'brother', 0) returning id", to=IVAN
        )
        way = await tx.value(
            "insert into contact_channel (contact_id, channel, destination, state) values (:contact, 'sms', :to, 'unconfirmed') returning id",
            contact=contact,
            to=IVAN,
        )
        await outbox.add(tx, structs.replace(new(sms(kind="invitation"), None), contact_channel_id=way))
        limits = structs.replace(LIMITS, user_day=1)
        assert await act(tx, sms(OLGA), alarm_id=await press(tx), limits=limits) == ["user"]


async def test_everybody_together_has_an_hour_s_worth(db):
    limits = structs.replace(LIMITS, hour=2)
    async with db.write() as tx:
        for user_id, expected in ((1, None), (2, None), (3, "hour")):
            alarm = await press(tx, user_id)
            assert await act(tx, sms(f"+3805012345{user_id}0"), alarm_id=alarm, user_id=user_id, limits=limits) == [expected]
        await age(tx, 60 * MINUTE)
        assert await act(tx, sms(OLGA), alarm_id=await press(tx), limits=limits) == [None]


@pytest.mark.parametrize("nothing_left", [{"ten_minutes": 0, "day": 0}, {"user_day": 0}, {"hour": 0}])
async def test_no_count_holds_back_the_first_messages_the_end_or_who_has_nothing_else(db, nothing_left):
    limits = structs.replace(LIMITS, **nothing_left)
    async with db.write() as tx:
        alarm = await press(tx, state="open", reason=None)
        assert await act(tx, sms(kind="alarm"), alarm_id=alarm, limits=limits, first=True) == [None]
        assert None not in await act(tx, sms(kind="alarm"), sms(kind="repeat", alone=True), sms(kind="status"), alarm_id=alarm, limits=limits)
        assert await act(tx, sms(kind="summary", alone=True), sms(kind="alarm", alone=True), alarm_id=alarm, limits=limits) == [None, None]
        assert await act(tx, sms(kind="all_clear"), sms(kind="closing"), alarm_id=alarm, limits=limits) == [None, None]


async def test_with_the_money_gone_sms_go_to_those_alone_who_have_nothing_else(db):
    limits = structs.replace(LIMITS, money_day=0.5)
    async with db.write() as tx:
        alarm = await press(tx, state="open", reason=None)
        assert await act(tx, sms(segments=2), sms(OLGA, segments=2), sms(OLGA, segments=2), alarm_id=alarm, limits=limits) == [None, None, "money"]
        assert await act(tx, sms(OLGA, "alarm"), sms(IVAN, "alarm"), alarm_id=alarm, limits=limits, first=True) == [None, "money"]
        assert await act(tx, sms(kind="alarm", alone=True), sms(kind="repeat", alone=True), alarm_id=alarm, limits=limits) == [None, None]
        assert await caps.spent(tx, limits) == pytest.approx(0.7)
        await tx.run("update delivery set ambiguous = 1 where kind = 'alarm' and destination = :to and state = 'pending'", to=OLGA)
        assert await caps.spent(tx, limits) == pytest.approx(0.8)
        await age(tx, 24 * 60 * MINUTE)
        assert await caps.spent(tx, limits) == 0


async def test_who_has_not_said_yes_gets_one_for_each_alarm_and_three_in_a_day(db):
    def unsure(kind: Kind) -> Planned:
        return sms(kind=kind, confirmed=False, alone=True)

    async with db.write() as tx:
        for number in range(4):
            alarm = await press(tx)
            expected = [None if number < 3 else "unconfirmed", "unconfirmed", None]
            assert await act(tx, unsure("alarm"), unsure("repeat"), unsure("all_clear"), alarm_id=alarm, first=True) == expected
        theirs = await press(tx, 2, state="open", reason=None)
        assert await act(tx, unsure("alarm"), alarm_id=theirs, user_id=2, first=True) == [None]


async def test_invitations_are_three_in_a_day_and_use_up_nothing_of_an_alarm(db):
    async with db.write() as tx:
        limits = structs.replace(LIMITS, ten_minutes=10)
        asked = [sms(kind="invitation", confirmed=False) for _ in range(4)]
        assert await act(tx, *asked, alarm_id=None, limits=limits) == [None, None, None, "unconfirmed"]
        assert await act(tx, sms(kind="alarm", confirmed=False), alarm_id=await press(tx), limits=limits, first=True) == [None]


async def test_what_never_left_uses_up_nothing(db):
    async with db.write() as tx:
        alarm = await press(tx, state="open", reason=None)
        for _ in range(4):
            assert await act(tx, sms(), alarm_id=alarm) == [None]
            await outbox.end_alarm(tx, alarm)
        await act(tx, *[sms() for _ in range(9)], alarm_id=alarm)
        await outbox.end_alarm(tx, alarm)
        assert await act(tx, sms(), alarm_id=alarm) == [None]


async def test_what_is_held_back_is_on_record_as_failed_and_never_sent(db):
    async with db.write() as tx:
        alarm = await press(tx, state="open", reason=None)
        held = structs.replace(new(sms(), alarm), cap="user")
        assert [bool(await outbox.add(tx, held)), bool(await outbox.add(tx, held))] == [True, False]
        assert not await outbox.add(tx, structs.replace(held, cap=None))
        standing = await tx.row("select state, error_class from delivery")
        assert tuple(standing) == ("failed", "capped")
        assert not await outbox.is_due(tx, "sms")


async def test_after_three_alarms_in_an_hour_one_summary_in_ten_minutes(db):
    addresses = [("sms", IVAN), ("email", "ivan@example.org")]

    async def due(user_id: int = 1, drill: bool = False) -> tuple[int, list[Due]]:
        alarm = await press(tx, user_id, drill=drill)
        crowd = await caps.crowd(tx, user_id=user_id, alarm_id=alarm)
        return alarm, list((await caps.summary_due(tx, crowd, user_id=user_id, addresses=addresses)).values())

    async with db.write() as tx:
        for _ in range(2):
            await press(tx, reason="cancelled")
        for _ in range(3):
            assert (await due())[1] == [Due(), Due()]
        alarm, fourth = await due()
        assert fourth == [Due("summary", 4), Due("summary", 4)]
        assert (await due(drill=True))[1] == (await due(2))[1] == [Due(), Due()]
        await act(tx, sms(kind="summary", alone=True), alarm_id=alarm)
        await age(tx, 4 * MINUTE)
        _, (waits, at_once) = await due()
        assert (waits.kind, waits.count, at_once) == ("summary", 5, Due("summary", 5))
        assert 5.5 * MINUTE < waits.wait <= 6 * MINUTE
        await age(tx, 10 * MINUTE)
        assert (await due())[1] == [Due("alarm"), Due("alarm")]  # the only one in ten minutes needs no count
        assert (await due())[1] == [Due("summary", 2), Due("summary", 2)]


async def test_only_a_fourth_alarm_in_an_hour_is_no_longer_exempt(db):
    async with db.write() as tx:
        firsts = []
        for _ in range(5):
            alarm = await press(tx)
            firsts.append((await caps.crowd(tx, user_id=1, alarm_id=alarm)).first)
        assert firsts == [True, True, True, False, False]
        await age(tx, 60 * MINUTE)
        assert (await caps.crowd(tx, user_id=1, alarm_id=await press(tx))).first
        assert not (await caps.crowd(tx, user_id=1, alarm_id=await press(tx, drill=True))).first


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_planned_no_count_is_passed_but_by_what_is_owed(db, seed):
    """Against a ledger kept by hand, over many acts of two users at three numbers."""
    chance, limits = random.Random(seed), structs.replace(LIMITS, user_day=15, hour=30, money_day=4.0)  # noqa: S311 - no secret
    now, ledger = 0, []  # when, user, alarm, SMS
    async with db.write() as tx:
        for _ in range(60):
            now += (step := chance.choice([0, 1, 5, 15, 60]) * MINUTE)
            await age(tx, step + SECOND)
            now += SECOND
            user_id = chance.choice([1, 2])
            alarm, first = await press(tx, user_id), chance.random() < 0.3
            planned = [
                sms(
                    f"+38050000000{chance.randrange(3)}",
                    chance.choice(KINDS),
                    confirmed=chance.random() < 0.7,
                    alone=chance.random() < 0.3,
                    segments=chance.choice([1, 2]),
                )
                for _ in range(chance.randrange(1, 5))
            ]
            verdicts = await act(tx, *planned, alarm_id=alarm, user_id=user_id, limits=limits, first=first)
            for each, verdict in zip(planned, verdicts, strict=True):
                if verdict is None:
                    check(ledger, now, user_id, alarm, each, limits, owed=first and each.kind == "alarm")
                    ledger.append((now, user_id, alarm, each))
    assert len(ledger) > 30


def check(ledger: list, now: int, user_id: int, alarm: int, each: Planned, limits: Caps, *, owed: bool) -> None:
    """That this SMS was allowed to join those that left before it."""
    day = [entry for entry in ledger if now - entry[0] < caps.DAY]
    telling = [entry for entry in day if entry[3].kind not in caps.LAST]
    same = [entry for entry in telling if entry[1] == user_id and entry[3].destination == each.destination]
    if not each.confirmed and each.kind not in caps.LAST:
        assert len(same) < 3 and not any(entry[2] == alarm for entry in same)
    if not each.alone:
        assert sum(entry[3].segments for entry in day) + each.segments <= limits.money_day / limits.price + 1e-6
    if owed or each.kind in caps.LAST or (each.alone and each.kind in caps.TELLING):
        return
    to = [entry for entry in day if entry[3].destination == each.destination]
    assert len(to) < limits.day
    assert each.kind == "summary" or len([entry for entry in to if now - entry[0] < caps.TEN_MINUTES]) < limits.ten_minutes
    assert len([entry for entry in day if entry[1] == user_id]) < limits.user_day
    assert len([entry for entry in day if now - entry[0] < caps.HOUR]) < limits.hour


class Counting:
    """A transaction that counts its statements."""

    def __init__(self, tx: Tx) -> None:
        self._tx, self.count = tx, 0

    def __getattr__(self, name: str) -> object:
        self.count += name in ("one", "all", "value", "row", "run")
        return getattr(self._tx, name)


async def test_an_act_costs_a_few_statements_however_many_it_tells(db):
    async with db.write() as tx:
        alarm = await press(tx, state="open", reason=None)
        for number in (1, 200):
            counting = Counting(tx)
            planned = [sms(f"+3805{n:08}", "alarm") for n in range(number)]
            await caps.judged(counting, LIMITS, planned, user_id=1, alarm_id=alarm, first=True)
            assert counting.count == 1
            await caps.judged(counting, structs.replace(LIMITS, money_day=1), planned, user_id=1, alarm_id=alarm)
            assert counting.count == 5


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_1000_alarms_cost_bounded(db):
    """A thousand alarms, each ended at once: what a number costs is bounded, and every one of them is on record."""
    sent = []
    async with db.write() as tx:
        for _ in range(1000):
            alarm = await press(tx)
            crowd = await caps.crowd(tx, user_id=1, alarm_id=alarm)
            due = (await caps.summary_due(tx, crowd, user_id=1, addresses=[("sms", IVAN)]))["sms", IVAN]
            if not due.wait:
                sent += await act(tx, sms(kind=due.kind), alarm_id=alarm, first=crowd.first)
        assert await tx.value("select count(*) from alarm") == 1000
    assert sent == [None] * 4  # three first messages and one summary


class TestOverHttp:
    @pytest.fixture
    def settings(self) -> dict[str, str]:
        """An SMS service is set up, but it is not there."""
        return {"sms_url": f"http://account:secret@127.0.0.1:{free_port()}/Messages.json", "sms_from": "+4915112345678"}

    @pytest.mark.parametrize("engine", ["sqlite"])
    async def test_1000_triggers_cost_bounded(self, server, maya):
        await trusts(maya, calling.IVAN)

        async def press_many(times: int) -> set[tuple[int, str]]:
            answers = [await maya.post(TRIGGER) for _ in range(times)]
            return {(answer.status, answer.headers["location"]) for answer in answers}

        found = await asyncio.gather(*[press_many(200) for _ in range(5)])
        assert set().union(*found) == {(200, "/api/v1/event/1/")}
        assert await count(server, "alarm") == 1
        assert await count(server, "delivery", "channel = 'sms' and (state = 'pending' or attempt > 0)") == 1


async def test_a_link_is_measured_as_it_will_be_sent():
    address = Caps.of(Settings(public_url="https://help.example.org")).link
    assert address == len("https://help.example.org/a/Abcdefghij0123456789Ab")
    assert LIMITS.segments("a" * 100 + LINK) == 1
    assert LIMITS.segments("a" * 120 + LINK) == 2
    assert LIMITS.segments("я" * 70) == 1
