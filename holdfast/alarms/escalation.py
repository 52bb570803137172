"""What an alarm does by itself while nobody answers: the end of the grace, the next step, the next channel, the question to who helps."""

from functools import partial

from holdfast.alarms import case as cases
from holdfast.alarms import rounds, telling, trail
from holdfast.alarms.case import Case
from holdfast.alarms.schemas import Group, Helper, Means, Step
from holdfast.alarms.service import wait_before
from holdfast.clock import SECOND
from holdfast.db import Database, Tx
from holdfast.log import log

AT_ONCE = 100  # alarms in one round
GROUPS: dict[str, Group] = {"contact": "contacts", "therapist": "therapist", "staff": "staff_on_call"}

DUE = """
    select id from alarm where state <> 'closed' and next_step_at <= (select holdfast_now()) order by next_step_at limit :limit"""

OPEN = """
    update alarm set state = 'open', next_step_at = grace_ends_at + cast(:wait as bigint), longest_wait = :wait, version = version + 1
     where id = :alarm_id and state = 'grace'"""

# 0 rows: done by another, or answered.
ESCALATE = """
    update alarm set step = step + 1, next_step_at = holdfast_now() + cast(:wait as bigint), longest_wait = :wait, version = version + 1
     where id = :alarm_id and state = 'open' and step = :seen and next_step_at <= holdfast_now()"""

REMINDED = """
    update alarm set reminded_at = holdfast_now(), next_step_at = holdfast_now() + :wait, longest_wait = :wait, version = version + 1
     where id = :alarm_id and state = 'acknowledged'"""

REOPEN = """
    update alarm
       set state = 'open', reminded_at = null, version = version + 1, longest_wait = 0,
           next_step_at = case when drill then null else holdfast_now() end
     where id = :alarm_id and state = 'acknowledged'
       and not exists (select 1 from alarm newer
                        where newer.user_id = alarm.user_id and newer.drill = alarm.drill and newer.state in ('grace', 'open'))"""

# A press has made a newer one, which is live: there is only one.
GIVE_WAY = """
    update alarm
       set state = 'closed', close_reason = 'superseded', version = version + 1, closed_at = holdfast_now(), next_step_at = null
     where id = :alarm_id"""

# When somebody answered is kept: it was not an alarm that nobody heard.
NOBODY_HELPS = "update alarm_helper set answer = null where alarm_id = :alarm_id and answer in ('calling', 'coming')"

HURRY = """
    update alarm set next_step_at = holdfast_now(), longest_wait = 0, version = version + 1
     where id = :alarm_id and state = 'open' and not drill"""

# Nothing may be further away than its own rule allows, whatever a clock did; doing it twice changes nothing.
_TOO_FAR = "state <> 'closed' and next_step_at > (select holdfast_now()) + longest_wait + 1000000"

IS_TOO_FAR = f"select 1 from alarm where {_TOO_FAR} limit 1"  # noqa: S608 - constants

SHORTEN = f"update alarm set next_step_at = holdfast_now() + longest_wait where {_TOO_FAR}"  # noqa: S608 - constants

# In a partial index of those who still wait for one.
CHANNEL_TOO_FAR = "next_channel_at is not null and next_channel_at > (select holdfast_now()) + cast(:longest as bigint)"

IS_CHANNEL_TOO_FAR = f"select 1 from alarm_helper where {CHANNEL_TOO_FAR} limit 1"  # noqa: S608 - constants

SHORTEN_CHANNEL = f"update alarm_helper set next_channel_at = holdfast_now() where {CHANNEL_TOO_FAR}"  # noqa: S608 - constants

# Who waits for a next channel: its time has come, or what was started has failed, is unknown, or was tried twice.
NEXT = """
    select h.alarm_id as id
      from alarm_helper h join alarm a on a.id = h.alarm_id
     where h.next_channel_at is not null and a.state = 'open'
       and (h.next_channel_at <= (select holdfast_now())
            or exists (select 1 from delivery d
                        where d.alarm_id = h.alarm_id and d.alarm_helper_id = h.id and d.kind in ('alarm', 'staff', 'summary')
                          and (d.state = 'failed' or d.ambiguous > 0 or (d.state = 'pending' and d.attempt >= :tries))))
     order by h.next_channel_at limit :limit"""


async def run_due(db: Database, means: Means) -> None:
    """Every live alarm whose time has come, each in a transaction of its own."""
    async with db.read() as tx:
        due = await tx.all(DUE, rounds.Due, limit=AT_ONCE)
    await rounds.each(db, [alarm.id for alarm in due], partial(advance, means=means, waits=False))


async def start_next_channels(db: Database, means: Means) -> None:
    async with db.read() as tx:
        waiting = await tx.all(NEXT, rounds.Due, tries=telling.TRIES, limit=AT_ONCE)
    await rounds.each(db, dict.fromkeys(row.id for row in waiting), partial(_start_next_channels, means=means))


