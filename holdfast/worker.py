"""The worker process: everything that must leave, without a server beside it."""

import asyncio
import signal

import uvloop

from holdfast.alarms.jobs import end_overdue
from holdfast.db import Database, open_database
from holdfast.delivery.worker import Worker
from holdfast.log import log
from holdfast.migrate import newest
from holdfast.outside.mail import Mail
from holdfast.outside.sending import Sender
from holdfast.settings import UNREACHABLE, Refused, Settings

NO_MAIL = "No mail server is set up: alarms are recorded, but nobody can be told. Set HOLDFAST_SMTP_URL and HOLDFAST_MAIL_FROM."


def run(settings: Settings) -> None:
    """Returns after SIGTERM or SIGINT, when what was being sent has been finished. Raises Refused."""
    uvloop.run(_work(settings))


def make_worker(db: Database, settings: Settings) -> Worker:
    """The same one, whether it runs beside the requests or alone."""
    senders: dict[str, Sender] = {}
    if settings.smtp_url:
        senders["email"] = Mail(settings)
    else:
        log.error("mail_not_configured", reason=NO_MAIL)
    return Worker(db, senders, [end_overdue])


async def _work(settings: Settings) -> None:
    stopped = asyncio.Event()
    for stop in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop, stopped.set)
    db = await _open(settings)
    try:
        if await db.version() != newest():
            raise Refused(f"The database is not at version {newest()}, which this program needs. Start the server, or run: holdfast migrate")
        worker = make_worker(db, settings)
        worker.start()
        await stopped.wait()
        await worker.stop()
    finally:
        await db.close()


async def _open(settings: Settings) -> Database:
    try:
        return await open_database(settings)
    except (OSError, TimeoutError):
        raise Refused(UNREACHABLE) from None
