"""Messages that failed, with every attempt, and another try while it is not too late."""

import json
from typing import Annotated, Literal

from msgspec import Meta, Struct

from holdfast import audit
from holdfast.alarms import trail
from holdfast.clock import iso, iso_or_none
from holdfast.db import Sql, Tx
from holdfast.errors import Conflict, NotFound
from holdfast.http import Ask, Doors, FieldProblems, Problem, Target, staff

NEWEST = 2**62  # before every delivery

# An invitation or a test has no alarm, but a contact.
_OWNER = """coalesce((select user_id from alarm where id = d.alarm_id),
                    (select c.user_id from contact_channel w join contact c on c.id = w.contact_id where w.id = d.contact_channel_id))"""

_COLUMNS = f"""d.id, d.alarm_id, d.kind, d.step, d.channel, d.state, d.error_class, d.attempt, d.created_at, d.deadline_at, {_OWNER} as user_id,
           (select name from alarm_helper where id = d.alarm_helper_id) as helper"""  # noqa: S608 - constants

# Of the newest alone the owner is looked for.
FAILED = f"""
    select d.*, u.username
      from (select {_COLUMNS} from delivery d where d.state = 'failed' and d.id < :before order by d.id desc limit :limit) d
      left join account u on u.id = d.user_id
     order by d.id desc"""  # noqa: S608 - constants

ONE = f"""
    select d.*, u.username
      from (select {_COLUMNS} from delivery d where d.id = :delivery_id) d
      left join account u on u.id = d.user_id"""  # noqa: S608 - constants


def _among(statement: str) -> Sql:
    """`{listed}` becomes the numbers of a JSON list."""
    return Sql(
        sqlite=statement.replace("{listed}", "(select value from json_each(:listed))"),
        postgres=statement.replace("{listed}", "(select value::bigint from json_array_elements_text(cast(:listed as json)))"),
    )


ATTEMPTS = _among("""
    select delivery_id, n, started_at, finished_at, outcome, provider_code, detail from delivery_attempt
     where delivery_id in {listed}
     order by delivery_id, n""")

HELD = "select kind, alarm_id from delivery where id = :delivery_id"

# The alarm before its deliveries: everybody locks in this order. By 3: in the live state's version what waits counts for less than what failed.
TOUCH = "update alarm set version = version + 3 where id = :alarm_id and (state <> 'closed' or cast(:is_last_word as boolean))"

STOPPED = """
    select 1 from delivery d join opt_out o on o.channel = d.channel and o.destination = lower(d.destination)
     where d.id = :delivery_id"""

# No receipt of the time before may end it; what may have arrived then stays so.
RETRY = """
    update delivery
       set state = 'pending', next_at = holdfast_now(), error_class = null, accepted_at = null, delivered_at = null,
           provider = null, provider_msg_id = null, provider_rank = 0
     where id = :delivery_id and state = 'failed' and deadline_at > holdfast_now()"""

IS_FAILED = "select 1 from delivery where id = :delivery_id and state = 'failed'"

LAST_WORDS = ("all_clear", "closing", "check_in")  # what an alarm sends when it is over

OF_DELIVERY = Target(source=f"(select d.id, {_OWNER} as user_id from delivery d)", owner="user_id", by_person=False)  # noqa: S608 - constants

doors = Doors("/api/v1/staff/deliveries", tag="Staff", alarm=True)


