"""Whether the process lives, and whether it can do its work."""

import asyncio

from msgspec import Struct

from holdfast.http import Answer, Ask, Doors

PATIENCE = 2.0  # seconds: a monitor must hear "not ready" before it gives up itself

PROBE = "update health set at = holdfast_now()"

doors = Doors("", tag="Health")


class Health(Struct):
    status: str


@doors.file("/healthz")
async def healthz(ask: Ask) -> Health:
    """The event loop answers; nothing else is asked."""
    return Health("ok")


@doors.file("/readyz")
async def readyz(ask: Ask) -> Answer:
    """The database takes a write, at the version that this code needs; mail and model degrade, but never un-ready."""
    ready = ask.state.ready and await _writable(ask)
    return Answer(Health("ok" if ready else "not ready"), 200 if ready else 503)


async def _writable(ask: Ask) -> bool:
    async with asyncio.timeout(PATIENCE), ask.db.write() as tx:
        return bool(await tx.run(PROBE))
