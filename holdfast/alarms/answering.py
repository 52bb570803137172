"""Answering without an account: by the link in a message, by SMS; and by staff in the console, with the same effect."""

import re

from msgspec import Struct

from holdfast.accounts import service as accounts
from holdfast.alarms import case as cases
from holdfast.alarms import escalation, telling, trail
from holdfast.alarms.case import Case
from holdfast.alarms.schemas import Alarm, Answer, Helper, Means, State
from holdfast.clock import HOUR, SECOND
from holdfast.contacts import channels
from holdfast.db import Tx
from holdfast.delivery import health, outbox
from holdfast.delivery.links import digest

READABLE = 24 * HOUR  # after its alarm has ended: whoever comes late reads that it is over
SMS_REACHES_BACK = 24 * HOUR

BY_LINK = """
    select h.id, h.alarm_id
      from alarm_helper h join alarm a on a.id = h.alarm_id
     where h.link_sha256 = :digest and (a.state <> 'closed' or a.closed_at > holdfast_now() - :readable)"""

# Whom a number belongs to, the newest alarm first: a reference in the text says which one is meant, which may be one that has ended.
BY_NUMBER = """
    select distinct h.id, h.alarm_id, a.code, a.user_id, a.state <> 'closed' as live
      from delivery d join alarm_helper h on h.id = d.alarm_helper_id join alarm a on a.id = h.alarm_id
     where d.channel = 'sms' and d.destination = :number and d.created_at > holdfast_now() - :back
     order by h.alarm_id desc"""

# The alarm's version counts the sight, so that its owner sees it.
SEEN = "update alarm_helper set seen_at = holdfast_now() where id = :helper_id and seen_at is null"
COUNT = "update alarm set version = version + 1 where id = :alarm_id"

ANSWERED = """
    update alarm_helper set answer = :answer, answered_at = holdfast_now(), seen_at = coalesce(seen_at, holdfast_now())
     where id = :helper_id"""

ACKNOWLEDGE = """
    update alarm
       set state = 'acknowledged', acknowledged_at = holdfast_now(), reminded_at = null, version = version + 1,
           next_step_at = holdfast_now() + cast(:wait as bigint), longest_wait = :wait
     where id = :alarm_id"""

LIVE_ON = """
    update alarm set expires_at = case when expires_at > holdfast_now() + :life then expires_at else holdfast_now() + :life end
     where id = :alarm_id
    returning expires_at"""

OF_HELPER = "select alarm_id from alarm_helper where id = :helper_id"

ADD_STAFF = """
    insert into alarm_helper (alarm_id, kind, person_id, position, name, relationship, confirmed, seen_at, link_sha256)
    values (:alarm_id, 'staff', :actor_id, :position, :name, 'staff on call', true, holdfast_now(), :digest)"""

STAFF = "select id from alarm_helper where alarm_id = :alarm_id and kind = 'staff' and person_id = :actor_id"

ANSWERS: dict[str, Answer] = {"1": "calling", "2": "coming", "3": "cannot"}
REPLY = re.compile(r"\s*([123])\b(?:.*?\b(\d{4})\b)?", re.DOTALL)
STOP = {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "стоп", "alto", "parar", "stopp"}
START = {"start", "unstop", "yes", "старт", "inicio"}


class Other(Struct):
    name: str
    answer: Answer


class Standpoint(Struct):
    """What one helper sees through the link; `who` is whom it is about, `others` are those who have answered."""

    alarm_id: int
    helper_id: int
    who: str
    name: str
    kind: str
    language: str | None
    state: State
    close_reason: str | None
    drill: bool
    level: int
    answer: Answer | None
    others: list[Other]
    stopped: bool


class _Found(Struct):
    id: int
    alarm_id: int


class _Addressed(Struct):
    id: int
    alarm_id: int
    code: str
    user_id: int
    live: bool


async def find(tx: Tx, key: str) -> Standpoint | None:
    """By the key of a link, for a day after its alarm has ended; changes nothing."""
    row = await tx.one(BY_LINK, _Found, digest=digest(key), readable=READABLE)
    return None if row is None else await _standpoint(tx, row.alarm_id, row.id)


async def see(tx: Tx, standpoint: Standpoint) -> None:
    """Opening answers nothing: scanners open links. It is seen, and the person who called may know."""
    await cases.hold(tx, standpoint.alarm_id)
    if await tx.run(SEEN, helper_id=standpoint.helper_id):
        await tx.run(COUNT, alarm_id=standpoint.alarm_id)
        await trail.record(tx, standpoint.alarm_id, "seen", helper=standpoint.helper_id)


async def answer(tx: Tx, helper_id: int, said: Answer, means: Means, actor_id: int | None = None) -> None:
    """A later answer replaces an earlier one, and any renews it. To an alarm that has ended it says nothing."""
    case = await cases.take(tx, await tx.value(OF_HELPER, helper_id=helper_id), means)
    helper = next((one for one in case.helpers if one.id == helper_id), None) if case else None
    if case is None or helper is None or case.alarm.state == "closed":
        return
    before, helper.answer = helper.answer, said
    await tx.run(ANSWERED, helper_id=helper_id, answer=said)
    await _live_on(tx, case)
    await trail.record(tx, case.alarm.id, "answer", actor_id, helper=helper_id, answer=said)
    if said == "cannot":
        await _refused(tx, case, helper, before)
    else:
        await _acknowledged(tx, case, helper, before)


