"""Pressing: an alarm comes to be, or a press folds into the one that is live."""

import functools
import secrets

import msgspec
from msgspec import Struct

from holdfast.accounts import service as accounts
from holdfast.alarms import case as cases
from holdfast.alarms import scenarios, sentences, telling, trail
from holdfast.alarms.case import Case
from holdfast.alarms.schemas import Alarm, Called, Caller, Group, Means, Music, Scenario, Snapshot
from holdfast.clock import SECOND
from holdfast.contacts.schemas import Person
from holdfast.db import Sql, Tx
from holdfast.delivery import outbox
from holdfast.errors import NotFound
from holdfast.log import log
from holdfast.music import service as music
from holdfast.profiles import preferences

PULL_AFTER, PULL_EVERY = 10, 30  # seconds; alarm.md, section 7
REMEMBERED = 24 * 3600 * SECOND  # of an Idempotency-Key

# New when tap_count comes back as 1, else a repeat of the live one: nobody is told twice, and no press is lost between two at once.
PRESS = f"""
    insert into alarm (code, user_id, drill, level, state, snapshot, answer, previous_id, last_tap_at, created_at, expires_at,
                       grace_ends_at, next_step_at, longest_wait)
    values (:code, :user_id, :drill, :level, :state, :snapshot, '',
            (select max(id) from alarm where user_id = :user_id and drill = :drill),
            holdfast_now(), holdfast_now(), holdfast_now() + :life,
            holdfast_now() + cast(:grace as bigint), holdfast_now() + cast(:wait as bigint), :wait)
    on conflict (user_id, drill) where state in ('grace', 'open') do update set tap_count = alarm.tap_count + 1
    returning {cases.ALARM}"""  # noqa: S608 - constants

# Whoever answers one of them now is waited for: a press must find it as it will be.
LIVE = Sql(
    sqlite="select id from alarm where user_id = :user_id and state <> 'closed'",
    postgres="select id from alarm where user_id = :user_id and state <> 'closed' order by id for no key update",
)

KEEP = """
    update alarm
       set answer = :answer, snapshot = :snapshot, last_tap_at = holdfast_now(), version = version + cast(:change as integer)
     where id = :alarm_id"""

# A press is never swallowed by an alarm that is past its end, that somebody has answered, or that asked for less; nor by a drill.
IN_THE_WAY = """
    update alarm
       set state = 'closed', version = version + 1, closed_at = holdfast_now(), next_step_at = null,
           close_reason = case when expires_at <= holdfast_now() then 'expired' else 'superseded' end
     where user_id = :user_id and state <> 'closed'
       and (drill or expires_at <= holdfast_now() or level < :level or state = 'acknowledged')
       and drill >= :drill
    returning id, close_reason"""

END_GRACE = """
    update alarm set state = 'open', next_step_at = holdfast_now() + cast(:wait as bigint), longest_wait = :wait, version = version + 1
     where id = :alarm_id and state = 'grace'"""

PULLED = "update alarm set last_pull_at = holdfast_now(), version = version + 1 where id = :alarm_id"

KNOWN_KEY = """
    select alarm_id as id, answer from alarm_key where user_id = :user_id and key = :key and created_at > holdfast_now() - :remembered"""

REMEMBER = """
    insert into alarm_key (user_id, key, alarm_id, answer, created_at) values (:user_id, :key, :alarm_id, :answer, holdfast_now())
    on conflict (user_id, key) do update set alarm_id = :alarm_id, answer = :answer, created_at = holdfast_now()"""


FORGET_KEYS = "delete from alarm_key where user_id = :user_id and created_at <= holdfast_now() - cast(:remembered as bigint)"


class ScenarioMissing(NotFound):
    """No AlarmScenario associated with this user"""


class _Live(Struct):
    id: int


class _Closed(Struct):
    id: int
    close_reason: str


class Pressed(Struct):
    """What a press is answered with."""

    id: int
    answer: str