class DeliveriesWanted(Struct):
    """`before_id` is the last of the page before."""

    state: Annotated[Literal["failed"], Meta(description="failed")] = "failed"
    before_id: Annotated[int, Meta(ge=1, le=NEWEST)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class StaffAttempt(Struct):
    """`outcome` is null while it runs."""

    n: int
    started_at: str
    finished_at: str | None
    outcome: str | None
    code: str | None
    detail: str | None


class StaffDelivery(Struct):
    """`user_id` is who called or invited; `error_class` why nothing more is tried."""

    id: int
    user_id: int | None
    username: str | None
    alarm_id: int | None
    helper: str | None
    kind: str
    step: int
    channel: str
    state: str
    error_class: str | None
    created_at: str
    deadline_at: str
    attempts: list[StaffAttempt]


class StaffDeliveries(Struct):
    deliveries: list[StaffDelivery]
    more: bool


class DeliveryNotFound(NotFound):
    """Delivery not found"""


class NotFailed(Conflict):
    """Only a message that failed can be sent again."""


class TooLate(Conflict):
    """It is too late for this message: its alarm is over, or its time is up."""


class OptedOut(Conflict):
    """This address wants no more messages."""


class _Delivery(Struct):
    id: int
    user_id: int | None
    username: str | None
    alarm_id: int | None
    helper: str | None
    kind: str
    step: int
    channel: str
    state: str
    error_class: str | None
    created_at: int
    deadline_at: int


class _Attempt(Struct):
    delivery_id: int
    n: int
    started_at: int
    finished_at: int | None
    outcome: str | None
    provider_code: str | None
    detail: str | None


class _Held(Struct):
    kind: str
    alarm_id: int | None


@doors.get("/", who=staff, query=DeliveriesWanted, answers={200: StaffDeliveries, 400: FieldProblems | Problem})
async def list_deliveries(ask: Ask, wanted: DeliveriesWanted) -> StaffDeliveries:
    """The newest first; whose messages were shown is on record."""
    async with ask.db.read(alarm=True) as tx:
        found = await tx.all(FAILED, _Delivery, before=wanted.before_id or NEWEST, limit=wanted.limit + 1)
        page = found[: wanted.limit]
        shown = StaffDeliveries(await _shown(tx, page), len(found) > wanted.limit)
    async with ask.db.write() as tx:
        concerned = {row.user_id for row in page if row.user_id is not None}
        await audit.record_each(tx, actor_id=ask.actor.id, user_ids=concerned, action="GET /api/v1/staff/deliveries/")
    return shown


@doors.post("/{delivery_id}/retry/", who=staff, target=OF_DELIVERY, answers={200: StaffDelivery, 404: Problem, 409: Problem})
async def retry_delivery(ask: Ask) -> StaffDelivery:
    """Sends a message that failed once more, at once."""
    async with ask.db.write(alarm=True) as tx:
        await retry(tx, ask.number or -1, ask.actor.id)
        tx.after_commit(ask.state.wake)
        row = await tx.one(ONE, _Delivery, delivery_id=ask.number)
        return (await _shown(tx, [row] if row else []))[0]


async def retry(tx: Tx, delivery_id: int, actor_id: int) -> None:
    """Raises DeliveryNotFound, NotFailed, TooLate, OptedOut."""
    held = await tx.one(HELD, _Held, delivery_id=delivery_id)
    if held is None:
        raise DeliveryNotFound
    if held.alarm_id is not None and not await tx.run(TOUCH, alarm_id=held.alarm_id, is_last_word=held.kind in LAST_WORDS):
        raise TooLate
    if await tx.value(STOPPED, delivery_id=delivery_id):
        raise OptedOut
    if not await tx.run(RETRY, delivery_id=delivery_id):
        raise TooLate if await tx.value(IS_FAILED, delivery_id=delivery_id) else NotFailed
    if held.alarm_id is not None:
        await trail.record(tx, held.alarm_id, "retry", actor_id, delivery_id=delivery_id)


async def _shown(tx: Tx, page: list[_Delivery]) -> list[StaffDelivery]:
    attempts: dict[int, list[StaffAttempt]] = {row.id: [] for row in page}
    for each in await tx.all(ATTEMPTS, _Attempt, listed=json.dumps(list(attempts))):
        tried = StaffAttempt(each.n, iso(each.started_at), iso_or_none(each.finished_at), each.outcome, each.provider_code, each.detail)
        attempts[each.delivery_id].append(tried)
    return [_one(row, attempts[row.id]) for row in page]


def _one(row: _Delivery, attempts: list[StaffAttempt]) -> StaffDelivery:
    return StaffDelivery(
        id=row.id,
        user_id=row.user_id,
        username=row.username,
        alarm_id=row.alarm_id,
        helper=row.helper,
        kind=row.kind,
        step=row.step,
        channel=row.channel,
        state=row.state,
        error_class=row.error_class,
        created_at=iso(row.created_at),
        deadline_at=iso(row.deadline_at),
        attempts=attempts,
    )
