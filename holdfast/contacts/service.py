"""Everything that changes whom somebody trusts."""

from typing import Literal

from msgspec import Struct, UnsetType

from holdfast import audit
from holdfast.contacts.addresses import e164
from holdfast.contacts.schemas import Contact, NewContact, NewTherapist, Person, Therapist, TherapistChanges, Way
from holdfast.db import Sql, Tx
from holdfast.errors import Invalid, NotFound

MOST_CONTACTS = 100  # of one person; far above any need, so that one account cannot fill the disk

SAME_PERSON = """
    select id from contact
     where user_id = :user_id
       and ((phone_e164 is not null and phone_e164 = :phone_e164)
            or (phone_e164 is null and cast(:phone_e164 as text) is null and lower(email) = lower(:email)))
     order by id
     limit 1"""

# Not `for update`: an alarm refers to the account, and must not wait for this.
LOCK = Sql(sqlite="select id from account where id = :user_id", postgres="select id from account where id = :user_id for no key update")

COUNT = "select count(*) from contact where user_id = :user_id"

ADD = """
    insert into contact (user_id, name, phone, phone_e164, email, relationship, created_at)
    values (:user_id, :name, :phone, :phone_e164, :email, :relationship, holdfast_now())
    returning id, name, phone, email, relationship"""

REPLACE = """
    update contact set name = :name, phone = :phone, phone_e164 = :phone_e164, email = :email, relationship = :relationship
     where id = :contact_id
    returning id, name, phone, email, relationship"""

PEOPLE = "select id, name, phone, phone_e164, email, relationship, language from contact where user_id = :user_id order by position, id"

THERAPISTS = "select id, name, phone, email from therapist where owner_id is null or owner_id = :user_id order by owner_id is not null, id"

MAY_USE = "select 1 from therapist where id = :therapist_id and (owner_id is null or owner_id = :user_id)"

ADD_THERAPIST = """
    insert into therapist (owner_id, name, phone, phone_e164, email) values (:user_id, :name, :phone, :phone_e164, :email)
    returning id, name, phone, email"""

CHOOSE_THERAPIST = "update profile set therapist_id = :therapist_id where user_id = :user_id"

# The user's own: the chosen one when it is his or hers, else the newest.
OWN_THERAPIST = """
    select t.id, t.name, t.phone, t.email
      from therapist t
      join profile p on p.user_id = t.owner_id
     where t.owner_id = :user_id
     order by case when p.therapist_id = t.id then 0 else 1 end, t.id desc
     limit 1"""

CHANGE_THERAPIST = """
    update therapist set name = :name, phone = :phone, phone_e164 = :phone_e164, email = :email
     where id = :id
    returning id, name, phone, email"""

CHOSEN_THERAPIST = """
    select t.id, t.name, t.phone, t.phone_e164, t.email, 'therapist' as relationship, t.language
      from therapist t
      join profile p on p.therapist_id = t.id
     where p.user_id = :user_id"""


class _Row(Struct):
    id: int
    name: str
    phone: str | None
    phone_e164: str | None
    email: str | None
    relationship: str
    language: str | None


class ContactFieldsMissing(Invalid):
    """The 'name', 'phone', and 'relationship' fields are required."""


class TherapistFieldsMissing(Invalid):
    """The 'name' field and a 'phone' or an 'email' are required."""


class TherapistNotFound(NotFound):
    """Therapist contact not found for this user."""


async def save(tx: Tx, actor_id: int, user_id: int, new: NewContact) -> tuple[Contact, bool]:
    """The contact, and whether it is new: the same number, or without a number the same e-mail, is the same person. Raises Invalid."""
    await tx.value(LOCK, user_id=user_id)  # two telephones at once must not make the same person twice
    values = {"name": new.name, "phone": new.phone, "phone_e164": e164(new.phone), "email": new.email, "relationship": new.relationship}
    known = await tx.value(SAME_PERSON, user_id=user_id, phone_e164=values["phone_e164"], email=new.email)
    if known is None and await tx.value(COUNT, user_id=user_id) >= MOST_CONTACTS:
        raise Invalid(f"No more than {MOST_CONTACTS} contacts can be stored.")
    if known is None:
        contact = await tx.one(ADD, Contact, user_id=user_id, **values)
    else:
        contact = await tx.one(REPLACE, Contact, contact_id=known, **values)
    await audit.record(tx, actor_id=actor_id, user_id=user_id, action="contact_changed" if known else "contact_added")
    assert contact is not None  # noqa: S101 - both statements return their row
    return contact, known is None


async def people(tx: Tx, user_id: int) -> list[Person]:
    """The emergency contacts, in the order in which they are told."""
    return [_person("contact", row) for row in await tx.all(PEOPLE, _Row, user_id=user_id)]


async def therapist_of(tx: Tx, user_id: int) -> Person | None:
    row = await tx.one(CHOSEN_THERAPIST, _Row, user_id=user_id)
    return None if row is None else _person("therapist", row)


def _person(kind: Literal["contact", "therapist"], row: _Row) -> Person:
    ways = [Way(channel, to) for channel, to in (("email", row.email), ("sms", row.phone_e164)) if to]
    return Person(row.id, kind, row.name, row.relationship, row.language, row.phone, ways)


async def therapists(tx: Tx, user_id: int) -> list[Therapist]:
    """The staff's directory, then the user's own."""
    return await tx.all(THERAPISTS, Therapist, user_id=user_id)


async def may_use_therapist(tx: Tx, user_id: int, therapist_id: int) -> bool:
    return bool(await tx.value(MAY_USE, user_id=user_id, therapist_id=therapist_id))


async def add_therapist(tx: Tx, actor_id: int, user_id: int, new: NewTherapist) -> Therapist:
    """Makes it the user's therapist contact, too."""
    therapist = await tx.one(ADD_THERAPIST, Therapist, user_id=user_id, name=new.name, phone=new.phone, phone_e164=e164(new.phone), email=new.email)
    assert therapist is not None  # noqa: S101 - an insert returns its row
    await tx.run(CHOOSE_THERAPIST, user_id=user_id, therapist_id=therapist.id)
    await audit.record(tx, actor_id=actor_id, user_id=user_id, action="therapist_added")
    return therapist


async def change_therapist(tx: Tx, actor_id: int, user_id: int, changes: TherapistChanges) -> Therapist:
    """Only the user's own, never one of the directory. Raises TherapistNotFound, TherapistFieldsMissing."""
    old = await tx.one(OWN_THERAPIST, Therapist, user_id=user_id)
    if old is None:
        raise TherapistNotFound
    name, phone, email = (_new(getattr(changes, field), getattr(old, field)) for field in ("name", "phone", "email"))
    if not phone and not email:
        raise TherapistFieldsMissing
    therapist = await tx.one(CHANGE_THERAPIST, Therapist, id=old.id, name=name, phone=phone, phone_e164=e164(phone), email=email)
    await audit.record(tx, actor_id=actor_id, user_id=user_id, action="therapist_changed")
    return therapist or old


def _new(change: str | UnsetType | None, old: str | None) -> str | None:
    return old if isinstance(change, UnsetType) else change
