"""The live state of an alarm: for each person what is true now."""

from collections.abc import Collection, Sequence

from holdfast.alarms import sentences, service
from holdfast.alarms.schemas import AlarmView, ChannelView, Helper, HelperView, Row
from holdfast.clock import iso
from holdfast.db import Tx
from holdfast.delivery import outbox
from holdfast.delivery.schemas import Standing
from holdfast.http import Target

COLUMNS = "target.id, target.state, target.close_reason, target.version, target.created_at, target.expires_at, holdfast_now() as now"  # of the alarm

OF_ALARM = Target(source="alarm", key="id", owner="user_id", columns=COLUMNS, into=Row, by_person=False)

CHANGES = {"leased": 0, "pending": 1}  # of one delivery, see _version; 2 for every other state


async def view(tx: Tx, row: Row, channels: Collection[str]) -> AlarmView:
    """`channels` are those that this server can send on now."""
    helpers, deliveries = await service.helpers_of(tx, row.id), await outbox.of_alarm(tx, row.id)
    return AlarmView(
        id=row.id,
        state=row.state,
        close_reason=row.close_reason,
        version=_version(row, deliveries),
        created_at=iso(row.created_at),
        expires_at=iso(row.expires_at),
        line=sentences.line(row, helpers, deliveries, channels),
        helpers=[_about(helper, deliveries, channels) for helper in helpers],
    )


def _version(row: Row, deliveries: Sequence[Standing]) -> int:
    """Grows with each claim and each finish too, though neither may lock the alarm to count there."""
    return row.version + sum(2 * delivery.fence + CHANGES.get(delivery.state, 2) for delivery in deliveries)


def _about(helper: Helper, deliveries: Sequence[Standing], channels: Collection[str]) -> HelperView:
    """Each channel once, with its newest delivery: the one to the corrected address."""
    newest = {delivery.channel: delivery for delivery in deliveries if delivery.alarm_helper_id == helper.id}
    views = [ChannelView(channel, delivery.state, _problem(delivery, channels)) for channel, delivery in newest.items()]
    return HelperView(helper.name, helper.relationship, views)


def _problem(delivery: Standing, channels: Collection[str]) -> str | None:
    if delivery.state == "pending" and delivery.channel not in channels:
        return "not_configured"
    return delivery.error_class if delivery.state in ("pending", "failed") else None
