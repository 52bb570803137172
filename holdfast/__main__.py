"""The command line: holdfast serve | worker | watchdog | migrate | createadmin | doctor | audit verify | companion read"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from holdfast import log
from holdfast.settings import Refused, Settings, from_environment, without_effect

CONFIGURATION = 78  # EX_CONFIG of sysexits.h
WITHOUT_SETTINGS = {"companion"}  # reads a stream, and nothing that an operator decides


@click.group()
@click.pass_context
def main(context: click.Context) -> None:
    """Holdfast: calm, and the people you trust, one touch away."""
    if context.invoked_subcommand in WITHOUT_SETTINGS:
        log.configure("info")
        return
    with _told():
        context.obj = from_environment()
    for name in without_effect():
        click.echo(f"{name} is not known to this version and has no effect.", err=True)
    log.configure(context.obj.log_level)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--workers", default=1, show_default=True, help="Server processes.")
@click.option("--watchdog/--no-watchdog", default=True, show_default=True, help="Whether the watchdog runs beside the server.")
@click.pass_obj
def serve(settings: Settings, host: str, port: int, workers: int, watchdog: bool) -> None:
    """Serve the API, the sockets and the deliveries."""
    from holdfast.server import run

    with _told():
        run(settings, host=host, port=port, workers=workers, watchdog=watchdog)


@main.command()
@click.pass_obj
def worker(settings: Settings) -> None:
    """Send what must leave, without a server: beside one, or in its place while it is away."""
    from holdfast.worker import run

    with _told():
        run(settings)


@main.command()
@click.option("--beside", type=int, hidden=True, help="The process that it ends with.")
@click.pass_obj
def watchdog(settings: Settings, beside: int | None) -> None:
    """Look whether alarms get out, and page the operator when they do not. `serve` starts one by itself."""
    from holdfast.watchdog import run

    with _told():
        run(settings, beside)


@main.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Bring the database to the schema of this version."""
    from holdfast.migrate import migrate, newest

    asyncio.run(migrate(settings))
    click.echo(f"The database is at version {newest()}.")


@main.command()
@click.option("--username", required=True)
@click.option("--email", required=True)
@click.option("--password-stdin", is_flag=True, required=True, help="Read the password from standard input.")
@click.pass_obj
def createadmin(settings: Settings, username: str, email: str, password_stdin: bool) -> None:
    """Make a staff account. Its password needs at least 15 characters."""
    from holdfast.accounts.staff import create_staff
    from holdfast.errors import InvalidFields
    from holdfast.profiles import service as profiles

    password = sys.stdin.readline().rstrip("\r\n")
    try:
        asyncio.run(create_staff(settings, profiles.begin, username=username, email=email, password=password))
    except InvalidFields as problems:
        for field, sentences in problems.fields.items():
            click.echo(f"{field}: {' '.join(sentences)}", err=True)
        sys.exit(1)
    click.echo(f"{username} can sign in now.")


@main.command()
@click.pass_obj
def doctor(settings: Settings) -> None:
    """Say whether everything is there that people depend on; exit with 1 when something is missing."""
    from holdfast.doctor import run

    sys.exit(run(settings))


@main.group()
def audit() -> None:
    """What the audit of the alarms says about itself."""


@audit.command()
@click.option("--anchor", "anchors", multiple=True, help="A code that the log wrote with `audit_anchor`; it must still be there. May be repeated.")
@click.pass_obj
def verify(settings: Settings, anchors: tuple[str, ...]) -> None:
    """Compute every chain again; name each row that was changed or lost, and exit with 1."""
    from holdfast.auditing import run

    with _told():
        sys.exit(run(settings, anchors))


@main.group()
def companion() -> None:
    """What the companion makes of what people write."""


@companion.command("read")
def read_stream() -> None:
    """Say the level of each message or talk: lines of {"text"} or {"turns": [{"role": "user" or "assistant", "text"}]} on standard input."""
    from holdfast.companion.auditor import run

    sys.exit(run())


@contextmanager
def _told() -> Iterator[None]:
    """A refusal to start is a sentence, not a trace."""
    try:
        yield
    except Refused as refused:
        click.echo(str(refused), err=True)
        sys.exit(CONFIGURATION)


if __name__ == "__main__":
    main()
