"""The doctor: one line for each thing that people depend on, and whether it is there."""

import asyncio
from pathlib import Path

import click
from aiosmtplib import SMTPException
from msgspec import Struct

from holdfast.accounts import service as accounts
from holdfast.alarms import scenarios
from holdfast.clock import SECOND, Clock
from holdfast.db import Database, open_database
from holdfast.migrate import newest
from holdfast.music import service as music
from holdfast.outside.mail import Mail
from holdfast.paging import make_pager
from holdfast.profiles import service as profiles
from holdfast.pulse import HEARD, SILENT
from holdfast.settings import Refused, Settings
from holdfast.watchdog import INTERVAL, LOOKED
from holdfast.worker import NO_EMAIL, NO_MAIL

PATIENCE = 10.0  # seconds for the mail server: greeting, encryption, login
AUDIO = Path(music.__file__).parent / "tracks"


class Finding(Struct):
    """MISSING is what people who call for help depend on; `advice` is what their operator will miss on the day of need."""

    what: str
    line: str
    needed: bool = True
    advised: bool = False

    @property
    def verdict(self) -> str:
        return "MISSING" if self.needed else "advice" if self.advised else "ok"


def run(settings: Settings) -> int:
    """Prints a line for each finding. 1 when something is missing that people depend on, else 0."""
    missing = 0
    for finding in asyncio.run(examine(settings)):
        missing += finding.needed
        click.echo(f"{finding.verdict:8} {finding.what:9} {finding.line}")
    return int(missing > 0)


async def examine(settings: Settings) -> list[Finding]:
    return [*await _database(settings), await _mail(settings), *_other_ways(settings), *_operator(settings), _watchdog(settings), _model(settings)]


async def _database(settings: Settings) -> list[Finding]:
    kind = "PostgreSQL" if settings.postgres else "SQLite"
    if not settings.postgres and not (settings.data_dir / "holdfast.sqlite3").exists():
        return [Finding("database", "There is none yet; `holdfast serve` makes it.")]
    try:
        db = await open_database(settings)
    except Exception as error:  # each engine has its own dozen
        return [Finding("database", f"{kind} cannot be opened: {type(error).__name__}.")]
    try:
        version = await db.version()
        if version != newest():
            return [Finding("database", f"{kind} is at version {version or 'none'}, this program needs {newest()}. Run: holdfast migrate")]
        there = Finding("database", f"{kind} at version {version}.", False)
        return [there, await _tracks(db), await _scenario(db), await _staff(db, settings), await _worker(db)]
    finally:
        await db.close()


async def _tracks(db: Database) -> Finding:
    async with db.read() as tx:
        tracks = await music.tracks(tx, "")
    lost = [track.name for track in tracks if not (AUDIO / track.url.removeprefix(music.PLACE)).is_file()]
    if not tracks or lost:
        return Finding("music", "There is no track." if not tracks else f"No audio for: {', '.join(lost)}.")
    return Finding("music", f"{len(tracks)} tracks.", False)


async def _scenario(db: Database) -> Finding:
    async with db.read() as tx:
        there = await scenarios.exists(tx, profiles.DEFAULT_SCENARIO)
    if there:
        return Finding("scenario", "The default scenario is there.", False)
    return Finding("scenario", "The default scenario is gone: new people cannot call for help.")


async def _staff(db: Database, settings: Settings) -> Finding:
    async with db.read() as tx:
        names = [member.username for member in await accounts.staff(tx)]
    called = [entry.partition(":")[0] for entry in settings.on_call]
    unknown = [name for name in called if name not in names]
    if unknown:
        return Finding("staff", f"{len(unknown)} of the {len(called)} in HOLDFAST_ON_CALL are no staff who can sign in.")
    if not names:
        return Finding("staff", "Nobody is on call: no alarm can be passed on to staff. Make an account: holdfast createadmin", False, True)
    return Finding("staff", f"{len(called or names)} on call{'' if called else ', which is all staff'}.", False)


async def _worker(db: Database) -> Finding:
    """Counted by the database's clock, which wrote it."""
    async with db.read() as tx:
        age = await tx.value(HEARD)
    if age is None or not -SILENT < age / SECOND < SILENT:
        return Finding("worker", "Nobody delivers now. `holdfast serve` does, and `holdfast worker`.", False, True)
    return Finding("worker", "Somebody delivers: heard of within the last seconds.", False)


def _watchdog(settings: Settings) -> Finding:
    try:
        age = Clock()() / SECOND - (settings.data_dir / LOOKED).stat().st_mtime
    except OSError:
        age = None
    if age is None or not 0 <= age + 1 < 6 * INTERVAL:
        return Finding("watchdog", "Nobody watches from this data folder now. `holdfast serve` starts a watchdog.", False, True)
    return Finding("watchdog", "It looked within the last minute.", False)


async def _mail(settings: Settings) -> Finding:
    if settings.senders == "sandbox":
        return Finding("mail", "HOLDFAST_SENDERS=sandbox: every message is stored and none is sent. Nobody can be told.")
    if not settings.smtp_url:
        others = bool(settings.sms_url or settings.apprise_channels)
        return Finding("mail", NO_EMAIL if others else NO_MAIL, not others, others)
    try:
        await Mail(settings).check(PATIENCE)
    except (OSError, SMTPException, ValueError) as error:  # TimeoutError is an OSError
        return Finding("mail", f"The mail server of HOLDFAST_SMTP_URL does not take us: {_said(error)}.")
    return Finding("mail", "The mail server greets us, and takes our login where one is set.", False)


def _other_ways(settings: Settings) -> list[Finding]:
    """Nothing is sent to try them."""
    ways = [Finding("sms", "An SMS service is set." if settings.sms_url else "No SMS service is set.", False)]
    if settings.cap_money_day and not settings.sms_price:
        ways.append(Finding("sms", "HOLDFAST_CAP_MONEY_DAY has no effect without HOLDFAST_SMS_PRICE.", False, True))
    if settings.apprise_channels:
        ways.append(Finding("channels", f"{len(settings.apprise_channels)} more by Apprise.", False))
    if settings.link_keys:
        return [*ways, Finding("links", f"{len(settings.link_keys)} keys for the links in messages are set.", False)]
    if settings.postgres:
        line = "Their key lies in the data folder. With more than one machine each would need the same: HOLDFAST_LINK_KEYS."
        return [*ways, Finding("links", line, False, True)]
    return [*ways, Finding("links", "Their key lies in the data folder.", False)]


def _operator(settings: Settings) -> list[Finding]:
    page = Finding("operator", "Nobody is paged when alarms do not get out: HOLDFAST_OPERATOR_PAGE_URL.", False, True)
    if settings.operator_page_url:
        try:
            make_pager(settings)
            page = Finding("operator", "There is a way to page the operator.", False)
        except Refused as refused:
            page = Finding("operator", str(refused))
    deadman = Finding("deadman", "The dead-man's switch is fed while all is well.", False)
    if not settings.deadman_url:
        deadman = Finding("deadman", "Nobody notices when this whole machine is gone: HOLDFAST_DEADMAN_URL.", False, True)
    return [page, deadman]


def _said(error: Exception) -> str:
    code = getattr(error, "code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__


def _model(settings: Settings) -> Finding:
    line = "A language model is set." if settings.model_url else "No language model is set; the companion answers by itself."
    return Finding("model", line, False)
