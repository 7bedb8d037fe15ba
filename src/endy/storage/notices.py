"""Notices between replicas: PostgreSQL's NOTIFY tells of new knowledge at once; whoever misses one polls anyway."""

import asyncio
from collections.abc import Callable

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.storage.engine import connection_arguments

RETRY_SECONDS = 5.0
_CHANNEL = "endy_knowledge"
_log = structlog.get_logger(__name__)


async def announce(connection: AsyncConnection, version: int) -> None:
    """Tell all replicas when this transaction is committed; nothing to do on SQLite."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_notify(_CHANNEL, str(version))))


async def listen(engine: AsyncEngine, told: Callable[[], object]) -> None:
    """Call `told` for every notice until cancelled, over a connection of its own that is opened again when it is lost.

    Returns at once on SQLite, whose processes have no way to tell each other.
    """
    if engine.dialect.name != "postgresql":
        return
    # Here and not above: a machine with SQLite should not pay for the driver.
    import psycopg  # noqa: PLC0415

    while True:
        try:
            arguments = connection_arguments(engine) | {"autocommit": True}
            async with await psycopg.AsyncConnection.connect(**arguments) as connection:
                await connection.execute(f"LISTEN {_CHANNEL}")
                # Something may have happened while nobody listened.
                told()
                async for _ in connection.notifies():
                    told()
        except psycopg.Error as error:
            _log.info("knowledge_notices_lost", reason=type(error).__name__)
        await asyncio.sleep(RETRY_SECONDS)
