"""The channels of a contact, kept in step with what is stored of the person; and who said STOP."""

from collections.abc import Collection, Sequence

import msgspec
from msgspec import Struct

from holdfast.contacts.numbers import Number
from holdfast.db import Sql, Tx

ORDER = ("email", "sms")  # until another is chosen

OF_CONTACT = "select id, channel, destination, state, replaced_at from contact_channel where contact_id = :contact_id order by position, id"

ADD = """
    insert into contact_channel (contact_id, channel, destination, state, position, region, problem)
    values (:contact_id, :channel, :destination, 'unconfirmed', :position, :region, :problem)"""

# What bounced gets another chance with each correction; who said "not me" keeps that.
KEEP = """
    update contact_channel
       set destination = :destination, position = :position, region = :region, replaced_at = null,
           problem = case when state = 'stopped' then problem else :problem end,
           state = case when state <> 'bouncing' then state when confirmed_at is null then 'unconfirmed' else 'confirmed' end
     where id = :id"""

REPLACE = "update contact_channel set replaced_at = coalesce(replaced_at, holdfast_now()) where id = :id"

DROP = "delete from contact_channel where id = :id"

DROP_UNCONFIRMED = "delete from contact_channel where contact_id = :contact_id and state <> 'confirmed'"

FORGET = "delete from contact_channel where replaced_at <= (select holdfast_now()) - cast(:day as bigint)"

# An address is the same however its letters are cased.
OPT_OUT = "insert into opt_out (channel, destination, at) values (:channel, lower(:destination), holdfast_now()) on conflict do nothing"

OPT_IN = "delete from opt_out where channel = :channel and destination = lower(:destination)"


def _out(addresses: str) -> str:
    return f"""
    select p.channel, p.destination from ({addresses}) p
      join opt_out o on o.channel = p.channel and o.destination = lower(p.destination)"""  # noqa: S608 - constants


OUT = Sql(
    sqlite=_out("select json_extract(value, '$[0]') as channel, json_extract(value, '$[1]') as destination from json_each(:addresses)"),
    postgres=_out("select value ->> 0 as channel, value ->> 1 as destination from json_array_elements(cast(:addresses as json))"),
)

BOUNCE = """
    update contact_channel set state = 'bouncing'
     where channel = :channel and lower(destination) = lower(:destination) and state in ('unconfirmed', 'confirmed')"""


class Wanted(Struct):
    channel: str
    destination: str
    region: str | None = None
    problem: str | None = None


class _Address(Struct):
    channel: str
    destination: str


class Channel(Struct):
    id: int
    channel: str
    destination: str
    state: str
    replaced_at: int | None


def wanted(email: str | None, phone: str, number: Number) -> list[Wanted]:
    """A number that cannot be dialled is kept as it was written, with its problem, so that it is seen."""
    sms = Wanted("sms", number.e164 or phone, number.region, number.problem)
    return [Wanted("email", email), sms] if email else [sms]


async def of_contact(tx: Tx, contact_id: int) -> list[Channel]:
    return await tx.all(OF_CONTACT, Channel, contact_id=contact_id)


def ordered(own: Sequence[Wanted], known: Sequence[Channel]) -> list[Wanted]:
    """E-mail and SMS as they are now, with the further channels that are known, in the order that these have."""
    current = [row for row in known if row.replaced_at is None]
    places = {row.channel: place for place, row in enumerate(current)}
    further = [Wanted(row.channel, row.destination) for row in current if row.channel not in ORDER]
    return sorted([*own, *further], key=lambda each: places.get(each.channel, ORDER.index(each.channel) if each.channel in ORDER else 0))


async def keep(tx: Tx, contact_id: int, wanted: Sequence[Wanted], *, at_once: bool = False) -> None:
    """These are the person's channels from now on, in this order.

    A confirmed one that is no longer among them is still told for a day (an abuser may have changed it), unless `at_once`.
    """
    left = await of_contact(tx, contact_id)
    for position, each in enumerate(wanted):
        row = next((row for row in left if (row.channel, row.destination.lower()) == (each.channel, each.destination.lower())), None)
        values = {"destination": each.destination, "position": position, "region": each.region, "problem": each.problem}
        if row is None:
            await tx.run(ADD, contact_id=contact_id, channel=each.channel, **values)
        else:
            left.remove(row)
            await tx.run(KEEP, id=row.id, **values)
    for row in left:
        await tx.run(REPLACE if row.state == "confirmed" and not at_once else DROP, id=row.id)


async def drop_unconfirmed(tx: Tx, contact_id: int) -> None:
    await tx.run(DROP_UNCONFIRMED, contact_id=contact_id)


async def forget(tx: Tx, day: int) -> None:
    await tx.run(FORGET, day=day)


async def opt_out(tx: Tx, channel: str, destination: str) -> None:
    """STOP: final for the address, whoever trusts it, until START."""
    await tx.run(OPT_OUT, channel=channel, destination=destination)


async def opt_in(tx: Tx, channel: str, destination: str) -> None:
    await tx.run(OPT_IN, channel=channel, destination=destination)


async def stopped(tx: Tx, addresses: Collection[tuple[str, str]]) -> bool:
    """Whether there are addresses (channel, destination) and STOP was said at each of them."""
    return bool(addresses) and len(await out(tx, addresses)) == len(set(addresses))


async def out(tx: Tx, addresses: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those among the addresses where STOP was said."""
    rows = await tx.all(OUT, _Address, addresses=msgspec.json.encode(list(addresses)).decode()) if addresses else []
    return {(row.channel, row.destination) for row in rows}


async def bounced(tx: Tx, channel: str, destination: str) -> None:
    """A provider refused the address for good. An alarm is sent there all the same, and readiness does not count on it."""
    await tx.run(BOUNCE, channel=channel, destination=destination)
