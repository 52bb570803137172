"""What must happen to alarms later, though nobody asks for it."""

from holdfast.alarms import service
from holdfast.db import Database


async def end_overdue(db: Database) -> None:
    async with db.read() as tx:
        overdue = await service.overdue(tx)
    for alarm_id in overdue:
        async with db.write(alarm=True) as tx:
            await service.expire(tx, alarm_id)
