"""Everything that changes whom somebody trusts."""

from collections.abc import Collection, Sequence
from itertools import groupby

from msgspec import Struct, UnsetType

from holdfast import audit
from holdfast.clock import DAY
from holdfast.contacts import channels, numbers
from holdfast.contacts.schemas import Contact, NewContact, NewTherapist, Person, State, Therapist, TherapistChanges, Way
from holdfast.db import Sql, Tx
from holdfast.errors import Invalid, NotFound
from holdfast.profiles.preferences import Language

MOST_CONTACTS = 100  # of one person; far above any need, so that one account cannot fill the disk

# Who was removed less than a day ago comes back; somebody who is still there goes before.
SAME_PERSON = """
    select id, removed_at is not null as removed
      from contact
     where user_id = :user_id
       and ((phone_e164 is not null and phone_e164 = :phone_e164)
            or (phone_e164 is null and cast(:phone_e164 as text) is null and lower(email) = lower(:email)))
     order by removed_at is not null, id
     limit 1"""

# Not `for update`: an alarm refers to the account, and must not wait for this.
LOCK = Sql(sqlite="select id from account where id = :user_id", postgres="select id from account where id = :user_id for no key update")

COUNT = "select count(*) from contact where user_id = :user_id and removed_at is null"

_LAST = "(select coalesce(max(position), 0) + 1 from contact where user_id = :user_id)"

ADD = f"""
    insert into contact (user_id, name, phone, phone_e164, email, relationship, position, created_at)
    values (:user_id, :name, :phone, :phone_e164, :email, :relationship, {_LAST}, holdfast_now())
    returning id, name, phone, email, relationship"""  # noqa: S608 - constants

REPLACE = f"""
    update contact
       set name = :name, phone = :phone, phone_e164 = :phone_e164, email = :email, relationship = :relationship,
           position = case when removed_at is null then position else {_LAST} end, removed_at = null
     where id = :contact_id and user_id = :user_id
    returning id, name, phone, email, relationship"""  # noqa: S608 - constants

# Everybody with everything in one statement: an alarm waits for it. Of what is gone only the rows are left that are still told, for a day.
PEOPLE = """
    select c.id, c.name, c.phone, c.email, c.relationship, c.language, c.removed_at is not null as removed,
           w.channel, w.destination, w.state, w.region, w.problem, w.replaced_at is not null as former, o.at is not null as stopped
      from contact c
      left join contact_channel w
        on w.contact_id = c.id and (w.replaced_at is null or w.replaced_at > (select holdfast_now()) - cast(:day as bigint))
      left join opt_out o on o.channel = w.channel and o.destination = lower(w.destination)
     where c.user_id = :user_id and (c.removed_at is null or c.removed_at > (select holdfast_now()) - cast(:day as bigint))
     order by c.removed_at is not null, c.position, c.id, w.position, w.replaced_at is not null, w.id"""

THERAPISTS = "select id, name, phone, email from therapist where owner_id is null or owner_id = :user_id order by owner_id is not null, id"

MAY_USE = "select 1 from therapist where id = :therapist_id and (owner_id is null or owner_id = :user_id)"

ADD_THERAPIST = """
    insert into therapist (owner_id, name, phone, phone_e164, phone_region, phone_problem, email)
    values (:user_id, :name, :phone, :phone_e164, :phone_region, :phone_problem, :email)
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
    update therapist
       set name = :name, phone = :phone, phone_e164 = :phone_e164, phone_region = :phone_region, phone_problem = :phone_problem, email = :email
     where id = :id
    returning id, name, phone, email"""

CHOSEN_THERAPIST = """
    select t.id, t.name, t.phone, t.phone_e164, t.phone_region, t.phone_problem, t.email, t.language,
           exists (select 1 from opt_out o where o.channel = 'email' and o.destination = lower(t.email)) as email_stopped,
           exists (select 1 from opt_out o where o.channel = 'sms' and o.destination = t.phone_e164) as sms_stopped
      from therapist t
      join profile p on p.therapist_id = t.id
     where p.user_id = :user_id"""


class Row(Struct):
    """One channel of one contact; a contact without any has one row, without a channel."""

    id: int
    name: str
    phone: str
    email: str | None
    relationship: str
    language: Language | None
    removed: bool
    channel: str | None
    destination: str | None
    state: State | None
    region: str | None
    problem: str | None
    former: bool
    stopped: bool


class _Same(Struct):
    id: int
    removed: bool


class _Therapist(Struct):
    id: int
    name: str
    phone: str | None
    phone_e164: str | None
    phone_region: str | None
    phone_problem: str | None
    email: str | None
    language: str | None
    email_stopped: bool
    sms_stopped: bool


class ContactFieldsMissing(Invalid):
    """The 'name', 'phone', and 'relationship' fields are required."""


class TherapistFieldsMissing(Invalid):
    """The 'name' field and a 'phone' or an 'email' are required."""


class TherapistNotFound(NotFound):
    """Therapist contact not found for this user."""


