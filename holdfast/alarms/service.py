"""Everything that changes an alarm."""

import functools
import secrets
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from holdfast.accounts import service as accounts
from holdfast.alarms import sentences
from holdfast.alarms.schemas import Alarm, Called, Caller, Helper, Music, Scenario, Snapshot
from holdfast.clock import SECOND
from holdfast.contacts import service as contacts
from holdfast.contacts.schemas import Person
from holdfast.db import Tx
from holdfast.delivery import outbox
from holdfast.delivery.schemas import NewDelivery, Standing
from holdfast.errors import NotFound
from holdfast.log import log
from holdfast.music import service as music

STEP = 0

# New when tap_count comes back as 1, else a repeat of the live one: nobody is told twice, and no press is lost between two at once.
PRESS = """
    insert into alarm (code, user_id, level, state, snapshot, answer, created_at, expires_at)
    values (:code, :user_id, :level, 'open', :snapshot, '', holdfast_now(), holdfast_now() + :life)
    on conflict (user_id, drill) where state in ('grace', 'open') do update set tap_count = alarm.tap_count + 1
    returning id, code, tap_count, snapshot, answer, expires_at"""

KEEP = """
    update alarm set answer = :answer, snapshot = :snapshot, version = version + case when tap_count = 1 then 0 else 1 end
     where id = :alarm_id"""

# A press is never swallowed by an alarm that is past its end, nor by one that asked for less.
IN_THE_WAY = """
    update alarm
       set state = 'closed', version = version + 1, closed_at = holdfast_now(),
           close_reason = case when expires_at <= holdfast_now() then 'expired' else 'superseded' end
     where user_id = :user_id and not drill and state <> 'closed' and (expires_at <= holdfast_now() or level < :level)
    returning id, close_reason"""

OVERDUE = "select id from alarm where state <> 'closed' and expires_at <= (select holdfast_now()) order by expires_at"

EXPIRE = """
    update alarm set state = 'closed', close_reason = 'expired', version = version + 1, closed_at = holdfast_now()
     where id = :alarm_id and state <> 'closed' and expires_at <= holdfast_now()"""

HELPERS = "select id, kind, person_id, position, name, relationship from alarm_helper where alarm_id = :alarm_id order by position"

ADD_HELPER = """
    insert into alarm_helper (alarm_id, kind, person_id, position, name, relationship)
    values (:alarm_id, :kind, :person_id, :position, :name, :relationship)
    returning id, kind, person_id, position, name, relationship"""

RECORD = """
    insert into alarm_audit (alarm_id, n, kind, actor_id, at, data)
    values (:alarm_id, (select coalesce(max(n), 0) + 1 from alarm_audit where alarm_id = :alarm_id), :kind, :actor_id, holdfast_now(), :data)"""

Key = tuple[str, int]  # kind and id of a person


class ScenarioMissing(NotFound):
    """No AlarmScenario associated with this user"""


class _Closed(Struct):
    id: int
    close_reason: str


class _Id(Struct):
    id: int


class Told(Struct):
    """Whom an alarm tells and how that stands; `added` is how many people and messages this press brought."""

    people: dict[Key, Person]
    helpers: list[Helper]
    deliveries: list[Standing]
    added: int


async def trigger(tx: Tx, actor_id: int, user_id: int, caller: Caller, *, origin: str, channels: list[str]) -> Alarm:
    """Records the alarm with everything that must leave because of it; a repeat while it is open comes to the same alarm and answer.

    Only who was added or corrected since is told anew, and only then the answer differs. Raises ScenarioMissing.
    """
    if caller.definition is None:
        raise ScenarioMissing
    scenario = msgspec.json.decode(caller.definition, type=Scenario)
    await _make_room(tx, user_id, scenario.level)
    alarm = await _press(tx, user_id, Snapshot(scenario, channels))
    frozen = msgspec.json.decode(alarm.snapshot, type=Snapshot)
    told = await _tell(tx, alarm, user_id, caller.username, frozen.scenario)
    if alarm.tap_count == 1 or told.added or frozen.channels != channels:
        alarm.answer = await _answer(tx, user_id, frozen.scenario, told, origin, channels)
        await tx.run(KEEP, alarm_id=alarm.id, answer=alarm.answer, snapshot=_json(Snapshot(frozen.scenario, channels)))
    await _record(tx, alarm.id, "trigger" if alarm.tap_count == 1 else "repeat", actor_id, added=told.added)
    await accounts.hold_tokens(tx, user_id, alarm.expires_at)
    _warn(tx, alarm.id, told, channels)
    return alarm


async def overdue(tx: Tx) -> list[int]:
    return [row.id for row in await tx.all(OVERDUE, _Id)]


async def expire(tx: Tx, alarm_id: int) -> None:
    """Ends an alarm that is past its end, once, whoever else tries it now."""
    if await tx.run(EXPIRE, alarm_id=alarm_id):
        await outbox.end_alarm(tx, alarm_id)
        await _record(tx, alarm_id, "expired", None)


