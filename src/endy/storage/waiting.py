"""Waiting for a database that is still starting."""

import asyncio
import time

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.storage.transaction import Interrupted, reading

_log = structlog.get_logger(__name__)


async def wait_for_database(engine: AsyncEngine, patience: float) -> None:
    """Return when it answers. Raises ServiceUnavailable after `patience` seconds, and at once if it refuses us."""
    ends, told = time.monotonic() + patience, False
    while True:
        try:
            async with reading(engine) as connection:
                await connection.execute(select(1))
                return
        except Interrupted:
            if time.monotonic() >= ends:
                raise
        if not told:
            _log.warning("database_awaited", effect="데이터베이스가 켜지기를 기다리고 있어요")
            told = True
        await asyncio.sleep(0.5)
