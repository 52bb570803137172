"""What happens to the companion's memory though nobody asks for it: turns and signs of danger are forgotten in time, old turns are sealed."""

from collections.abc import Awaitable, Callable
from functools import partial

from msgspec import Struct

from holdfast.clock import DAY
from holdfast.companion import memory
from holdfast.companion.memory import RISK
from holdfast.db import Database, Tx
from holdfast.vault import Vault

Chore = Callable[[Database], Awaitable[None]]

BATCH = 200  # rows in one transaction: nobody waits long for the writer

FORGETTABLE = """
    select 1 from companion_turn where forget_at <= (select holdfast_now())
    union all
    select 1 from hand_over where closed_at <= (select holdfast_now()) - cast(:risk as bigint)
     limit 1"""

FORGET_TURNS = """
    delete from companion_turn
     where id in (select id from companion_turn where forget_at <= (select holdfast_now()) order by forget_at limit :most)"""

FORGET_HAND_OVERS = "delete from hand_over where closed_at <= (select holdfast_now()) - cast(:risk as bigint)"

OLD_STATES = """
    select user_id from companion_person p
     where state is not null and state_at <= (select holdfast_now()) - cast(:risk as bigint)
       and not exists (select 1 from hand_over h where h.user_id = p.user_id and h.closed_at is null)
     limit :most"""

DROP_STATE = "update companion_person set uid = null, state = null, state_at = null where user_id = :user_id"

PLAIN = "select id, user_id, text from companion_turn where uid is null order by id limit :most"

SEAL = """
    update companion_turn
       set text = '', uid = :uid, sealed = :sealed,
           forget_at = created_at + cast(:day as bigint)
                       * coalesce((select kept_days from companion_person p where p.user_id = companion_turn.user_id), 90)
     where id = :id and uid is null"""


class _Person(Struct):
    user_id: int


class _Plain(Struct):
    id: int
    user_id: int
    text: str


def chores(vault: Vault) -> list[Chore]:
    """Each finds out cheaply whether there is anything to do."""
    return [forget_the_old, partial(forget_old_danger, vault=vault), partial(seal_the_plain, vault=vault)]


async def forget_the_old(db: Database) -> None:
    """Turns after the days that the person chose; hand-overs that were closed when a sign of danger is forgotten."""
    async with db.read() as tx:
        if not await tx.value(FORGETTABLE, risk=RISK):
            return
    async with db.write() as tx:
        await tx.run(FORGET_TURNS, most=BATCH)
        await tx.run(FORGET_HAND_OVERS, risk=RISK)


async def forget_old_danger(db: Database, vault: Vault) -> None:
    """What was concluded about danger, unless people are still looking after it. What helped the person stays."""
    async with db.read() as tx:
        found = await tx.all(OLD_STATES, _Person, risk=RISK, most=BATCH)
    for person in found:
        async with db.write() as tx:
            await _forget_danger(tx, vault, person.user_id)


async def seal_the_plain(db: Database, vault: Vault) -> None:
    """Turns that an earlier version wrote."""
    async with db.read() as tx:
        found = await tx.all(PLAIN, _Plain, most=BATCH)
    if not found:
        return
    async with db.write() as tx:
        for turn in found:
            if key := await vault.key_for(tx, turn.user_id):
                uid, sealed = memory.sealed_turn(key, turn.text)
                await tx.run(SEAL, id=turn.id, uid=uid, sealed=sealed, day=DAY)


async def _forget_danger(tx: Tx, vault: Vault, user_id: int) -> None:
    """`known` leaves old danger out; a state that cannot be read is of no use to anybody."""
    known = await memory.known(tx, vault, user_id)
    if known is None or known.key is None or known.lost:
        await tx.run(DROP_STATE, user_id=user_id)
    else:
        await memory.keep_state(tx, known.key, user_id, known.state)
