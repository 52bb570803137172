"""The alarm's doors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Raw

from holdfast.alarms import live, scenarios, service
from holdfast.alarms.schemas import AlarmView, Called
from holdfast.db import Database, Tx
from holdfast.errors import Forbidden, Unavailable
from holdfast.http import Answer, Ask, Doors, Problem, own_or_staff
from holdfast.log import log

PLACE = "/api/v1/event"
RECORDED = 5.0  # seconds; alarm.md section 1 rule 2: after that an honest 503, never a 200 without an alarm

doors = Doors(PLACE, tag="Event", alarm=True)
caller = own_or_staff("User or UserInfo not found")
answers = {200: Called, 403: Problem, 404: Problem, 503: Problem}


class NotMeant(Forbidden):
    """An alarm is never triggered by a prefetch or by opening its address; send GET or POST with the token."""


@doors.post("/trigger/{user_id}/", who=caller, target=scenarios.OF_CALLER, answers=answers)
@doors.get("/trigger/{user_id}/", who=caller, target=scenarios.OF_CALLER, answers=answers)
async def trigger(ask: Ask) -> Answer:
    """Call for help: whoever the scenario names is told. A repeat while the alarm is open is the same alarm. No body is read."""
    refuse_unmeant(ask)
    async with recorded_in_time(ask.db) as tx:
        alarm = await service.trigger(tx, ask.actor.id, ask.user_id, ask.target, origin=ask.origin, channels=ask.state.channels)
        tx.after_commit(ask.state.wake)
    return Answer(Raw(alarm.answer.encode()), 200, {"Location": f"{PLACE}/{alarm.id}/"})


@doors.get("/{alarm_id}/", who=own_or_staff("Alarm not found"), target=live.OF_ALARM, answers={200: AlarmView, 404: Problem})
async def get_alarm(ask: Ask) -> AlarmView:
    """The live state: for each person and channel what is true now."""
    async with ask.db.read(alarm=True) as tx:
        return await live.view(tx, ask.target, ask.state.channels)


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
