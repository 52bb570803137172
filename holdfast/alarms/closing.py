"""How an alarm ends: taken back in its grace, by the all-clear, or by itself with an honest last message."""

from datetime import UTC, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from holdfast.alarms import case as cases
from holdfast.alarms import rounds, telling, trail
from holdfast.alarms.case import Case
from holdfast.alarms.schemas import Helper, Means, Stopped
from holdfast.clock import HOUR, SECOND
from holdfast.db import Database, Tx
from holdfast.delivery import outbox
from holdfast.errors import Conflict
from holdfast.log import log
from holdfast.profiles import preferences

STILL_HEARD = 24 * HOUR  # after an alarm has ended by itself an all-clear is still news
DAY_BEGINS, DAY_ENDS = time(9), time(20)  # for a check-in, where the person is; alarm.md, section 14
AT_ONCE = 100

CLOSE = """
    update alarm
       set state = 'closed', close_reason = :reason, version = version + 1, closed_at = holdfast_now(), next_step_at = null,
           check_in_at = cast(:check_in_at as bigint)
     where id = :alarm_id"""

OVERDUE = """
    select id from alarm where state <> 'closed' and expires_at <= (select holdfast_now()) order by expires_at limit :limit"""


class Superseded(Conflict):
    """Another alarm has taken the place of this one: stop that one."""


async def stop(tx: Tx, alarm_id: int, actor_id: int, text: str | None, means: Means) -> Stopped:
    """Nobody is told when nobody can have been; else those who were told, and nobody else, hear the all-clear. A second stop answers the same.

    Raises Superseded.
    """
    case = await cases.take(tx, alarm_id, means)
    assert case is not None  # noqa: S101 - its door has found it
    if case.alarm.state == "closed":
        return await _stop_again(tx, case, text)
    told = await _end(tx, case)
    reason = "all_clear" if told else "cancelled"
    await _close(tx, case, reason)
    await telling.to_told(tx, case, "all_clear", told, _all_clear(alarm_id), text=text)
    await trail.record(tx, alarm_id, reason, actor_id, told=len(told))
    return _stopped(reason, case)


async def end_overdue(db: Database, means: Means) -> None:
    async with db.read() as tx:
        overdue = await tx.all(OVERDUE, rounds.Due, limit=AT_ONCE)
    await rounds.each(db, [alarm.id for alarm in overdue], partial(_expire, means=means))


async def _expire(tx: Tx, alarm_id: int, means: Means) -> None:
    """Ends an alarm that is past its end, once, whoever else tries it now."""
    case = await cases.take(tx, alarm_id, means, waits=False)
    if case is None or case.alarm.state == "closed" or case.alarm.expires_at > case.alarm.now:
        return
    told = await _end(tx, case)
    await _close(tx, case, "expired")
    await telling.to_told(tx, case, "closing", told, f"alarm:{alarm_id}:closing")
    await trail.record(tx, alarm_id, "expired", told=len(told))
    if not case.alarm.drill and not any(helper.answered_at for helper in case.helpers):
        tx.after_commit(lambda: log.error("alarm_expired_unanswered", alarm_id=alarm_id, count=len(told)))


async def _end(tx: Tx, case: Case) -> list[Helper]:
    """What nobody has begun to send is cancelled, and only then it is certain whom a message may have reached."""
    await outbox.end_alarm(tx, case.alarm.id)
    case.sent = await outbox.of_alarm(tx, case.alarm.id)
    return case.told()


async def _close(tx: Tx, case: Case, reason: str) -> None:
    check_in_at = None
    if not case.alarm.drill and reason != "cancelled":
        wanted = await preferences.preferences(tx, case.alarm.user_id)
        check_in_at = in_daytime(case.alarm.now + case.scenario.check_in_after * SECOND, wanted.time_zone)
    await tx.run(CLOSE, alarm_id=case.alarm.id, reason=reason, check_in_at=check_in_at)
    await telling.no_more_channels(tx, case.alarm.id)


async def _stop_again(tx: Tx, case: Case, text: str | None) -> Stopped:
    alarm = case.alarm
    if alarm.close_reason == "superseded":
        raise Superseded
    if alarm.close_reason == "expired" and alarm.now - (alarm.closed_at or 0) < STILL_HEARD:
        await telling.to_told(tx, case, "all_clear", case.told(), _all_clear(alarm.id), text=text)
    return _stopped(alarm.close_reason, case)


def in_daytime(at: int, time_zone: str | None) -> int:
    """The same moment, or the next morning of that place when it is early or late there; without a zone, of UTC."""
    zone = ZoneInfo(time_zone) if time_zone else UTC
    there = datetime.fromtimestamp(at // SECOND, zone)
    if DAY_BEGINS <= there.time() < DAY_ENDS:
        return at
    day = there.date() + timedelta(days=1 if there.time() >= DAY_ENDS else 0)
    return int(datetime.combine(day, DAY_BEGINS, zone).timestamp()) * SECOND


def _stopped(reason: str | None, case: Case) -> Stopped:
    """Who is owed an all-clear is on record: what becomes of the other messages later changes no answer."""
    hear = {delivery.alarm_helper_id for delivery in case.sent if delivery.kind == "all_clear"}
    return Stopped("cancelled" if reason == "cancelled" else "all_clear", [helper.name for helper in case.helpers if helper.id in hear])


def _all_clear(alarm_id: int) -> str:
    return f"alarm:{alarm_id}:all_clear"