async def helpers_of(tx: Tx, alarm_id: int) -> list[Helper]:
    return await tx.all(HELPERS, Helper, alarm_id=alarm_id)


async def _make_room(tx: Tx, user_id: int, level: int) -> None:
    for closed in await tx.all(IN_THE_WAY, _Closed, user_id=user_id, level=level):
        await outbox.end_alarm(tx, closed.id)
        await _record(tx, closed.id, closed.close_reason, None)


async def _press(tx: Tx, user_id: int, snapshot: Snapshot) -> Alarm:
    scenario = snapshot.scenario
    code, life = f"{secrets.randbelow(10_000):04}", scenario.expire_after * SECOND
    alarm = await tx.one(PRESS, Alarm, code=code, user_id=user_id, level=scenario.level, snapshot=_json(snapshot), life=life)
    assert alarm is not None  # noqa: S101 - the statement returns its row
    return alarm


async def _tell(tx: Tx, alarm: Alarm, user_id: int, who: str, scenario: Scenario) -> Told:
    """Adds a helper for each person and a delivery for each address that the alarm does not have yet."""
    step = scenario.steps[STEP]
    told = Told(await _people(tx, user_id, step.tell), await helpers_of(tx, alarm.id), await outbox.of_alarm(tx, alarm.id), 0)
    helpers = {(helper.kind, helper.person_id): helper for helper in told.helpers}
    known = {(delivery.alarm_helper_id, delivery.channel, delivery.destination) for delivery in told.deliveries}
    body = sentences.letter(scenario.level, who, f"{alarm.code}-{STEP}")
    for key, person in told.people.items():
        helper = helpers.get(key) or await _add_helper(tx, alarm.id, key, person, told)
        email = next((way.destination for way in person.ways if way.channel == "email"), None)
        if email and (helper.id, "email", email) not in known:
            new = NewDelivery(
                dedup_key=outbox.dedup_key(alarm.id, STEP, helper.id, "email", email),
                alarm_id=alarm.id,
                alarm_helper_id=helper.id,
                kind=step.text,
                channel="email",
                destination=email,
                body=body,
                deadline_at=alarm.expires_at,  # a text ten hours late only frightens
            )
            told.added += await outbox.add(tx, new)
            told.deliveries.append(Standing(helper.id, "email", email, "pending", None, 0))
    return told


async def _people(tx: Tx, user_id: int, tell: Sequence[str]) -> dict[Key, Person]:
    """In the order in which they are told."""
    found: dict[Key, Person] = {}
    if "contacts" in tell:
        found |= {("contact", person.id): person for person in await contacts.people(tx, user_id)}
    if "therapist" in tell and (therapist := await contacts.therapist_of(tx, user_id)):
        found["therapist", therapist.id] = therapist
    return found


async def _add_helper(tx: Tx, alarm_id: int, key: Key, person: Person, told: Told) -> Helper:
    kind, person_id = key
    values = {"kind": kind, "person_id": person_id, "position": len(told.helpers), "name": person.name, "relationship": person.relationship}
    helper = await tx.one(ADD_HELPER, Helper, alarm_id=alarm_id, **values)
    assert helper is not None  # noqa: S101 - an insert returns its row
    told.helpers.append(helper)
    told.added += 1
    return helper


async def _answer(tx: Tx, user_id: int, scenario: Scenario, told: Told, origin: str, channels: list[str]) -> str:
    messages: list[Music | str] = []
    if scenario.music and (track := await music.track_for(tx, user_id, origin)):
        messages.append(Music(track.url))
    for helper in told.helpers:
        person = told.people.get((helper.kind, helper.person_id))
        deliveries = [delivery for delivery in told.deliveries if delivery.alarm_helper_id == helper.id]
        if person or deliveries:  # somebody removed since without a message has no part in this alarm
            messages.append(sentences.about(helper, deliveries, channels, bool(person and person.phone)))
    if not told.helpers:
        messages.append(sentences.nobody())
    return _json(Called(scenario.name, messages))


async def _record(tx: Tx, alarm_id: int, kind: str, actor_id: int | None, **data: int) -> None:
    """Counts and ids only, never a text."""
    await tx.run(RECORD, alarm_id=alarm_id, kind=kind, actor_id=actor_id, data=_json(data))


def _warn(tx: Tx, alarm_id: int, told: Told, channels: list[str]) -> None:
    """An alarm that nobody will hear of is the worst that can happen here, so the operator hears of it loudly."""
    if not any(delivery.channel in channels for delivery in told.deliveries):
        reason = "No mail server is set up: HOLDFAST_SMTP_URL." if told.deliveries else "Nobody with an e-mail address is stored."
        tx.after_commit(functools.partial(log.error, "alarm_reaches_nobody", alarm_id=alarm_id, reason=reason))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
