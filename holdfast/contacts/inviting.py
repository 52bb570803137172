"""Asking people whether they will be there: invitations, tests, and the answers behind their links (alarm.md, section 12)."""

from collections.abc import Collection
from typing import Literal

from msgspec import Struct

from holdfast import audit
from holdfast.clock import DAY, MINUTE, SECOND
from holdfast.contacts import channels, service
from holdfast.contacts.numbers import DOUBTFUL, allowed
from holdfast.contacts.schemas import Invited, Posted
from holdfast.db import Tx
from holdfast.delivery import caps, health, outbox
from holdfast.delivery.caps import Caps, Planned
from holdfast.delivery.links import Links, digest
from holdfast.delivery.schemas import LINK, Body, NewDelivery
from holdfast.profiles import preferences
from holdfast.texts.messages import Messages, Values, overrides

ONCE_IN = {"invitation": DAY, "test": 10 * MINUTE}  # to one channel of a contact; asked again within, the same delivery is the answer
MOST_IN_A_DAY = 5  # invitations and tests to one address, whoever asks for them: removing and adding somebody must not make more
LIFE = DAY  # of the message; its link lives longer

Kind = Literal["invitation", "test"]
Choice = Literal["accept", "not_me", "stop"]

CHANNELS = """
    select w.id, w.channel, w.destination, w.state, w.region, w.problem, c.language, o.at is not null as stopped, holdfast_now() as now
      from contact_channel w
      join contact c on c.id = w.contact_id
      left join opt_out o on o.channel = w.channel and o.destination = lower(w.destination)
     where w.contact_id = :contact_id and w.replaced_at is null
     order by w.position, w.id"""

SIGN = "update contact_channel set invite_sha256 = :digest, invite_ends_at = holdfast_now() + cast(:life as bigint) where id = :id"

INVITED = """
    select w.id, w.channel, w.destination, w.state, w.problem, c.name, c.language, c.user_id, o.at is not null as stopped,
           coalesce(w.invite_ends_at, 0) <= holdfast_now() or w.replaced_at is not null or c.removed_at is not null as expired
      from contact_channel w
      join contact c on c.id = w.contact_id
      left join opt_out o on o.channel = w.channel and o.destination = lower(w.destination)
     where w.invite_sha256 = :digest"""

ACCEPT = "update contact_channel set state = 'confirmed', confirmed_at = holdfast_now(), problem = null where id = :id"

NOT_ME = "update contact_channel set state = 'stopped', confirmed_at = null, problem = 'not_me' where id = :id"


class Means(Struct):
    """What this server has for asking; `life` is how long a link can be answered, in seconds."""

    sending: Collection[str]
    countries: Collection[str]
    links: Links
    caps: Caps
    life: int


class _Channel(Struct):
    id: int
    channel: str
    destination: str
    state: str
    region: str | None
    problem: str | None
    language: str | None
    stopped: bool
    now: int


class _Invited(Struct):
    id: int
    channel: str
    destination: str
    state: Literal["unconfirmed", "confirmed", "stopped", "bouncing"]
    problem: str | None
    name: str
    language: str | None
    user_id: int
    stopped: bool
    expired: bool


async def ask(tx: Tx, kind: Kind, contact_id: int, user_id: int, means: Means) -> list[Posted]:
    """Puts one message into the outbox for each channel of the contact that may get one; what may not is named with its reason."""
    await service.lock(tx, user_id)  # two requests at once must not both find that nothing has been sent
    who = await preferences.preferences(tx, user_id)
    posted, texts = [], Messages(await overrides(tx))
    for row in await tx.all(CHANNELS, _Channel, contact_id=contact_id):
        if problem := _problem(row, kind, means):
            posted.append(Posted(row.channel, None, problem))
            continue
        before = await health.asked(tx, row.channel, row.destination, DAY)
        same = next((one for one in before if _is_recent(one, row, kind)), None)
        if same:
            posted.append(Posted(row.channel, same.state, same.error_class if same.state == "pending" else None))
        elif len(before) >= MOST_IN_A_DAY:
            posted.append(Posted(row.channel, None, "capped"))
        else:
            letter = texts.letter(kind, row.channel, row.language or who.language, Values(who=who.chosen_name))
            posted.append(await _post(tx, kind, row, user_id, Body(letter.subject, letter.text), means))
    return posted


