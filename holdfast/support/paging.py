"""Paging staff on call: somebody waits in the support chat. Adds to the alarm's outbox, and says no word of what was written."""

from collections.abc import Sequence

from msgspec import Struct

from holdfast import texts
from holdfast.accounts import service as accounts
from holdfast.clock import HOUR, MINUTE
from holdfast.db import Tx
from holdfast.delivery import caps, outbox
from holdfast.delivery.caps import Caps, Planned
from holdfast.delivery.schemas import Body, NewDelivery
from holdfast.profiles import preferences

EVERY = 10 * MINUTE  # between two notices about one conversation; support-chat.md, section 8
LIVES = HOUR

# Two keys, of this span and of the one before: by them alone the unique index is asked.
LATELY = """
    select 1 from delivery where dedup_key in (:this, :before) and created_at > holdfast_now() - cast(:every as bigint)"""


class Desk(Struct, frozen=True):
    """What is true about the people of the service now. `on_call` as in the settings; without `channels` nobody can be paged."""

    staff_online: bool = False
    on_call: tuple[str, ...] = ()
    channels: Sequence[str] = ()
    caps: Caps | None = None


async def page(tx: Tx, user_id: int, desk: Desk, now: int) -> bool:
    """One notice to each on call; within EVERY of the last about this person no further one. Whether anybody is being told by now."""
    written, told = [], False
    for member in await _on_call(tx, desk):
        for channel, destination in member.ways:
            this, before = (f"chat_offline:{user_id}:{member.id}:{channel}:{now // EVERY - back}" for back in (0, 1))
            if await tx.value(LATELY, this=this, before=before, every=EVERY):
                told = True
            else:
                written.append(_notice(this, channel, destination, member.language, now))
    await _hold_back(tx, user_id, desk, written)
    await outbox.add(tx, *written)
    return told or any(new.cap is None for new in written)


class _Member(Struct):
    id: int
    language: str | None
    ways: list[tuple[str, str]]


async def _on_call(tx: Tx, desk: Desk) -> list[_Member]:
    """As an alarm pages them: by e-mail, and by SMS where the settings give a number."""
    numbers = dict(entry.partition(":")[::2] for entry in desk.on_call)
    found = []
    for member in await accounts.staff(tx):
        ways = [("email", member.email), ("sms", numbers.get(member.username, ""))]
        usable = [(channel, destination) for channel, destination in ways if destination and channel in desk.channels]
        if usable and (not numbers or member.username in numbers):
            found.append(_Member(member.id, (await preferences.preferences(tx, member.id)).language, usable))
    return found


def _notice(key: str, channel: str, destination: str, language: str | None, now: int) -> NewDelivery:
    words = texts.read(texts.known(language), "handover")["page"]
    body = Body(words["subject"], words["email"] if channel == "email" else words["sms"])
    return NewDelivery(dedup_key=key, kind="chat_offline", channel=channel, destination=destination, body=body, deadline_at=now + LIVES)


async def _hold_back(tx: Tx, user_id: int, desk: Desk, written: list[NewDelivery]) -> None:
    """What an operator's limit on SMS does not let through is on record as failed."""
    sms = [new for new in written if new.channel == "sms"]
    if not sms or desk.caps is None:
        return
    for new in sms:
        new.segments = desk.caps.segments(new.body.text)
    alone = "email" not in desk.channels
    planned = [Planned(destination=new.destination, kind=new.kind, segments=new.segments, confirmed=True, alone=alone) for new in sms]
    for new, cap in zip(sms, await caps.judged(tx, desk.caps, planned, user_id=user_id, alarm_id=None), strict=True):
        new.cap = cap
