"""The alarm's doors."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from msgspec import Meta, Raw, Struct

from holdfast.alarms import answering, checking_in, closing, drill, escalation, live, pin, scenarios, service
from holdfast.alarms.schemas import (
    AlarmView,
    Called,
    CheckIn,
    CheckInView,
    DrillPreview,
    DrillWanted,
    History,
    StaffAnswer,
    StopAlarm,
    Stopped,
    Trigger,
)
from holdfast.alarms.service import Press, Pressed
from holdfast.db import Database, Tx
from holdfast.errors import Conflict, Forbidden, NotFound, Unavailable
from holdfast.fields import Id
from holdfast.http import Answer, Ask, Doors, FieldProblems, Problem, own_or_staff, staff
from holdfast.log import log

PLACE = "/api/v1/event"
RECORDED = 5.0  # seconds; alarm.md section 1 rule 2: after that an honest 503, never a 200 without an alarm

doors = Doors(PLACE, tag="Event", alarm=True)
caller = own_or_staff("User or UserInfo not found")
presser = own_or_staff("User or UserInfo not found", alarm_only=True)
owner = own_or_staff("Alarm not found")
watcher = own_or_staff("Alarm not found", alarm_only=True)
answers = {200: Called, 403: Problem, 404: Problem, 503: Problem}
found = {404: Problem, 503: Problem}
on_duty = {403: Problem, **found}


class NotMeant(Forbidden):
    """An alarm is never triggered by a prefetch or by opening its address; send GET or POST with the token."""


class NotOpen(Conflict):
    """This alarm is not open: somebody has answered, or it has ended."""


class Page(Struct):
    """`live`: those alone that have not ended."""

    before_id: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    live: bool = False


@doors.post("/trigger/{user_id}/", who=presser, target=scenarios.OF_CALLER, body=Trigger, forgiving=True, answers=answers | {400: FieldProblems})
async def press(ask: Ask, wanted: Trigger) -> Answer:
    """Call for help: whoever the scenario names is told. With `grace_seconds` it can be taken back for so long.

    A repeat while the alarm is open is the same alarm. An `Idempotency-Key` brings back the first answer for 24 hours.
    """
    return await _trigger(ask, grace=wanted.grace_seconds, scenario_id=wanted.scenario)


@doors.get("/trigger/{user_id}/", who=presser, target=scenarios.OF_CALLER, answers=answers)
async def trigger(ask: Ask) -> Answer:
    """Call for help: whoever the scenario names is told. A repeat while the alarm is open is the same alarm. No body is read."""
    return await _trigger(ask)


@doors.get(
    "/drill/{user_id}/", who=caller, target=scenarios.OF_CALLER, query=DrillWanted, answers={200: DrillPreview, 400: FieldProblems, 404: Problem}
)
async def preview_drill(ask: Ask, wanted: DrillWanted) -> DrillPreview:
    """What a drill would send now, and who would be left out."""
    async with ask.db.read(alarm=True) as tx:
        scenario = await scenarios.chosen(tx, ask.target.definition, None)
        if scenario is None:
            raise service.ScenarioMissing
        return await drill.preview(tx, ask.user_id, scenario, ask.state.means, include_staff=wanted.include_staff)


@doors.post(
    "/drill/{user_id}/",
    who=caller,
    target=scenarios.OF_CALLER,
    body=DrillWanted,
    bare=True,
    answers={200: Called, 400: FieldProblems | Problem, 404: Problem, 409: Problem, 429: Problem, 503: Problem},
)
async def rehearse(ask: Ask, wanted: DrillWanted) -> Answer:
    """A drill: the first step and the all-clear, to confirmed people alone, every text marked. One in ten minutes."""
    async with ask.db.read(alarm=True) as tx:
        await drill.refuse_too_soon(tx, ask.user_id)
    return await _trigger(ask, drill=True, include_staff=wanted.include_staff)


@doors.get("/history/{user_id}/", who=own_or_staff("User not found"), query=Page, answers={200: History, 400: FieldProblems, 404: Problem})
async def get_history(ask: Ask, page: Page) -> History:
    """The alarms so far, the newest first."""
    async with ask.db.read() as tx:
        return await live.history(tx, ask.user_id, page.before_id, page.limit, live=page.live)


@doors.get("/{alarm_id}/", who=watcher, target=live.OF_ALARM, answers={200: AlarmView, 304: None, 404: Problem})
async def get_alarm(ask: Ask) -> Answer:
    """The live state: for each person and channel what is true now. Its version is the ETag."""
    async with ask.db.read(alarm=True) as tx:
        view = await live.view(tx, ask.target, ask.state.means)
    tag = f'"{view.version}"'
    return Answer(view, 304 if ask.header(b"if-none-match") == tag else 200, {"ETag": tag})


@doors.post(
    "/{alarm_id}/stop/",
    who=watcher,
    target=live.OF_ALARM,
    body=StopAlarm,
    bare=True,
    answers={200: Stopped, 400: FieldProblems | Problem, 403: Problem, 409: Problem, 429: Problem, **found},
)
async def stop(ask: Ask, given: StopAlarm) -> Stopped:
    """Within the grace nobody is told; later exactly those who were told hear the all-clear. A second stop answers the same."""
    if ask.actor.alarm_only and ask.target.state != "grace":
        raise Forbidden
    if ask.actor.id == ask.user_id and (ask.target.state in ("open", "acknowledged") or ask.target.close_reason == "expired"):
        await pin.check(ask.db, ask.state.reception.passwords, ask.state.pins, ask.user_id, given.pin)
    async with recorded_in_time(ask.db) as tx:
        tx.after_commit(ask.state.wake)
        return await closing.stop(tx, ask.target.id, ask.actor.id, given.text, ask.state.means)


@doors.post("/{alarm_id}/check-in/", who=owner, target=live.OF_ALARM, body=CheckIn, answers={201: CheckInView, 400: FieldProblems | Problem, **found})
async def check_in(ask: Ask, given: CheckIn) -> CheckInView:
    """How the person is, the day after or whenever."""
    async with ask.db.write() as tx:
        return await checking_in.keep(tx, ask.target.id, given)


@doors.post(
    "/{alarm_id}/answer/", who=staff, target=live.OF_ALARM, body=StaffAnswer, answers={200: AlarmView, 400: FieldProblems | Problem, **on_duty}
)
async def answer(ask: Ask, given: StaffAnswer) -> AlarmView:
    """Staff take the alarm, or cannot."""
    _refuse_missing(ask)
    async with recorded_in_time(ask.db) as tx:
        await answering.answer_as_staff(tx, ask.target.id, ask.actor.id, ask.actor.username, given.answer, ask.state.means)
        tx.after_commit(ask.state.hurry)
    return await _view(ask)


@doors.post("/{alarm_id}/escalate/", who=staff, target=live.OF_ALARM, answers={200: AlarmView, 409: Problem, **on_duty})
async def escalate(ask: Ask) -> AlarmView:
    """The next step at once."""
    _refuse_missing(ask)
    async with recorded_in_time(ask.db) as tx:
        if not await escalation.escalate(tx, ask.target.id, ask.actor.id, ask.state.means):
            raise NotOpen
        tx.after_commit(ask.state.wake)
    return await _view(ask)


def _refuse_missing(ask: Ask) -> None:
    """Staff pass their door whether or not there is something behind it."""
    if ask.target is None:
        raise NotFound("Alarm not found")


async def _trigger(ask: Ask, **wanted: Any) -> Answer:
    refuse_unmeant(ask)
    press = Press(actor_id=ask.actor.id, user_id=ask.user_id, caller=ask.target, origin=ask.origin, key=_key(ask), **wanted)
    try:
        async with asyncio.timeout(RECORDED):
            pressed: Pressed = await ask.state.presses.record(press)
    except TimeoutError:
        raise Unavailable from None
    ask.state.wake()
    return Answer(Raw(pressed.answer.encode()), 200, {"Location": f"{PLACE}/{pressed.id}/"})


async def _view(ask: Ask) -> AlarmView:
    async with ask.db.read(alarm=True) as tx:
        return await live.view(tx, await live.again(tx, ask.target.id) or ask.target, ask.state.means)


def _key(ask: Ask) -> str | None:
    """Whatever a client calls unique is; its digest has a length that a database likes."""
    key = ask.header(b"idempotency-key")
    return hashlib.sha256(key.encode()).hexdigest() if key else None


def refuse_unmeant(ask: Ask) -> None:
    """The contract's GET acts, and browsers, mail scanners and previews send GETs that nobody meant (security.md A8). Raises NotMeant."""
    purposes = f"{ask.header(b'purpose')} {ask.header(b'sec-purpose')}".lower()
    if "prefetch" in purposes or (ask.header(b"sec-fetch-mode") or "").lower() == "navigate":
        log.warning("alarm_not_meant", request_id=ask.request_id, actor=ask.actor.mark)
        raise NotMeant


@asynccontextmanager
async def recorded_in_time(db: Database) -> AsyncIterator[Tx]:
    """Raises Unavailable: then nothing was recorded, or a repeat comes to the same alarm."""
    try:
        async with asyncio.timeout(RECORDED), db.write(alarm=True) as tx:
            yield tx
    except TimeoutError:
        raise Unavailable from None
