"""Rehearsing: the same tables, workers and links, and only people who have agreed hear of it."""

from holdfast.alarms import telling
from holdfast.alarms.schemas import DrillHelper, DrillPreview, Means, Scenario
from holdfast.clock import SECOND
from holdfast.contacts.schemas import Person
from holdfast.db import Tx
from holdfast.errors import Conflict, TooMany

EVERY = 600 * SECOND  # between two drills of one person; alarm.md, section 11

LAST = "select max(created_at) from alarm where user_id = :user_id and drill"

REST = "select max(created_at) + :every - holdfast_now() from alarm where user_id = :user_id and drill"

IS_LIVE = "select 1 from alarm where user_id = :user_id and not drill and state <> 'closed'"


class AlarmIsLive(Conflict):
    """An alarm is live: a drill can wait."""


async def last_drill(tx: Tx, user_id: int) -> int | None:
    """When, in microseconds of UTC."""
    at = await tx.value(LAST, user_id=user_id)
    return None if at is None else int(at)


async def refuse_too_soon(tx: Tx, user_id: int) -> None:
    """Raises AlarmIsLive, TooMany."""
    if await tx.value(IS_LIVE, user_id=user_id):
        raise AlarmIsLive
    rest = await tx.value(REST, user_id=user_id, every=EVERY)
    if rest is not None and rest > 0:
        raise TooMany(rest / SECOND)


async def preview(tx: Tx, user_id: int, scenario: Scenario, means: Means, *, include_staff: bool) -> DrillPreview:
    tell = [group for group in scenario.steps[0].tell if group != "staff_on_call"]
    persons = await telling.people(tx, user_id, tell, means)
    told = [person for person in persons if person.confirmed]
    if include_staff:
        told += await telling.people(tx, user_id, ["staff_on_call"], means)
    helpers = [DrillHelper(person.name, _channels(person, scenario, means)) for person in told]
    left_out = [person.name for person in persons if not person.confirmed]
    return DrillPreview(sum(len(helper.channels) for helper in helpers), helpers, left_out)


def _channels(person: Person, scenario: Scenario, means: Means) -> list[str]:
    return [way.channel for way in person.ways if not way.problem and way.channel in means.channels][: scenario.start_channels]
