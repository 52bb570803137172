"""How a channel has done lately, and what was sent to an address for no alarm."""

from collections.abc import Mapping

from msgspec import Struct

from holdfast.db import Sql, Tx
from holdfast.delivery.schemas import Kind, State

RECENT = 1_000  # attempts that are looked at: enough to speak of now, and no search through years

# A permanent refusal is about one receiver, and says nothing about the channel.
LATELY = """
    select d.channel,
           max(case when a.outcome = 'accepted' then a.finished_at end) as accepted_at,
           max(case when a.outcome in ('temporary', 'ambiguous') then a.finished_at end) as failed_at
      from delivery_attempt a
      join delivery d on d.id = a.delivery_id
     where a.id > (select coalesce(max(id), 0) from delivery_attempt) - cast(:recent as bigint) and a.outcome is not null
     group by d.channel"""

LAST = """
    select id, contact_channel_id, kind, state, error_class, created_at
      from delivery
     where channel = :channel and destination = :destination and created_at > holdfast_now() - cast(:within as bigint) and alarm_id is null
     order by id desc"""

_TO = "select id from delivery where channel = :channel and destination = :destination and state in ('pending', 'leased')"
_END = """
    update delivery
       set state = case when state = 'pending' then 'cancelled' else state end,
           deadline_at = case when state = 'leased' then holdfast_now() else deadline_at end"""

# Passes over rows that another holds: two that change many rows in different orders would stop each other.
END = Sql(sqlite=f"{_END} where id in ({_TO})", postgres=f"{_END} where id in ({_TO} for update skip locked)")


class Lately(Struct):
    channel: str
    accepted_at: int | None
    failed_at: int | None

    @property
    def working(self) -> bool | None:
        """The newest attempt that tells counts; None when none does."""
        if self.accepted_at is None and self.failed_at is None:
            return None
        return (self.accepted_at or 0) > (self.failed_at or 0)

    @property
    def checked_at(self) -> int | None:
        return max(self.accepted_at or 0, self.failed_at or 0) or None


class Asked(Struct):
    """An invitation or a test."""

    id: int
    contact_channel_id: int | None
    kind: Kind
    state: State
    error_class: str | None
    created_at: int


async def lately(tx: Tx) -> Mapping[str, Lately]:
    """By channel; what has not been used lately is not there."""
    return {row.channel: row for row in await tx.all(LATELY, Lately, recent=RECENT)}


async def asked(tx: Tx, channel: str, destination: str, within: int) -> list[Asked]:
    """What went to an address for no alarm within so many microseconds, the newest first."""
    return await tx.all(LAST, Asked, channel=channel, destination=destination, within=within)


async def end_destination(tx: Tx, channel: str, destination: str) -> None:
    """What waits for an address that said STOP is cancelled; what is on its way is not tried again."""
    await tx.run(END, channel=channel, destination=destination)
