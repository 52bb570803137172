"""How an alarm ends: taken back in its grace, by the all-clear, or by itself with an honest last message."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from holdfast.alarms import case as cases
from holdfast.alarms import telling, trail
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


class _Id(Struct):
    id: int


async def stop(tx: Tx, alarm_id: int, actor_id: int, text: str | None, means: Means) -> Stopped:
    """Nobody is told when nobody can have been; else those who were told, and nobody else, hear the all-clear. A second stop answers the same.

    Raises Superseded.
    """
    case = await cases.take(tx, alarm_id, means)
    assert case is not None  # noqa: S101 - its door has found it
    told = case.told()
    if case.alarm.state == "closed":
        return await _stop_again(tx, case, told, text)
    told = await _end(tx, case)
    reason = "all_clear" if told else "cancelled"
    await _close(tx, case, reason)
    await telling.to_told(tx, case, "all_clear", told, _all_clear(alarm_id), text=text)
    await trail.record(tx, alarm_id, reason, actor_id, told=len(told))
    return _stopped(reason, told)


async def end_overdue(db: Database, means: Means) -> None:
    async with db.read() as tx:
        overdue = await tx.all(OVERDUE, _Id, limit=AT_ONCE)
    for alarm in overdue:
        async with db.write(alarm=True) as tx:
            await expire(tx, alarm.id, means)


async def expire(tx: Tx, alarm_id: int, means: Means) -> None:
    """Ends an alarm that is past its end, once, whoever else tries it now."""
    case = await cases.take(tx, alarm_id, means)
    if case is None or case.alarm.state == "closed" or case.alarm.expires_at > case.alarm.now:
        return
    told = await _end(tx, case)
    await _close(tx, case, "expired")
    await telling.to_told(tx, case, "closing", told, f"alarm:{alarm_id}:closing")
    await trail.record(tx, alarm_id, "expired", told=len(told))
    if not case.alarm.drill and not any(helper.answer for helper in case.helpers):
        tx.after_commit(lambda: log.error("alarm_expired_unanswered", alarm_id=alarm_id, told=len(told)))


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


async def _stop_again(tx: Tx, case: Case, told: list[Helper], text: str | None) -> Stopped:
    alarm = case.alarm
    if alarm.close_reason == "superseded":
        raise Superseded
    if alarm.close_reason == "expired" and alarm.now - (alarm.closed_at or 0) < STILL_HEARD:
        await telling.to_told(tx, case, "all_clear", told, _all_clear(alarm.id), text=text)
    return _stopped(alarm.close_reason, told)


def in_daytime(at: int, time_zone: str | None) -> int:
    """The same moment, or the next morning of that place when it is early or late there; without a zone, of UTC."""
    zone = ZoneInfo(time_zone) if time_zone else UTC
    there = datetime.fromtimestamp(at // SECOND, zone)
    if DAY_BEGINS <= there.time() < DAY_ENDS:
        return at
    day = there.date() + timedelta(days=1 if there.time() >= DAY_ENDS else 0)
    return int(datetime.combine(day, DAY_BEGINS, zone).timestamp()) * SECOND


def _stopped(reason: str | None, told: list[Helper]) -> Stopped:
    return Stopped("cancelled", []) if reason == "cancelled" else Stopped("all_clear", [helper.name for helper in told])


def _all_clear(alarm_id: int) -> str:
    return f"alarm:{alarm_id}:all_clear"
