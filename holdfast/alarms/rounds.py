"""A round of chores over alarms: what is wrong with one of them must not stop the others."""

from collections.abc import Awaitable, Callable, Iterable

from msgspec import Struct

from holdfast.db import Database, Tx
from holdfast.errors import Unavailable
from holdfast.log import log


class Due(Struct):
    id: int


async def each(db: Database, alarm_ids: Iterable[int], act: Callable[[Tx, int], Awaitable[None]]) -> None:
    """Each in a transaction of its own. Raises what says that the database is away: then it is away for all."""
    for alarm_id in alarm_ids:
        try:
            async with db.write(alarm=True) as tx:
                await act(tx, alarm_id)
        except Exception as error:
            if isinstance(error, Unavailable) or db.down(error):
                raise
            log.error("bug", alarm_id=alarm_id, exc_info=error)
