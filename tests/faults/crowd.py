"""Many people with people whom they trust, written into the database as registering them would leave it."""

from typing import NamedTuple

from holdfast.accounts import service as accounts
from holdfast.db import Database, open_database
from holdfast.profiles import service as profiles
from holdfast.settings import Settings

AT_ONCE = 500  # people in one transaction

CONTACT = """
    insert into contact (user_id, name, phone, phone_e164, email, relationship, position, created_at)
    values (:user_id, :name, :phone, :phone, :email, 'friend', :place, holdfast_now()) returning id"""
CHANNEL = """
    insert into contact_channel (contact_id, channel, destination, state, confirmed_at, position, region)
    values (:contact_id, :channel, :destination, 'confirmed', holdfast_now(), :place, :region)"""


class Caller(NamedTuple):
    id: int
    token: str


async def crowd(settings: Settings, count: int, *, contacts: int = 3, sms: bool = True) -> list[Caller]:
    """`count` people, each with so many confirmed contacts, who have an e-mail address and, with `sms`, a number."""
    db = await open_database(settings)
    try:
        found: list[Caller] = []
        while len(found) < count:
            found += await _some(db, len(found), min(AT_ONCE, count - len(found)), contacts, sms)
        return found
    finally:
        await db.close()


async def _some(db: Database, first: int, count: int, contacts: int, sms: bool) -> list[Caller]:
    callers = []
    async with db.write() as tx:
        for number in range(first, first + count):
            user_id = await accounts.register(tx, username=f"caller{number}", email=f"caller{number}@example.org", password_hash="", is_staff=False)
            await profiles.begin(tx, user_id)
            callers.append(Caller(user_id, await accounts.issue(tx, user_id, "u")))
            for place in range(contacts):
                email, phone = f"helper{place}.of{number}@example.org", f"+38050{number * 10 + place:07}"
                contact = {"name": f"Helper {place}", "phone": phone, "email": email, "place": place}
                contact_id = await tx.value(CONTACT, user_id=user_id, **contact)
                await tx.run(CHANNEL, contact_id=contact_id, channel="email", destination=email, place=0, region=None)
                if sms:
                    await tx.run(CHANNEL, contact_id=contact_id, channel="sms", destination=phone, place=1, region="UA")
    return callers
