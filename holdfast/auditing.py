"""`holdfast audit verify`: what the audit of the alarms says about itself, in sentences for its operator."""

import asyncio
from collections.abc import Sequence

import click

from holdfast.alarms import trail
from holdfast.alarms.trail import Flaw, Verified
from holdfast.db import open_database
from holdfast.migrate import newest
from holdfast.settings import UNREACHABLE, Refused, Settings

SHOWN = 100  # flaws that are named; there is no end to what a broken disk can break


def run(settings: Settings, anchors: Sequence[str]) -> int:
    """1 when anything was changed or lost, else 0. Raises Refused."""
    verified = asyncio.run(_verified(settings, anchors))
    for flaw in verified.flaws[:SHOWN]:
        click.echo(_sentence(flaw))
    if len(verified.flaws) > SHOWN:
        click.echo(f"... and {len(verified.flaws) - SHOWN} more.")
    if not verified.flaws:
        click.echo(f"The audit is whole. Rows: {verified.rows}. Alarms: {verified.chains}. Anchors: {verified.anchors}.")
        if verified.unhashed:
            click.echo(f"{verified.unhashed} rows are from a version that made no hashes.")
    return int(bool(verified.flaws))


async def _verified(settings: Settings, anchors: Sequence[str]) -> Verified:
    if not settings.postgres and not (settings.data_dir / "holdfast.sqlite3").exists():
        raise Refused("There is no database yet; `holdfast serve` makes it.")
    try:
        db = await open_database(settings)
    except (OSError, TimeoutError):
        raise Refused(UNREACHABLE) from None
    try:
        if await db.version() != newest():
            raise Refused(f"The database is not at version {newest()}, which this program needs. Start the server, or run: holdfast migrate")
        return await trail.verify(db, anchors)
    finally:
        await db.close()


def _sentence(flaw: Flaw) -> str:
    return f"Alarm {flaw.alarm_id}: row {flaw.n} {flaw.why}." if flaw.n else f"{flaw.why.capitalize()}."