async def save(tx: Tx, actor_id: int, user_id: int, new: NewContact) -> tuple[Contact, bool]:
    """The contact, and whether it is new: the same number, or without a number the same e-mail, is the same person. Raises Invalid."""
    await lock(tx, user_id)  # two telephones at once must not make the same person twice
    number = numbers.value(new.phone)
    values = {"name": new.name, "phone": new.phone, "phone_e164": number.e164, "email": new.email, "relationship": new.relationship}
    known = await tx.one(SAME_PERSON, _Same, user_id=user_id, phone_e164=number.e164, email=new.email)
    added = known is None or known.removed
    if added and await tx.value(COUNT, user_id=user_id) >= MOST_CONTACTS:
        raise Invalid(f"No more than {MOST_CONTACTS} contacts can be stored.")
    if known is None:
        contact = await tx.one(ADD, Contact, user_id=user_id, **values)
    else:
        contact = await tx.one(REPLACE, Contact, contact_id=known.id, user_id=user_id, **values)
    assert contact is not None  # noqa: S101 - both statements return their row
    own = channels.wanted(new.email, new.phone, number)
    await channels.keep(tx, contact.id, channels.ordered(own, await channels.of_contact(tx, contact.id)))
    await audit.record(tx, actor_id=actor_id, user_id=user_id, action="contact_added" if added else "contact_changed")
    return contact, added


async def lock(tx: Tx, user_id: int) -> None:
    """Changes of one person's contacts follow each other."""
    await tx.value(LOCK, user_id=user_id)


async def rows(tx: Tx, user_id: int) -> list[Row]:
    return await tx.all(PEOPLE, Row, user_id=user_id, day=DAY)


async def people(tx: Tx, user_id: int, countries: Collection[str] = ()) -> list[Person]:
    """The emergency contacts, in the order in which they are told; `countries` are those that SMS may go to, none for any.

    Beside each channel stands, for a day, the confirmed destination that was changed without the password, as `former`; and after everybody who
    was removed so.
    """
    found = [_person(list(group), countries) for _, group in groupby(await rows(tx, user_id), key=lambda row: row.id)]
    return [person for person in found if person is not None]


async def therapist_of(tx: Tx, user_id: int, countries: Collection[str] = ()) -> Person | None:
    row = await tx.one(CHOSEN_THERAPIST, _Therapist, user_id=user_id)
    if row is None:
        return None
    ways = []
    if row.email:
        ways.append(Way("email", row.email, problem="stopped" if row.email_stopped else None))
    if row.phone:
        to, problem = row.phone_e164 or row.phone, row.phone_problem if row.phone_e164 else row.phone_problem or "invalid_number"
        ways.append(_way("sms", to, "unconfirmed", problem, numbers.allowed(row.phone_region, countries), row.sms_stopped))
    return Person(row.id, "therapist", row.name, "therapist", row.language, row.phone, ways)


def way_of(row: Row, countries: Collection[str]) -> Way | None:
    if row.channel is None or row.destination is None or row.state is None:
        return None
    allowed = row.channel != "sms" or numbers.allowed(row.region, countries)
    way = _way(row.channel, row.destination, row.state, row.problem, allowed, row.stopped)
    way.former = row.former or row.removed
    return way


def _way(channel: str, destination: str, state: State, problem: str | None, allowed: bool, stopped: bool) -> Way:
    if stopped:
        return Way(channel, destination, "stopped", "stopped")
    doubtful = problem == numbers.DOUBTFUL
    return Way(channel, destination, state, (None if doubtful else problem) or (None if allowed else "country"), doubtful)


def _person(group: Sequence[Row], countries: Collection[str]) -> Person | None:
    """None for somebody removed of whom nothing confirmed is left."""
    row = group[0]
    ways = [way for each in group if (way := way_of(each, countries))]
    return Person(row.id, "contact", row.name, row.relationship, row.language, row.phone, ways) if ways or not row.removed else None


async def therapists(tx: Tx, user_id: int) -> list[Therapist]:
    """The staff's directory, then the user's own."""
    return await tx.all(THERAPISTS, Therapist, user_id=user_id)


async def may_use_therapist(tx: Tx, user_id: int, therapist_id: int) -> bool:
    return bool(await tx.value(MAY_USE, user_id=user_id, therapist_id=therapist_id))


async def add_therapist(tx: Tx, actor_id: int, user_id: int, new: NewTherapist) -> Therapist:
    """Makes it the user's therapist contact, too."""
    therapist = await tx.one(ADD_THERAPIST, Therapist, user_id=user_id, name=new.name, email=new.email, **_phone(new.phone))
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
    therapist = await tx.one(CHANGE_THERAPIST, Therapist, id=old.id, name=name, email=email, **_phone(phone))
    await audit.record(tx, actor_id=actor_id, user_id=user_id, action="therapist_changed")
    return therapist or old


def _phone(phone: str | None) -> dict[str, str | None]:
    number = numbers.value(phone) if phone else numbers.NONE
    return {"phone": phone, "phone_e164": number.e164, "phone_region": number.region, "phone_problem": number.problem}


def _new(change: str | UnsetType | None, old: str | None) -> str | None:
    return old if isinstance(change, UnsetType) else change