class Press(Struct, kw_only=True):
    """One press as it came: who pressed for whom, and what was asked for. `grace` is in seconds."""

    actor_id: int
    user_id: int
    caller: Caller
    origin: str
    grace: int = 0
    scenario_id: int | None = None
    key: str | None = None
    drill: bool = False
    include_staff: bool = True


async def trigger(tx: Tx, press: Press, means: Means) -> Pressed:
    """Alarm, helpers, deliveries and audit in the caller's one transaction, whose answer is kept for repeats: they get the same bytes.

    Only who was added or corrected since is told anew, and only then the answer differs. Raises ScenarioMissing.
    """
    key = f"drill {press.key}" if press.key and press.drill else press.key  # what was a drill never stands in for an alarm
    if key and (known := await tx.one(KNOWN_KEY, Pressed, user_id=press.user_id, key=key, remembered=REMEMBERED)):
        return known
    scenario = await scenarios.chosen(tx, press.caller.definition, press.scenario_id)
    if scenario is None:
        raise ScenarioMissing
    alarm = await _press(tx, press, scenario, means)
    if alarm.level < scenario.level:  # another press came between, and asked for less
        alarm = await _press(tx, press, scenario, means)
    case = await cases.look_into(tx, alarm, means)
    answer = await (_begin(tx, case, press) if alarm.tap_count == 1 else _fold(tx, case, press))
    if key:
        await tx.run(FORGET_KEYS, user_id=press.user_id, remembered=REMEMBERED)
        await tx.run(REMEMBER, user_id=press.user_id, key=key, alarm_id=alarm.id, answer=answer)
    await accounts.hold_tokens(tx, press.user_id, alarm.expires_at)
    _warn(tx, case)
    return Pressed(alarm.id, answer)


async def _make_room(tx: Tx, press: Press, level: int) -> None:
    await tx.all(LIVE, _Live, user_id=press.user_id)
    for closed in await tx.all(IN_THE_WAY, _Closed, user_id=press.user_id, level=level, drill=press.drill):
        await outbox.end_alarm(tx, closed.id)
        await telling.no_more_channels(tx, closed.id)
        await trail.record(tx, closed.id, closed.close_reason)


async def _press(tx: Tx, press: Press, scenario: Scenario, means: Means) -> Alarm:
    await _make_room(tx, press, scenario.level)
    wanted = await preferences.preferences(tx, press.user_id)
    snapshot = Snapshot(
        scenario,
        means.channels,
        wanted.chosen_name,
        wanted.language,
        wanted.codeword,
        press.caller.location,
        bool(press.caller.military_status),
        staff=press.include_staff,
    )
    grace = min(press.grace, means.grace_max) * SECOND
    alarm = await tx.one(
        PRESS,
        Alarm,
        code=f"{secrets.randbelow(10_000):04}",
        user_id=press.user_id,
        drill=press.drill,
        level=scenario.level,
        state="grace" if grace else "open",
        snapshot=_json(snapshot),
        life=scenario.expire_after * SECOND,
        grace=grace or None,
        wait=grace or wait_before(scenario, 1, drill=press.drill),
    )
    assert alarm is not None  # noqa: S101 - the statement returns its row
    return alarm


def wait_before(scenario: Scenario, step: int, *, drill: bool) -> int | None:
    """Microseconds from the step before; None when there is no such step. A drill has no second one."""
    if drill:
        return None
    if step < len(scenario.steps):
        return scenario.steps[step].wait * SECOND
    every = scenario.steps[-1].every
    return None if every is None else every * SECOND


async def _begin(tx: Tx, case: Case, press: Press) -> str:
    alarm = case.alarm
    wait = alarm.grace_ends_at - alarm.created_at if alarm.grace_ends_at else 0
    persons = await _persons(tx, case)
    await telling.first(tx, case, persons, "alarm", 0, wait=wait)
    answer = await _answer(tx, case, press, persons)
    await tx.run(KEEP, alarm_id=alarm.id, answer=answer, snapshot=alarm.snapshot, change=0)
    await trail.record(tx, alarm.id, "drill" if alarm.drill else "trigger", press.actor_id, helpers=len(case.helpers), messages=len(case.sent))
    return answer


