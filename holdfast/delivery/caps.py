"""Caps limit sending, never recording, and leave every helper one channel: which SMS of an act may leave, and when a summary takes their place.

An act asks inside its own transaction, once its alarm's row is there:

    crowd = await caps.crowd(tx, user_id=user_id, alarm_id=alarm_id)                  # only where first messages are added
    due = await caps.summary_due(tx, crowd, user_id=user_id, addresses=addresses)     # alarm or summary, and when
    names = await caps.judged(tx, limits, planned, user_id=user_id, alarm_id=alarm_id, first=crowd.first)

It gives each SMS to `outbox.add`, with `segments=limits.segments(text)` and with the name that it got as `cap`.
"""

import json
from collections.abc import Collection, Sequence
from typing import Literal

from msgspec import Struct

from holdfast.clock import DAY, HOUR, MINUTE
from holdfast.db import Tx
from holdfast.delivery.counts import CROWD, FOR_USER, IN_THE_HOUR, SEGMENTS, SUMMARIES, TO
from holdfast.delivery.schemas import LINK, Kind
from holdfast.settings import Settings
from holdfast.texts.segments import measured

Cap = Literal["unconfirmed", "destination", "user", "hour", "money"]

TEN_MINUTES = 10 * MINUTE
EXEMPT = 3  # alarms of a user in an hour whose first messages no count holds back
UNCONFIRMED_ALARM, UNCONFIRMED_DAY = 1, 3  # SMS from one user to somebody who has not said yes
TELLING = ("alarm", "summary")  # by these a helper hears that there is an alarm at all
LAST = ("all_clear", "closing")  # owed to whoever was told: at most one for each telling
LINK_KEY = len("/a/") + 22


class Caps(Struct, frozen=True, kw_only=True):
    """The operator's limits; `money_day` 0 is none. `link` is how long an address in a message is."""

    ten_minutes: int
    day: int
    user_day: int
    hour: int
    money_day: float
    price: float
    link: int

    @classmethod
    def of(cls, settings: Settings) -> "Caps":
        return cls(
            ten_minutes=settings.cap_sms_10_minutes,
            day=settings.cap_sms_day,
            user_day=settings.cap_user_day,
            hour=settings.cap_hour,
            money_day=settings.cap_money_day,
            price=settings.sms_price,
            link=len(settings.address) + LINK_KEY,
        )

    def segments(self, text: str) -> int:
        """What an SMS costs, with its link put in."""
        return measured(text.replace(LINK, "x" * self.link)).segments


class Planned(Struct, kw_only=True):
    """One SMS that an act would add. `alone`: the person has no other channel that this server can send on."""

    destination: str
    kind: Kind
    segments: int = 1
    confirmed: bool
    alone: bool


class Crowd(Struct):
    """How the user's alarms crowd, up to and with this one."""

    drill: bool
    in_an_hour: int
    in_ten_minutes: int

    @property
    def first(self) -> bool:
        """Whether the first messages of this alarm are exempt."""
        return not self.drill and self.in_an_hour <= EXEMPT


class Due(Struct):
    """What takes the place of a first message: itself, or "`count` alarms in 10 minutes", after so many microseconds."""

    kind: Literal["alarm", "summary"] = "alarm"
    count: int = 1
    wait: int = 0


Address = tuple[str, str]  # channel and destination


class _Summary(Struct):
    channel: str
    destination: str
    at: int
    now: int


class _Count(Struct):
    """SMS to one destination in a day. Of these: in ten minutes, for the user's alarms and for this alarm without the last words, for no alarm."""

    destination: str
    day: int = 0
    ten_minutes: int = 0
    of_user: int = 0
    of_alarm: int = 0
    asked: int = 0


class _Used(Struct):
    """What an act has to do with; None where it asks for nothing that this limits."""

    destinations: dict[str, _Count]
    user: int
    hour: int
    money: float


async def crowd(tx: Tx, *, user_id: int, alarm_id: int) -> Crowd:
    """One statement. A drill crowds with drills alone."""
    found = await tx.one(CROWD, Crowd, user_id=user_id, alarm_id=alarm_id, hour=HOUR, ten_minutes=TEN_MINUTES)
    return found or Crowd(False, 1, 1)


