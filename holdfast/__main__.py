"""The command line: holdfast serve | worker | migrate | createadmin | doctor"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from holdfast import log
from holdfast.settings import Refused, Settings, from_environment, without_effect

CONFIGURATION = 78  # EX_CONFIG of sysexits.h


@click.group()
@click.pass_context
def main(context: click.Context) -> None:
    """Holdfast: calm, and the people you trust, one touch away."""
    with _told():
        context.obj = from_environment()
    for name in without_effect():
        click.echo(f"{name} is not known to this version and has no effect.", err=True)
    log.configure(context.obj.log_level)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--workers", default=1, show_default=True, help="Server processes.")
@click.pass_obj
def serve(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve the API, the sockets and the deliveries."""
    from holdfast.server import run

    with _told():
        run(settings, host=host, port=port, workers=workers)


@main.command()
@click.pass_obj
def worker(settings: Settings) -> None:
    """Send what must leave, without a server: beside one, or in its place while it is away."""
    from holdfast.worker import run

    with _told():
        run(settings)


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
