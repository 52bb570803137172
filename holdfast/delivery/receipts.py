"""What a provider says of a message after it took it; it may come late, twice, in any order, and before we have written down that we sent it."""

from holdfast.db import Tx
from holdfast.outside.sending import DELIVERED_RANK, FAILED_RANK, Receipt

BY_REF = "select id from delivery where ref = :ref and channel = :channel and attempt > 0"

BY_MESSAGE = "select id from delivery where provider = :provider and provider_msg_id = :message and channel = :channel"

# Whatever we thought of it, it is there: no retry, no doubt. `fence` counts where no worker holds it, as every change that people see is counted.
DELIVERED = """
    update delivery
       set state = 'delivered', error_class = null, delivered_at = holdfast_now(), provider = :provider, provider_msg_id = :message,
           provider_rank = :rank, fence = fence + case when state in ('leased', 'pending') then 0 else 1 end
     where id = :id and provider_rank < :rank"""

# Only of the copy that was accepted. While another is on its way, its finish decides: outbox.FINISH.
UNDELIVERED = """
    update delivery
       set error_class = case when state = 'accepted' then 'undelivered' else error_class end,
           fence = fence + case when state = 'accepted' then 1 else 0 end,
           state = case when state = 'accepted' then 'failed' else state end,
           provider = :provider, provider_msg_id = :message, provider_rank = :rank
     where id = :id and provider_rank < :rank
       and (state = 'leased' or (state = 'accepted' and coalesce(provider_msg_id, :message) = :message))"""

ON_ITS_WAY = """
    update delivery set provider = :provider, provider_msg_id = :message, provider_rank = :rank
     where id = :id and provider_rank < :rank and state in ('leased', 'accepted') and coalesce(provider_msg_id, :message) = :message"""

EXPLAIN = """
    update delivery_attempt set provider_code = :code
     where delivery_id = :id and n = (select attempt from delivery where id = :id) and outcome is not null"""


async def note(tx: Tx, channel: str, ref: str, receipt: Receipt) -> bool:
    """Whether it changed where the message stands. One that nobody knows is ignored; `ref` may be missing."""
    whose = {"provider": receipt.provider, "message": receipt.provider_msg_id}
    found = await tx.value(BY_REF, ref=ref, channel=channel) if ref else await tx.value(BY_MESSAGE, channel=channel, **whose)
    if found is None:
        return False
    said = {**whose, "id": found, "rank": receipt.rank}
    if receipt.rank >= DELIVERED_RANK:
        return bool(await tx.run(DELIVERED, **said))
    if receipt.rank < FAILED_RANK:
        await tx.run(ON_ITS_WAY, **said)
        return False
    changed = bool(await tx.run(UNDELIVERED, **said))
    if changed and receipt.code:
        await tx.run(EXPLAIN, id=found, code=receipt.code)
    return changed