async def summary_due(tx: Tx, crowd: Crowd, *, user_id: int, addresses: Collection[Address]) -> dict[Address, Due]:
    """For each address of a helper: the first message, or one summary in ten minutes, which then waits until it may leave.

    It waits instead of being left out, so that nobody hears nothing of an alarm that goes on; ending the alarm cancels it.
    """
    if crowd.drill or crowd.first or crowd.in_ten_minutes == 1:
        return {address: Due() for address in addresses}
    rows = await tx.all(SUMMARIES, _Summary, user_id=user_id, addresses=json.dumps(list(addresses)), hour=HOUR)
    last = {(row.channel, row.destination): row for row in rows}
    due = {}
    for address in addresses:
        before = last.get(address)
        due[address] = Due("summary", crowd.in_ten_minutes, max(0, before.at + TEN_MINUTES - before.now) if before else 0)
    return due


async def judged(tx: Tx, caps: Caps, planned: Sequence[Planned], *, user_id: int, alarm_id: int | None, first: bool = False) -> list[Cap | None]:
    """For each planned SMS, in order, None where it may leave or the cap that holds it back. At most four statements, however many they are.

    `first`: the alarm's first messages are exempt. `alarm_id` is None for an invitation or a test.
    """
    if not planned:
        return []
    used = await _used(tx, caps, planned, user_id, alarm_id, first)
    verdicts: list[Cap | None] = []
    for sms in planned:
        verdict = _verdict(caps, used, sms, first)
        verdicts.append(verdict)
        if verdict is None:
            _use(caps, used, sms)
    return verdicts


async def spent(tx: Tx, caps: Caps) -> float:
    """Money for the SMS of the last 24 hours, with those that still wait: of `money_day`, for the warnings at 50, 80 and 100 %."""
    return float(await tx.value(SEGMENTS, day=DAY)) * caps.price


async def _used(tx: Tx, caps: Caps, planned: Sequence[Planned], user_id: int, alarm_id: int | None, first: bool) -> _Used:
    """Asks only for what can decide something: the first messages of an alarm cost one statement while no money cap is set."""
    destinations = json.dumps(sorted({sms.destination for sms in planned}))
    counts = await tx.all(TO, _Count, destinations=destinations, user_id=user_id, alarm_id=alarm_id, ten_minutes=TEN_MINUTES, day=DAY)
    counted = any(not _is_owed(sms, first) for sms in planned)
    return _Used(
        {sms.destination: _Count(sms.destination) for sms in planned} | {count.destination: count for count in counts},
        int(await tx.value(FOR_USER, user_id=user_id, day=DAY)) if counted else 0,
        int(await tx.value(IN_THE_HOUR, hour=HOUR, most=caps.hour)) if counted else 0,
        await spent(tx, caps) if caps.money_day and not all(sms.alone for sms in planned) else 0.0,
    )


def _is_owed(sms: Planned, first: bool) -> bool:
    """What no count of messages holds back. A summary limits itself: there is one in ten minutes."""
    return sms.kind in LAST or (first and sms.kind == "alarm") or (sms.alone and sms.kind in TELLING)


def _verdict(caps: Caps, used: _Used, sms: Planned, first: bool) -> Cap | None:
    to = used.destinations[sms.destination]
    if not sms.confirmed and _is_too_much(to, sms):
        return "unconfirmed"
    if not sms.alone and caps.money_day and used.money + sms.segments * caps.price > caps.money_day:
        return "money"
    if _is_owed(sms, first):
        return None
    if to.day >= caps.day or (to.ten_minutes >= caps.ten_minutes and sms.kind != "summary"):
        return "destination"
    if used.user >= caps.user_day:
        return "user"
    return "hour" if used.hour >= caps.hour else None


def _is_too_much(to: _Count, sms: Planned) -> bool:
    """For somebody who has not said yes. Invitations use up nothing of what an alarm may send."""
    if sms.kind in ("invitation", "test"):
        return to.asked >= UNCONFIRMED_DAY
    return sms.kind not in LAST and (to.of_alarm >= UNCONFIRMED_ALARM or to.of_user >= UNCONFIRMED_DAY)


def _use(caps: Caps, used: _Used, sms: Planned) -> None:
    to = used.destinations[sms.destination]
    to.day, to.ten_minutes = to.day + 1, to.ten_minutes + 1
    if sms.kind in ("invitation", "test"):
        to.asked += 1
    elif sms.kind not in LAST:
        to.of_user, to.of_alarm = to.of_user + 1, to.of_alarm + 1
    used.user, used.hour, used.money = used.user + 1, used.hour + 1, used.money + sms.segments * caps.price