async def _fold(tx: Tx, case: Case, press: Press) -> str:
    """A repeat: it ends a running grace, reaches who was added since, and from the second one on asks for more help."""
    alarm = case.alarm
    if alarm.state == "grace" and not press.grace:
        await tx.run(END_GRACE, alarm_id=alarm.id, wait=wait_before(case.scenario, 1, drill=alarm.drill))
        await outbox.hurry(tx, alarm.id)
        alarm.state = "open"
    wait = alarm.grace_ends_at - alarm.now if alarm.state == "grace" and alarm.grace_ends_at else 0
    persons = await _persons(tx, case)
    new = await telling.first(tx, case, persons, "alarm", 0, wait=max(0, wait))
    pulled = alarm.state == "open" and await _pull(tx, case)
    changed = bool(new) or case.snapshot.channels != case.means.channels
    if changed:
        case.snapshot.channels = case.means.channels
        alarm.answer = await _answer(tx, case, press, persons)
    await tx.run(KEEP, alarm_id=alarm.id, answer=alarm.answer, snapshot=_json(case.snapshot), change=int(changed))
    await trail.record(tx, alarm.id, "repeat", press.actor_id, added=len(new), pulled=pulled)
    return alarm.answer


async def _pull(tx: Tx, case: Case) -> bool:
    """Tells now whom the next steps would tell first: the person presses again because nobody comes. The schedule goes on as it was."""
    alarm = case.alarm
    if alarm.drill or 0 <= alarm.now - (alarm.last_tap_at or alarm.created_at) < PULL_AFTER * SECOND:
        return False
    if alarm.last_pull_at and 0 <= alarm.now - alarm.last_pull_at < PULL_EVERY * SECOND:
        return False
    for number in range(alarm.step + 1, len(case.scenario.steps)):
        step = case.scenario.steps[number]
        persons = await telling.people(tx, alarm.user_id, step.tell, case.means)
        if await telling.first(tx, case, persons, "staff" if step.text == "staff" else "alarm", number):
            await tx.run(PULLED, alarm_id=alarm.id)
            return True
    return False


async def _persons(tx: Tx, case: Case) -> list[Person]:
    """Whom the first step tells. A drill disturbs nobody who has not agreed to be there."""
    tell = case.scenario.steps[0].tell
    if not case.alarm.drill:
        return await telling.people(tx, case.alarm.user_id, tell, case.means)
    groups: list[Group] = [group for group in tell if group != "staff_on_call"]
    if case.snapshot.staff:
        groups.append("staff_on_call")
    return [person for person in await telling.people(tx, case.alarm.user_id, groups, case.means) if person.confirmed]


async def _answer(tx: Tx, case: Case, press: Press, persons: list[Person]) -> str:
    messages: list[Music | str] = []
    if case.scenario.music and (track := await music.track_for(tx, press.user_id, press.origin)):
        messages.append(Music(track.url))
    known, alarm = {(person.kind, person.id): person for person in persons}, case.alarm
    grace = -((alarm.now - alarm.grace_ends_at) // SECOND) if alarm.state == "grace" and alarm.grace_ends_at else 0
    for helper in case.helpers:
        person, sent = known.get((helper.kind, helper.person_id)), case.of(helper)
        if person or sent:  # somebody removed since without a message has no part in this alarm
            messages.append(sentences.about(helper, sent, case.means.channels, person, max(0, grace)))
    if not case.helpers:
        messages.append(sentences.nobody())
    return _json(Called(case.scenario.name, messages))


def _warn(tx: Tx, case: Case) -> None:
    """An alarm that nobody will hear of is the worst that can happen here, so the operator hears of it loudly."""
    if not any(delivery.channel in case.means.channels for delivery in case.sent):
        reason = "No channel is set up: HOLDFAST_SMTP_URL, HOLDFAST_SMS_URL." if case.sent else "Nobody is stored whom a message could reach."
        tx.after_commit(functools.partial(log.error, "alarm_reaches_nobody", alarm_id=case.alarm.id, reason=reason))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
