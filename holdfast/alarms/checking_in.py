"""A day after an alarm: how the person is now."""

from msgspec import Struct

from holdfast.accounts import service as accounts
from holdfast.alarms import case as cases
from holdfast.alarms import rounds
from holdfast.alarms.schemas import CheckIn, CheckInView
from holdfast.alarms.wording import Values, Wording
from holdfast.clock import HOUR, iso
from holdfast.db import Database, Tx
from holdfast.delivery import outbox
from holdfast.delivery.schemas import NewDelivery
from holdfast.profiles import preferences

AT_ONCE = 100
STILL_WANTED = 24 * HOUR

DUE = "select id from alarm where not check_in_asked and check_in_at <= (select holdfast_now()) order by check_in_at limit :limit"

ASKED = "update alarm set check_in_asked = true where id = :alarm_id and not check_in_asked"

ADD = """
    insert into check_in (user_id, alarm_id, distress, text, created_at)
    select user_id, id, :distress, :text, holdfast_now() from alarm where id = :alarm_id
    returning id, alarm_id, distress, text, created_at"""


class _Kept(Struct):
    id: int
    alarm_id: int
    distress: int
    text: str | None
    created_at: int


async def ask_due(db: Database) -> None:
    """By e-mail to those who chose that; in a client it is asked from the history."""
    async with db.read() as tx:
        due = await tx.all(DUE, rounds.Due, limit=AT_ONCE)
    await rounds.each(db, [alarm.id for alarm in due], _ask)


async def keep(tx: Tx, alarm_id: int, given: CheckIn) -> CheckInView:
    kept = await tx.one(ADD, _Kept, alarm_id=alarm_id, distress=given.distress, text=given.text)
    assert kept is not None  # noqa: S101 - its door has found the alarm
    return CheckInView(kept.id, kept.alarm_id, kept.distress, kept.text, iso(kept.created_at))


async def _ask(tx: Tx, alarm_id: int) -> None:
    alarm = await cases.hold(tx, alarm_id)
    if alarm is None or not await tx.run(ASKED, alarm_id=alarm_id):
        return
    wanted = await preferences.preferences(tx, alarm.user_id)
    if not wanted.check_in_by_email:
        return
    snapshot, address = cases.frozen(alarm.snapshot), await accounts.email_of(tx, alarm.user_id)
    body = (await Wording.load(tx)).written("check_in", "email", wanted.language, Values(who=snapshot.who, link=False))
    await outbox.add(
        tx,
        NewDelivery(
            dedup_key=f"alarm:{alarm_id}:check_in",
            kind="check_in",
            channel="email",
            destination=address,
            body=body,
            deadline_at=alarm.now + STILL_WANTED,
        ),
    )
