"""What must happen to contacts though nobody asks for it: later, or because a provider says so."""

from holdfast.clock import DAY
from holdfast.contacts import changing, channels
from holdfast.db import Database, Tx

OPTED_OUT = "21610"  # Twilio's word for a number that has said STOP to us

GONE = """
    select 1 from contact where removed_at <= (select holdfast_now()) - cast(:day as bigint)
    union all
    select 1 from contact_channel where replaced_at <= (select holdfast_now()) - cast(:day as bigint)
     limit 1"""


async def forget_the_removed(db: Database) -> None:
    """Who was removed, or which address was replaced, is kept for a day because it is still told, and then no longer."""
    async with db.read() as tx:
        if not await tx.value(GONE, day=DAY):
            return
    async with db.write() as tx:
        await changing.forget(tx, DAY)
        await channels.forget(tx, DAY)


async def note_refusal(tx: Tx, channel: str, destination: str, code: str | None) -> None:
    """A provider will not take the address: because of its owner's STOP, or because there is nobody."""
    if code == OPTED_OUT:
        await channels.opt_out(tx, channel, destination)
    else:
        await channels.bounced(tx, channel, destination)
