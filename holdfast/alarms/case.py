"""An alarm in hand: its row, held so that two acts at once follow each other, whom it tells, and what has been sent to them."""

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import Struct

from holdfast.alarms.schemas import Alarm, Helper, Means, Scenario, Snapshot
from holdfast.alarms.wording import Values, Wording
from holdfast.contacts import channels
from holdfast.contacts.schemas import Way
from holdfast.db import Sql, Tx
from holdfast.delivery import outbox
from holdfast.delivery.caps import Crowd
from holdfast.delivery.schemas import Standing
from holdfast.profiles import preferences

ALARM = """id, code, user_id, drill, state, close_reason, level, version, tap_count, snapshot, answer, step, created_at, expires_at, closed_at,
    grace_ends_at, next_step_at, acknowledged_at, reminded_at, last_tap_at, last_pull_at, holdfast_now() as now"""

LOOK = f"select {ALARM} from alarm where id = :alarm_id"  # noqa: S608 - constants

# The alarm first, then its helpers, then their deliveries: one order for everybody, so that nobody waits for somebody who waits.
HOLD = Sql(sqlite=LOOK, postgres=LOOK + " for no key update")

# For a round of chores: one that somebody else holds, perhaps for long, stops none of the others.
HOLD_FREE = Sql(sqlite=LOOK, postgres=LOOK + " for no key update skip locked")

HELPER = """id, kind, person_id, position, name, relationship, language, ways, confirmed, link_sha256, next_channel_at, seen_at, answer,
    answered_at"""

HELPERS = f"select {HELPER} from alarm_helper where alarm_id = :alarm_id order by position, id"  # noqa: S608 - constants

TOLD_BY = ("alarm", "summary", "staff", "repeat", "reminder")  # what makes somebody one of those who were told


class Case(Struct):
    alarm: Alarm
    snapshot: Snapshot
    helpers: list[Helper]
    sent: list[Standing]
    wording: Wording
    means: Means
    stopped: Collection[tuple[str, str]] = ()  # addresses of its helpers (channel, destination) that have said STOP since
    crowd: Crowd | None = None  # of the user's alarms, where first messages are added

    @property
    def scenario(self) -> Scenario:
        return self.snapshot.scenario

    def of(self, helper: Helper) -> list[Standing]:
        return [delivery for delivery in self.sent if delivery.alarm_helper_id == helper.id]

    def told(self) -> list[Helper]:
        """Everybody whom a message has reached or may have reached (alarm.md, section 4)."""
        reached = {delivery.alarm_helper_id for delivery in self.sent if delivery.kind in TOLD_BY and delivery.may_have_left}
        return [helper for helper in self.helpers if helper.id in reached]

    def helping(self) -> list[Helper]:
        return [helper for helper in self.helpers if helper.answer in ("calling", "coming")]

    def values(self, step: int, **more: Any) -> Values:
        snapshot = self.snapshot
        codeword = None if self.alarm.drill else snapshot.codeword
        return Values(who=snapshot.who, ref=f"{self.alarm.code}-{step}", level=self.alarm.level, drill=self.alarm.drill, codeword=codeword, **more)


async def hold(tx: Tx, alarm_id: int) -> Alarm | None:
    """The alarm, which nobody else changes until this transaction has ended."""
    return await tx.one(HOLD, Alarm, alarm_id=alarm_id)


async def take(tx: Tx, alarm_id: int, means: Means, *, waits: bool = True) -> Case | None:
    """None too for an alarm that another holds, unless this `waits` for it."""
    alarm = await tx.one(HOLD if waits else HOLD_FREE, Alarm, alarm_id=alarm_id)
    return None if alarm is None else await look_into(tx, alarm, means)


async def look_into(tx: Tx, alarm: Alarm, means: Means) -> Case:
    """`alarm` is held already. A new one has told nobody yet."""
    new = alarm.tap_count == 1 and not alarm.answer
    helpers, sent = ([], []) if new else (await helpers_of(tx, alarm.id), await outbox.of_alarm(tx, alarm.id))
    snapshot = frozen(alarm.snapshot)
    if not snapshot.who:  # recorded by the program before this one
        snapshot.who = (await preferences.preferences(tx, alarm.user_id)).chosen_name
    stopped = await channels.out(tx, {(way.channel, way.destination) for helper in helpers for way in ways_of(helper)})
    return Case(alarm, snapshot, helpers, sent, await Wording.load(tx), means, stopped)


async def helpers_of(tx: Tx, alarm_id: int) -> list[Helper]:
    return await tx.all(HELPERS, Helper, alarm_id=alarm_id)


def frozen(snapshot: str) -> Snapshot:
    return msgspec.json.decode(snapshot, type=Snapshot)


def ways_of(helper: Helper) -> list[Way]:
    return msgspec.json.decode(helper.ways, type=list[Way])
