"""The doctor: one line for each thing that people depend on, and whether it is there."""

import asyncio
from pathlib import Path

import click
from aiosmtplib import SMTPException
from msgspec import Struct

from holdfast.alarms import scenarios
from holdfast.db import Database, open_database
from holdfast.migrate import newest
from holdfast.music import service as music
from holdfast.outside.mail import Mail
from holdfast.profiles import service as profiles
from holdfast.settings import Settings
from holdfast.worker import NO_MAIL

PATIENCE = 10.0  # seconds for the mail server: greeting, encryption, login
AUDIO = Path(music.__file__).parent / "tracks"


class Finding(Struct):
    what: str
    line: str
    needed: bool = True  # by people who call for help, and missing


def run(settings: Settings) -> int:
    """Prints a line for each finding. 1 when something is missing that people depend on, else 0."""
    missing = 0
    for finding in asyncio.run(examine(settings)):
        missing += finding.needed
        click.echo(f"{'MISSING' if finding.needed else 'ok':8} {finding.what:9} {finding.line}")
    return int(missing > 0)


async def examine(settings: Settings) -> list[Finding]:
    return [*await _database(settings), await _mail(settings), _model(settings)]


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
        return [Finding("database", f"{kind} at version {version}.", False), await _tracks(db), await _scenario(db)]
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


async def _mail(settings: Settings) -> Finding:
    if not settings.smtp_url:
        return Finding("mail", NO_MAIL)
    try:
        await Mail(settings).check(PATIENCE)
    except (OSError, SMTPException, ValueError) as error:  # TimeoutError is an OSError
        return Finding("mail", f"The mail server of HOLDFAST_SMTP_URL does not take us: {_said(error)}.")
    return Finding("mail", "The mail server greets us, and takes our login where one is set.", False)


def _said(error: Exception) -> str:
    code = getattr(error, "code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__


def _model(settings: Settings) -> Finding:
    line = "A language model is set." if settings.model_url else "No language model is set; the companion answers by itself."
    return Finding("model", line, False)