async def invited(tx: Tx, key: str) -> Invited | None:
    """Who asks whom, behind the link of an invitation or a test; looking changes nothing. None for a key that nobody was given."""
    row = await tx.one(INVITED, _Invited, digest=digest(key))
    return None if row is None else await _view(tx, row)


async def confirm_by_key(tx: Tx, key: str, choice: Choice) -> Invited | None:
    """The last choice counts. An expired link can no longer say yes, but it can still say "not me" and STOP."""
    row = await tx.one(INVITED, _Invited, digest=digest(key))
    if row is None:
        return None
    if choice == "accept" and not row.expired:
        await channels.opt_in(tx, row.channel, row.destination)
        await tx.run(ACCEPT, id=row.id)
        await audit.record(tx, actor_id=None, user_id=row.user_id, action="contact_confirmed")
    elif choice == "not_me":
        await tx.run(NOT_ME, id=row.id)
        await audit.record(tx, actor_id=None, user_id=row.user_id, action="contact_not_me")
    elif choice == "stop":
        await channels.opt_out(tx, row.channel, row.destination)
        await health.end_destination(tx, row.channel, row.destination)
        await audit.record(tx, actor_id=None, user_id=row.user_id, action="contact_stopped")
    return await invited(tx, key)


def _problem(row: _Channel, kind: Kind, means: Means) -> str | None:
    if row.stopped:
        return "stopped"
    if row.problem and row.problem != DOUBTFUL:
        return row.problem
    if row.channel == "sms" and not allowed(row.region, means.countries):
        return "country"
    if row.channel not in means.sending:
        return "not_configured"
    return "already_confirmed" if kind == "invitation" and row.state == "confirmed" else None


def _is_recent(one: health.Asked, row: _Channel, kind: Kind) -> bool:
    """What failed was heard by nobody, and may be asked for again."""
    mine = one.contact_channel_id == row.id and one.kind == kind and one.state not in ("failed", "cancelled")
    return mine and row.now - one.created_at < ONCE_IN[kind]


async def _post(tx: Tx, kind: Kind, row: _Channel, user_id: int, body: Body, means: Means) -> Posted:
    segments = means.caps.segments(body.text) if row.channel == "sms" else 1
    if row.channel == "sms":
        planned = Planned(destination=row.destination, kind=kind, segments=segments, confirmed=row.state == "confirmed", alone=False)
        if any(await caps.judged(tx, means.caps, [planned], user_id=user_id, alarm_id=None)):
            return Posted(row.channel, None, "capped")
    seed = means.links.seed("c", row.id)
    if LINK in body.text:
        body.link = seed
        await tx.run(SIGN, id=row.id, digest=means.links.digest(seed), life=means.life * SECOND)
    new = NewDelivery(
        dedup_key=f"{kind}:{row.id}:{row.now}",
        kind=kind,
        channel=row.channel,
        destination=row.destination,
        body=body,
        deadline_at=row.now + LIFE,
        contact_channel_id=row.id,
        segments=segments,
    )
    await outbox.add(tx, new)
    return Posted(row.channel, "pending", None)


async def _view(tx: Tx, row: _Invited) -> Invited:
    who = await preferences.preferences(tx, row.user_id)
    state: Literal["unconfirmed", "confirmed", "stopped", "not_me"] = "confirmed" if row.state == "confirmed" else "unconfirmed"
    if row.problem == "not_me":
        state = "not_me"
    if row.stopped:
        state = "stopped"
    return Invited(who.chosen_name, row.name, row.language or who.language, row.channel, state, row.expired)
