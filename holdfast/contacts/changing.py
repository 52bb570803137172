"""Changing and removing one contact: what somebody with a borrowed telephone must not be able to do unseen (security.md, section 5 row 2)."""

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import TypeVar

from msgspec import Struct, UnsetType

from holdfast import audit
from holdfast.contacts import channels, numbers, service
from holdfast.contacts.channels import Wanted
from holdfast.contacts.schemas import ChannelOrder, ChannelView, ContactChanges, ContactView, Way
from holdfast.contacts.service import Row
from holdfast.db import Tx
from holdfast.errors import InvalidFields, NotFound
from holdfast.fields import UNWANTED, normal
from holdfast.http import Target
from holdfast.profiles.preferences import Language

V = TypeVar("V")


class Held(Struct):
    id: int


OF_CONTACT = Target(source="(select id, user_id from contact where removed_at is null)", owner="user_id", into=Held, by_person=False)

CONTACT = "select id, name, phone, email, relationship, language from contact where id = :contact_id and removed_at is null"

TWIN = """
    select 1 from contact
     where user_id = :user_id and id <> :contact_id and removed_at is null and phone_e164 = cast(:phone_e164 as text)"""

CHANGE = """
    update contact
       set name = :name, phone = :phone, phone_e164 = :phone_e164, email = :email, relationship = :relationship, language = :language
     where id = :contact_id"""

PLACES = "select id from contact where user_id = :user_id and removed_at is null order by position, id"

PLACE = "update contact set position = :position where id = :contact_id"

REMOVE = "update contact set removed_at = holdfast_now() where id = :contact_id"

DROP = "delete from contact where id = :contact_id"

FORGET = "delete from contact where removed_at <= (select holdfast_now()) - cast(:day as bigint)"

TAKEN = "Another contact has this number."
UNKNOWN_CHANNEL = "Each must be email, sms or a further channel of this server, and none may be named twice."
WRONG_DESTINATION = "A further channel needs a destination of 1 to 200 characters; email and sms lead to the contact's own e-mail and phone."


class ContactNotFound(NotFound):
    """Contact not found"""


class _Contact(Struct):
    id: int
    name: str
    phone: str
    email: str | None
    relationship: str
    language: Language | None


async def listed(tx: Tx, user_id: int, sending: Collection[str], countries: Collection[str]) -> list[ContactView]:
    """In the order in which they are told. `sending` are the channels that this server can send on."""
    rows = [row for row in await service.rows(tx, user_id) if not row.removed and not row.former]
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row.id)]
    return [_view(position, group, sending, countries) for position, group in enumerate(groups, 1)]


async def look_at(tx: Tx, user_id: int, contact_id: int, sending: Collection[str], countries: Collection[str]) -> ContactView:
    """Raises ContactNotFound."""
    found = next((contact for contact in await listed(tx, user_id, sending, countries) if contact.id == contact_id), None)
    if found is None:
        raise ContactNotFound
    return found


async def change(tx: Tx, actor_id: int, user_id: int, contact_id: int, changes: ContactChanges, *, further: Collection[str], at_once: bool) -> None:
    """`further` are the channels beside email and sms; `at_once`: with the password. Raises ContactNotFound, InvalidFields."""
    await service.lock(tx, user_id)
    old = await tx.one(CONTACT, _Contact, contact_id=contact_id)
    if old is None:
        raise ContactNotFound
    new = _Contact(old.id, *(_new(getattr(changes, name), getattr(old, name)) for name in _Contact.__struct_fields__[1:]))
    number = numbers.value(new.phone)
    if await tx.value(TWIN, user_id=user_id, contact_id=contact_id, phone_e164=number.e164):
        raise InvalidFields({"phone": [TAKEN]})
    own = channels.wanted(new.email, new.phone, number)
    wanted = channels.ordered(own, await channels.of_contact(tx, contact_id))
    if not isinstance(changes.channels, UnsetType):
        wanted = _chosen(changes.channels, own, {new.email, new.phone}, further)
    names = {"name": new.name, "email": new.email, "relationship": new.relationship, "language": new.language}
    await tx.run(CHANGE, contact_id=contact_id, phone=new.phone, phone_e164=number.e164, **names)
    await channels.keep(tx, contact_id, wanted, at_once=at_once)
    if not isinstance(changes.position, UnsetType):
        await _place(tx, user_id, contact_id, changes.position)
    await audit.record(tx, actor_id=actor_id, user_id=user_id, action="contact_changed")


async def remove(tx: Tx, actor_id: int, user_id: int, contact_id: int, *, at_once: bool) -> None:
    """Without the password, what was confirmed is still told for a day. Raises ContactNotFound."""
    await service.lock(tx, user_id)
    if await tx.one(CONTACT, _Contact, contact_id=contact_id) is None:
        raise ContactNotFound
    if any(row.state == "confirmed" for row in await channels.of_contact(tx, contact_id)) and not at_once:
        await channels.drop_unconfirmed(tx, contact_id)
        await tx.run(REMOVE, contact_id=contact_id)
    else:
        await tx.run(DROP, contact_id=contact_id)
    await audit.record(tx, actor_id=actor_id, user_id=user_id, action="contact_removed")


async def forget(tx: Tx, day: int) -> None:
    """Who was removed a day ago is gone."""
    await tx.run(FORGET, day=day)


def seen(way: Way, sending: Collection[str]) -> ChannelView:
    """As the person is told of it; reachable is what an alarm would be sent to with hope."""
    problem = way.problem or (None if way.channel in sending else "not_configured")
    reachable = problem is None and way.state != "bouncing"
    return ChannelView(way.channel, way.destination, way.state, reachable, problem or (numbers.DOUBTFUL if way.doubtful else None))


def _view(position: int, group: Sequence[Row], sending: Collection[str], countries: Collection[str]) -> ContactView:
    row = group[0]
    ways = [seen(way, sending) for each in group if (way := service.way_of(each, countries))]
    return ContactView(row.id, row.name, row.phone, row.email, row.relationship, position, row.language, ways)


def _chosen(chosen: Sequence[ChannelOrder], own: Sequence[Wanted], addresses: Collection[str | None], further: Collection[str]) -> list[Wanted]:
    """The person's own stay in any case: what is not named comes last. Raises InvalidFields."""
    names = [each.channel for each in chosen]
    if len(set(names)) < len(names) or not set(names) <= {"email", "sms", *further}:
        raise InvalidFields({"channels": [UNKNOWN_CHANNEL]})
    left, wanted = {each.channel: each for each in own}, []
    for each in chosen:
        to = normal((each.destination or "").strip())
        mine = left.pop(each.channel, None)
        if each.channel in channels.ORDER:
            wrong = bool(to) and to not in addresses and (mine is None or to != mine.destination)
        else:
            wrong, mine = not to or UNWANTED.search(to) is not None, Wanted(each.channel, to)
        if wrong:
            raise InvalidFields({"channels": [WRONG_DESTINATION]})
        wanted += [mine] if mine else []
    return [*wanted, *left.values()]


async def _place(tx: Tx, user_id: int, contact_id: int, position: int) -> None:
    ids = [row.id for row in await tx.all(PLACES, Held, user_id=user_id) if row.id != contact_id]
    ids.insert(position - 1, contact_id)
    for place, each in enumerate(ids, 1):
        await tx.run(PLACE, contact_id=each, position=place)


def _new(change: V | UnsetType, old: V) -> V:
    return old if isinstance(change, UnsetType) else change
