"""Every alarm as staff see it: who needs somebody now comes first."""

import json
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from holdfast import audit
from holdfast.clock import iso_or_none
from holdfast.db import Sql, Tx
from holdfast.http import Ask, Doors, FieldProblems, Problem, staff

NEWEST = 2**62  # before every alarm

COLUMNS = """a.id, a.user_id, u.username, a.drill, a.level, a.state, a.close_reason, a.step, a.tap_count, a.created_at, a.next_step_at,
    a.acknowledged_at, a.closed_at"""

LIVE = f"""
    select {COLUMNS} from alarm a join account u on u.id = a.user_id
     where a.state <> 'closed' and a.id < :before
     order by a.id desc limit :limit"""  # noqa: S608 - constants

ENDED = f"""
    select {COLUMNS} from alarm a join account u on u.id = a.user_id
     where a.state = 'closed' and a.id < :before
     order by a.id desc limit :limit"""  # noqa: S608 - constants

IS_ENDED = "select 1 from alarm where id = :alarm_id and state = 'closed'"


def _among(statement: str) -> Sql:
    """`{listed}` becomes the numbers of a JSON list."""
    return Sql(
        sqlite=statement.replace("{listed}", "(select value from json_each(:listed))"),
        postgres=statement.replace("{listed}", "(select value::bigint from json_array_elements_text(cast(:listed as json)))"),
    )


HELPERS = _among("""
    select id, alarm_id, kind, name, confirmed, seen_at, answer, answered_at from alarm_helper
     where alarm_id in {listed}
     order by position, id""")

# The newest of each channel.
CHANNELS = _among("""
    select alarm_helper_id, channel, state, error_class as problem from delivery
     where id in (select max(id) from delivery where alarm_id in {listed} and alarm_helper_id is not null group by alarm_helper_id, channel)
     order by id""")

doors = Doors("/api/v1/staff/alarms", tag="Staff", alarm=True)


class AlarmsWanted(Struct):
    """`before_id` is the last of the page before; `live` true or false is one kind alone."""

    live: bool | None = None
    before_id: Annotated[int, Meta(ge=1, le=NEWEST)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class StaffChannel(Struct):
    channel: str
    state: str
    problem: str | None


class StaffHelper(Struct):
    name: str
    kind: str
    confirmed: bool
    seen_at: str | None
    answer: str | None
    answered_at: str | None
    channels: list[StaffChannel]


class StaffAlarm(Struct):
    """`step` is the last that ran."""

    id: int
    user_id: int
    username: str
    drill: bool
    level: int
    state: str
    close_reason: str | None
    step: int
    tap_count: int
    created_at: str
    next_step_at: str | None
    acknowledged_at: str | None
    closed_at: str | None
    helpers: list[StaffHelper]


class StaffAlarms(Struct):
    alarms: list[StaffAlarm]
    more: bool


class _Alarm(Struct):
    id: int
    user_id: int
    username: str
    drill: bool
    level: int
    state: str
    close_reason: str | None
    step: int
    tap_count: int
    created_at: int
    next_step_at: int | None
    acknowledged_at: int | None
    closed_at: int | None


class _Helper(Struct):
    id: int
    alarm_id: int
    kind: str
    name: str
    confirmed: bool
    seen_at: int | None
    answer: str | None
    answered_at: int | None


class _Channel(Struct):
    alarm_helper_id: int
    channel: str
    state: str
    problem: str | None


@doors.get("/", who=staff, query=AlarmsWanted, answers={200: StaffAlarms, 400: FieldProblems | Problem})
async def list_alarms(ask: Ask, wanted: AlarmsWanted) -> StaffAlarms:
    """Live alarms first, of each kind the newest first; whose record was shown is on record."""
    async with ask.db.read(alarm=True) as tx:
        found = await _page(tx, wanted)
        page = found[: wanted.limit]
        shown = StaffAlarms(await _shown(tx, page), len(found) > wanted.limit)
    async with ask.db.write() as tx:
        await audit.record_each(tx, actor_id=ask.actor.id, user_ids={alarm.user_id for alarm in page}, action="GET /api/v1/staff/alarms/")
    return shown


async def _page(tx: Tx, wanted: AlarmsWanted) -> list[_Alarm]:
    """One more than is wanted, when there are more."""
    before, enough = wanted.before_id or NEWEST, wanted.limit + 1
    is_past_live = wanted.before_id is not None and bool(await tx.value(IS_ENDED, alarm_id=wanted.before_id))
    found = []
    if wanted.live is not False and (wanted.live or not is_past_live):
        found = await tx.all(LIVE, _Alarm, before=before, limit=enough)
    if not wanted.live and len(found) < enough:
        from_top = wanted.live is None and not is_past_live
        found += await tx.all(ENDED, _Alarm, before=NEWEST if from_top else before, limit=enough - len(found))
    return found


async def _shown(tx: Tx, page: list[_Alarm]) -> list[StaffAlarm]:
    listed = json.dumps([alarm.id for alarm in page])
    channels: dict[int, list[StaffChannel]] = {}
    for row in await tx.all(CHANNELS, _Channel, listed=listed):
        channels.setdefault(row.alarm_helper_id, []).append(StaffChannel(row.channel, row.state, row.problem))
    helpers: dict[int, list[StaffHelper]] = {}
    for each in await tx.all(HELPERS, _Helper, listed=listed):
        answered = (iso_or_none(each.seen_at), each.answer, iso_or_none(each.answered_at))
        shown = StaffHelper(each.name, each.kind, each.confirmed, *answered, channels.get(each.id, []))
        helpers.setdefault(each.alarm_id, []).append(shown)
    return [_one(alarm, helpers.get(alarm.id, [])) for alarm in page]


def _one(alarm: _Alarm, helpers: list[StaffHelper]) -> StaffAlarm:
    times = {name: iso_or_none(getattr(alarm, name)) for name in ("created_at", "next_step_at", "acknowledged_at", "closed_at")}
    return StaffAlarm(**(msgspec.structs.asdict(alarm) | times), helpers=helpers)
