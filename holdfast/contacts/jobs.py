"""What must happen to contacts later, though nobody asks for it."""

from holdfast.clock import DAY
from holdfast.contacts import changing, channels
from holdfast.db import Database

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
