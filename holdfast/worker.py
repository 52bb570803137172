"""The worker process: everything that must leave, without a server beside it."""

import asyncio
import signal
from datetime import UTC, datetime

import uvloop

from holdfast.alarms.jobs import chores
from holdfast.alarms.schemas import Helpline, Means
from holdfast.clock import SECOND
from holdfast.companion import jobs as companion
from holdfast.contacts.jobs import forget_the_removed, note_refusal
from holdfast.db import Database, open_database
from holdfast.delivery.caps import Caps
from holdfast.delivery.links import Links
from holdfast.delivery.worker import Worker
from holdfast.log import log
from holdfast.migrate import newest
from holdfast.outside import apprise
from holdfast.outside.apprise import Apprise
from holdfast.outside.mail import Mail
from holdfast.outside.sandbox import Sandbox
from holdfast.outside.sending import Sender
from holdfast.outside.sms import Sms
from holdfast.settings import UNREACHABLE, Refused, Settings
from holdfast.vault import Vault

NO_MAIL = "No mail server is set up: alarms are recorded, but nobody can be told. Set HOLDFAST_SMTP_URL and HOLDFAST_MAIL_FROM."
NO_EMAIL = "No mail server is set up: nobody is told by e-mail. Set HOLDFAST_SMTP_URL and HOLDFAST_MAIL_FROM."


def run(settings: Settings) -> None:
    """Returns after SIGTERM or SIGINT, when what was being sent has been finished. Raises Refused."""
    uvloop.run(_work(settings))


def make_worker(db: Database, settings: Settings) -> tuple[Worker, Means]:
    """The same one, whether it runs beside the requests or alone; and what an alarm can count on while it does."""
    found, links = senders(settings), Links(settings)
    means = Means(
        list(found), links, Caps.of(settings), settings.on_call, settings.sms_countries, settings.fallback_after, settings.grace_max, _helplines
    )
    return Worker(db, found, [*chores(means), forget_the_removed, *companion.chores(Vault(settings))], settings, links, note_refusal), means


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
        log.error("mail_not_configured", reason=NO_EMAIL if found else NO_MAIL)
    return found


def _helplines(place: str | None, veteran: bool, now: int) -> list[Helpline]:
    from holdfast.companion import resources

    today = datetime.fromtimestamp(now // SECOND, UTC).date()
    line = resources.line_for(resources.country_of(None, place), veteran=veteran, today=today)
    return [Helpline(line.name, line.dial)] if line else []


async def _work(settings: Settings) -> None:
    stopped = asyncio.Event()
    for stop in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop, stopped.set)
    db = await _open(settings)
    try:
        if await db.version() != newest():
            raise Refused(f"The database is not at version {newest()}, which this program needs. Start the server, or run: holdfast migrate")
        worker, _ = make_worker(db, settings)
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