async def _start_next_channels(tx: Tx, alarm_id: int, means: Means) -> None:
    case = await cases.take(tx, alarm_id, means, waits=False)
    for helper in case.helpers if case and case.alarm.state == "open" else ():
        if case and helper.next_channel_at is not None:
            await telling.next_channel(tx, case, helper, helper.next_channel_at)


async def shorten_waits(db: Database, means: Means) -> None:
    longest = (means.grace_max + max(means.fallback_after, telling.UNKNOWN_AFTER) + 1) * SECOND
    async with db.read() as tx:
        if not await tx.value(IS_TOO_FAR) and not await tx.value(IS_CHANNEL_TOO_FAR, longest=longest):
            return
    async with db.write(alarm=True) as tx:
        count = await tx.run(SHORTEN)
        await tx.run(SHORTEN_CHANNEL, longest=longest)
    log.error("clock_step", count=count, reason="The clock was set back; an alarm would have waited longer than its scenario says.")


async def advance(tx: Tx, alarm_id: int, means: Means, *, waits: bool = True) -> None:
    """One thing that is due, once, whoever else tries it now."""
    case = await cases.take(tx, alarm_id, means, waits=waits)
    if case is None or case.alarm.next_step_at is None or case.alarm.next_step_at > case.alarm.now:
        return
    match case.alarm.state:
        case "grace":
            await tx.run(OPEN, alarm_id=alarm_id, wait=wait_before(case.scenario, 1, drill=case.alarm.drill))
            await trail.record(tx, alarm_id, "grace_over")
        case "open":
            await _run_step(tx, case)
        case "acknowledged" if case.alarm.reminded_at is None:
            await _remind(tx, case)
        case "acknowledged":
            await reopen(tx, case, "silence", next(iter(case.helping()), None))


async def escalate(tx: Tx, alarm_id: int, actor_id: int, means: Means) -> bool:
    """Staff want the next step at once. False when the alarm is not open."""
    if not await tx.run(HURRY, alarm_id=alarm_id):
        return False
    await trail.record(tx, alarm_id, "escalate", actor_id)
    await advance(tx, alarm_id, means)
    return True


async def hurry(tx: Tx, alarm_id: int) -> None:
    """The next step runs within one round of the worker."""
    await tx.run(HURRY, alarm_id=alarm_id)


async def reopen(tx: Tx, case: Case, reason: str, last: Helper | None) -> None:
    """Nobody helps any more, the `last` one neither: the next step at once, and the others who were told hear it."""
    if not await tx.run(REOPEN, alarm_id=case.alarm.id):
        await tx.run(GIVE_WAY, alarm_id=case.alarm.id)
        await trail.record(tx, case.alarm.id, "superseded")
        return
    await tx.run(NOBODY_HELPS, alarm_id=case.alarm.id)
    await trail.record(tx, case.alarm.id, "reopened", reason=reason)
    if last:
        await telling.status(tx, case, last, "reopened")


async def _run_step(tx: Tx, case: Case) -> None:
    alarm, number = case.alarm, case.alarm.step + 1
    wait = wait_before(case.scenario, number + 1, drill=alarm.drill)
    if not await tx.run(ESCALATE, alarm_id=alarm.id, seen=alarm.step, wait=wait):
        return
    step = case.scenario.steps[min(number, len(case.scenario.steps) - 1)]
    new, messages = await _tell_step(tx, case, step, number)
    await trail.record(tx, alarm.id, "step", step=number, new=new, messages=messages)


async def _tell_step(tx: Tx, case: Case, step: Step, number: int) -> tuple[int, int]:
    """Who has not been told is told; who has been hears news, when the step is a repeat."""
    known, new = [helper for helper in case.helpers if GROUPS[helper.kind] in step.tell], 0
    there = {GROUPS[helper.kind] for helper in known}
    for group in step.tell:
        if group == "staff_on_call" or group not in there:  # who is on call changes; everybody else is frozen
            persons = await telling.people(tx, case.alarm.user_id, [group], case.means)
            new += len(await telling.first(tx, case, persons, "staff" if group == "staff_on_call" else "alarm", number))
    return new, await telling.again(tx, case, known, number) if step.text == "repeat" else 0


async def _remind(tx: Tx, case: Case) -> None:
    """Acknowledged is not over: who said that he or she is helping is asked again."""
    await tx.run(REMINDED, alarm_id=case.alarm.id, wait=case.scenario.answer_wait * SECOND)
    key = f"alarm:{case.alarm.id}:reminder:{case.alarm.acknowledged_at}"
    asked = await telling.to_told(tx, case, "reminder", case.helping(), key)
    await trail.record(tx, case.alarm.id, "reminder", asked=asked)
