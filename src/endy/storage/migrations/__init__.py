"""Schema migrations: Alembic, run from code inside one transaction."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path

import structlog
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.storage.tables import metadata
from endy.storage.transaction import Interrupted, reading, transaction

ATTEMPTS = 10
WAIT_FOR_TABLE = 2
"""Seconds."""

_log = structlog.get_logger(__name__)


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring the schema to `revision`; all or nothing, and nothing when it is there already.

    A database that a newer release has migrated is left as it is: releases stay compatible one step back.
    Of several processes one migrates, and the others wait. On PostgreSQL a change that cannot have its table within
    WAIT_FOR_TABLE gives way to whoever uses it and is tried again, so that nobody queues up behind it.
    """
    async with reading(engine) as connection:
        if await connection.run_sync(_is_there, revision):
            return
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with _changing(engine) as connection:
                await connection.run_sync(_upgrade, revision)
                return
        except Interrupted:
            if attempt == ATTEMPTS:
                raise
            _log.warning("migration_waits", attempt=attempt)
            await asyncio.sleep(attempt)


async def bring_to(connection: AsyncConnection, revision: str) -> None:
    """Bring the schema of a transaction that is under way to `revision`."""
    await connection.run_sync(_upgrade, revision)


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    """Take the schema back to `revision` (`base` drops everything)."""
    async with _changing(engine) as connection:
        await connection.run_sync(lambda sync: command.downgrade(_config(sync), revision))


async def current_revision(engine: AsyncEngine) -> str | None:
    """The revision that the database is at; None for one without any of our tables."""
    async with reading(engine) as connection:
        return await revision_in(connection)


async def revision_in(connection: AsyncConnection) -> str | None:
    """The revision that a transaction sees."""
    return await connection.run_sync(_current)


async def differences(engine: AsyncEngine) -> list[str]:
    """What a migration would still have to do to make the database what the code says."""

    def compare(connection: Connection) -> list[str]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(difference) for difference in compare_metadata(context, metadata)]

    async with reading(engine) as connection:
        return await connection.run_sync(compare)


def head_revision() -> str:
    """The newest revision that this release knows."""
    head = ScriptDirectory(str(Path(__file__).parent)).get_current_head()
    assert head is not None  # noqa: S101  there are revisions in this folder  # nosec B101
    return head


def is_known(revision: str) -> bool:
    """Whether it is a revision of this release, or of one before it."""
    return revision in _known()


@asynccontextmanager
async def _changing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with transaction(engine, "migrations") as connection:
        if engine.dialect.name == "postgresql":
            await connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT_FOR_TABLE}s'")
            await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        yield connection


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_there(connection: Connection, revision: str) -> bool:
    wanted = head_revision() if revision == "head" else revision
    return _current(connection) == wanted


@lru_cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in ScriptDirectory(str(Path(__file__).parent)).walk_revisions())


def _upgrade(connection: Connection, revision: str) -> None:
    config = _config(connection)
    current = _current(connection)
    if current is not None and not is_known(current):
        _log.warning("schema_is_newer", revision=current)
        return
    command.upgrade(config, revision)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("file_template", "v%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config
