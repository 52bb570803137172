"""Brings a database to the newest schema. Alembic and SQLAlchemy are imported here alone, and only when a migration is due."""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

SCRIPTS = Path(__file__).resolve().parent.parent / "migrations"


def newest() -> str:
    """The revision this code needs: migrations are one straight line, numbered by file name."""
    return max(path.name[:4] for path in (SCRIPTS / "versions").glob("[0-9]*.py"))


def copy_first(path: Path, version: str | None) -> None:
    """A copy beside the database before a migration changes it; nothing for a new one."""
    if version is None:
        return
    copy = path.with_name(f"{path.stem}.before-{newest()}{path.suffix}")
    copy.touch(mode=0o600)
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)


async def migrate(settings: Settings) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    if not settings.postgres:
        migrate_sqlite(settings.data_dir / "holdfast.sqlite3")
        return
    address = "postgresql+asyncpg://" + settings.database_url.partition("://")[2]
    engine = create_async_engine(address, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)
    await engine.dispose()


def migrate_sqlite(path: Path) -> None:
    from sqlalchemy import create_engine

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        _upgrade(connection)
    engine.dispose()


def _upgrade(connection: "Connection") -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