async def answer_as_staff(tx: Tx, alarm_id: int, actor_id: int, name: str, said: Answer, means: Means) -> None:
    """Whoever is on duty and takes it becomes one of its helpers."""
    await cases.hold(tx, alarm_id)
    if not await tx.value(STAFF, alarm_id=alarm_id, actor_id=actor_id):
        position = len(await cases.helpers_of(tx, alarm_id))
        digest = means.links.digest(means.links.seed("a", alarm_id, position))
        await tx.run(ADD_STAFF, alarm_id=alarm_id, actor_id=actor_id, name=name, position=position, digest=digest)
    await answer(tx, await tx.value(STAFF, alarm_id=alarm_id, actor_id=actor_id), said, means, actor_id)


async def stop_telling(tx: Tx, helper_id: int) -> None:
    """STOP: nothing goes to the helper's addresses any more, from anybody; what was waiting is cancelled."""
    alarm_id = await tx.value(OF_HELPER, helper_id=helper_id)
    await cases.hold(tx, alarm_id)
    helper = next(one for one in await cases.helpers_of(tx, alarm_id) if one.id == helper_id)
    for way in cases.ways_of(helper):
        await channels.opt_out(tx, way.channel, way.destination)
        await health.end_destination(tx, way.channel, way.destination)
    await tx.run(COUNT, alarm_id=alarm_id)
    await trail.record(tx, alarm_id, "stop", helper=helper_id)


async def by_sms(tx: Tx, number: str, text: str, means: Means) -> None:
    """1, 2 or 3, with the reference when two alarms are live; STOP and START. Anything else is left to a person to read elsewhere."""
    word = text.strip().strip(".!").casefold()
    if word in STOP:
        await channels.opt_out(tx, "sms", number)
        await health.end_destination(tx, "sms", number)
    elif word in START:
        await channels.opt_in(tx, "sms", number)
    elif reply := REPLY.match(text):
        addressed = await tx.all(BY_NUMBER, _Addressed, number=number, back=SMS_REACHES_BACK)
        if meant := _meant(addressed, reply[2]):
            await answer(tx, meant.id, ANSWERS[reply[1]], means)


def _meant(addressed: list[_Addressed], code: str | None) -> _Addressed | None:
    """By its reference, also that of an earlier alarm of the same person; never somebody else's alarm in the place of one that has ended."""
    named = next((one for one in addressed if one.code == code), None)
    live = [one for one in addressed if one.live and (named is None or one.user_id == named.user_id)]
    return named if named and named.live else next(iter(live), None)


async def _standpoint(tx: Tx, alarm_id: int, helper_id: int) -> Standpoint:
    alarm = await tx.one(cases.LOOK, Alarm, alarm_id=alarm_id)
    assert alarm is not None  # noqa: S101 - its helper was found a statement ago
    helpers, snapshot = await cases.helpers_of(tx, alarm_id), cases.frozen(alarm.snapshot)
    helper = next(one for one in helpers if one.id == helper_id)
    stopped = await channels.stopped(tx, [(way.channel, way.destination) for way in cases.ways_of(helper)])
    return Standpoint(
        alarm_id,
        helper_id,
        snapshot.who,
        helper.name,
        helper.kind,
        helper.language or snapshot.language,
        alarm.state,
        alarm.close_reason,
        alarm.drill,
        alarm.level,
        helper.answer,
        [Other(one.name, one.answer) for one in helpers if one.answer and one.id != helper_id],
        stopped,
    )


async def _acknowledged(tx: Tx, case: Case, helper: Helper, before: Answer | None) -> None:
    alarm, scenario = case.alarm, case.scenario
    await tx.run(ACKNOWLEDGE, alarm_id=alarm.id, wait=None if alarm.drill else scenario.answer_reminder * SECOND)
    await outbox.end_alarm(tx, alarm.id)
    if helper.answer != before and helper.answer:
        await telling.status(tx, case, helper, helper.answer)


async def _live_on(tx: Tx, case: Case) -> None:
    """An alarm ends by itself so long after its last answer, and with it what still tries to reach somebody."""
    case.alarm.expires_at = await tx.value(LIVE_ON, alarm_id=case.alarm.id, life=case.scenario.expire_after * SECOND)
    await outbox.extend(tx, case.alarm.id, case.alarm.expires_at)
    await accounts.hold_tokens(tx, case.alarm.user_id, case.alarm.expires_at)


async def _refused(tx: Tx, case: Case, helper: Helper, before: Answer | None) -> None:
    """The last one who helped cannot after all, or nobody is left who could: the next step comes at once. Saying it again changes nothing."""
    if case.alarm.state == "acknowledged" and not case.helping():
        await escalation.reopen(tx, case, "cannot", helper)
    elif case.alarm.state == "open" and before != "cannot" and all(one.answer == "cannot" for one in case.told()):
        await escalation.hurry(tx, case.alarm.id)
    else:
        await tx.run(COUNT, alarm_id=case.alarm.id)
