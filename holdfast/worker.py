"""The worker process: everything that must leave, without a server beside it."""

import asyncio
import signal

import uvloop

from holdfast.alarms.jobs import end_overdue
from holdfast.db import Database, open_database
from holdfast.delivery.links import Links
from holdfast.delivery.worker import Chore, Worker
from holdfast.log import log
from holdfast.migrate import newest
from holdfast.outside import apprise
from holdfast.outside.apprise import Apprise
from holdfast.outside.mail import Mail
from holdfast.outside.sandbox import Sandbox
from holdfast.outside.sending import Sender
from holdfast.outside.sms import Sms
from holdfast.settings import UNREACHABLE, Refused, Settings

NO_MAIL = "No mail server is set up: alarms are recorded, but nobody can be told. Set HOLDFAST_SMTP_URL and HOLDFAST_MAIL_FROM."

CHORES: list[Chore] = [end_overdue]  # looked after every second, and whenever a message did not get through


def run(settings: Settings) -> None:
    """Returns after SIGTERM or SIGINT, when what was being sent has been finished. Raises Refused."""
    uvloop.run(_work(settings))


def make_worker(db: Database, settings: Settings) -> Worker:
    """The same one, whether it runs beside the requests or alone."""
    return Worker(db, senders(settings), CHORES, settings, Links(settings))


def senders(settings: Settings) -> dict[str, Sender]:
    """One for each channel that is set up. In the sandbox every channel is."""
    long_tail = apprise.channels(settings)
    if settings.senders == "sandbox":
        return {channel: Sandbox() for channel in ("email", "sms", *long_tail)}
    found: dict[str, Sender] = {channel: Apprise(template, settings) for channel, template in long_tail.items()}
    if settings.sms_url:
        found["sms"] = Sms(settings)
    if settings.smtp_url:
        found["email"] = Mail(settings)
    else:
        log.error("mail_not_configured", reason=NO_MAIL)
    return found


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
