"""The live state of an alarm: for each person what is true now."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from holdfast.alarms import case as cases
from holdfast.alarms import sentences
from holdfast.alarms.schemas import AlarmView, ChannelView, Helper, HelperView, History, Means, PastAlarm, Row, State
from holdfast.clock import iso, iso_or_none
from holdfast.db import Tx
from holdfast.delivery import outbox
from holdfast.delivery.schemas import Standing
from holdfast.http import Target

# A grace is over when its time is, whether or not a worker has come by.
COLUMNS = """target.id, target.user_id, target.drill, target.close_reason,
    case when target.state = 'grace' and target.grace_ends_at <= holdfast_now() then 'open' else target.state end as state,
    target.version, target.snapshot, target.created_at, target.grace_ends_at, target.next_step_at, holdfast_now() as now"""

OF_ALARM = Target(source="alarm", key="id", owner="user_id", columns=COLUMNS, into=Row, by_person=False)

AGAIN = f"select {COLUMNS} from alarm target where target.id = :alarm_id"  # noqa: S608 - constants

HISTORY = """
    select id, snapshot, level, drill, state, close_reason, previous_id, created_at, acknowledged_at, closed_at, check_in_at
      from alarm
     where user_id = :user_id and id < :before and (not :live or state <> 'closed')
     order by id desc
     limit :limit"""

CHANGES = {"leased": 0, "pending": 1, "accepted": 2, "delivered": 4}  # of one delivery, see _version; 3 for every other state

NEWEST = 2**62  # before every alarm


class _Kept(Struct):
    id: int
    snapshot: str
    level: int
    drill: bool
    state: State
    close_reason: str | None
    previous_id: int | None
    created_at: int
    acknowledged_at: int | None
    closed_at: int | None
    check_in_at: int | None


async def view(tx: Tx, row: Row, means: Means) -> AlarmView:
    helpers, deliveries = await cases.helpers_of(tx, row.id), await outbox.of_alarm(tx, row.id)
    snapshot = cases.frozen(row.snapshot)
    return AlarmView(
        id=row.id,
        state=row.state,
        close_reason=row.close_reason,
        drill=row.drill,
        version=_version(row, deliveries),
        created_at=iso(row.created_at),
        grace_ends_at=iso_or_none(row.grace_ends_at),
        next_step_at=iso_or_none(row.next_step_at) if row.state == "open" else None,
        line=sentences.line(row, snapshot, helpers, deliveries, means),
        helpers=[_about(helper, deliveries, means.channels) for helper in helpers],
        helplines=means.helplines(snapshot.place, snapshot.veteran, row.now),
    )


async def again(tx: Tx, alarm_id: int) -> Row | None:
    """The alarm as its door would find it now."""
    return await tx.one(AGAIN, Row, alarm_id=alarm_id)


async def version(tx: Tx, row: Row) -> int:
    return _version(row, await outbox.of_alarm(tx, row.id))


async def history(tx: Tx, user_id: int, before: int | None, limit: int, *, live: bool) -> History:
    """The newest first."""
    rows = await tx.all(HISTORY, _Kept, user_id=user_id, before=before or NEWEST, limit=limit + 1, live=live)
    return History([_past(row) for row in rows[:limit]], len(rows) > limit)


def _past(row: _Kept) -> PastAlarm:
    times = (iso(row.created_at), iso_or_none(row.acknowledged_at), iso_or_none(row.closed_at), iso_or_none(row.check_in_at))
    name = cases.frozen(row.snapshot).scenario.name
    return PastAlarm(row.id, name, row.level, row.drill, row.state, row.close_reason, row.previous_id, *times)


def _version(row: Row, deliveries: Sequence[Standing]) -> int:
    """Grows with each claim, finish and receipt too, though none of them may lock the alarm to count there."""
    return row.version + sum(5 * delivery.fence + CHANGES.get(delivery.state, 3) for delivery in deliveries)


def _about(helper: Helper, deliveries: Sequence[Standing], channels: Collection[str]) -> HelperView:
    """Each channel once, with its newest delivery: the one to the corrected address."""
    newest = {delivery.channel: delivery for delivery in deliveries if delivery.alarm_helper_id == helper.id}
    views = [ChannelView(channel, delivery.state, _problem(delivery, channels)) for channel, delivery in newest.items()]
    views += [ChannelView(way.channel, "failed", way.problem) for way in cases.ways_of(helper) if way.problem and way.channel not in newest]
    return HelperView(helper.name, helper.relationship, views, iso_or_none(helper.seen_at), helper.answer, iso_or_none(helper.answered_at))


def _problem(delivery: Standing, channels: Collection[str]) -> str | None:
    if delivery.state == "pending" and delivery.channel not in channels:
        return "not_configured"
    return delivery.error_class if delivery.state in ("pending", "failed") else None
