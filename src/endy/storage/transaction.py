"""Transactions: the only place that commits."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.errors import ServiceUnavailable
from endy.storage.engine import WRITES

_FULL = "저장 공간이 가득 찼어요. 디스크를 비운 뒤 다시 시도해 주세요."
_BUSY = "데이터베이스가 바빠요. 잠시 뒤에 다시 시도해 주세요."
_BROKEN = "데이터베이스 파일에 쓸 수 없어요. 디스크와 권한을 확인해 주세요."
_TROUBLES = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_READONLY: _BROKEN,
    sqlite3.SQLITE_IOERR: _BROKEN,
    sqlite3.SQLITE_CANTOPEN: _BROKEN,
    sqlite3.SQLITE_CORRUPT: _BROKEN,
    sqlite3.SQLITE_NOTADB: _BROKEN,
}

# SQLite has one writer. Waiting here is fair and free; waiting inside SQLite sleeps and may starve.
_writers: WeakKeyDictionary[AsyncEngine, asyncio.Lock] = WeakKeyDictionary()


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A write transaction: committed at the end, rolled back on any error or cancellation. Never nest two.

    A database that is full, locked or unreadable raises ServiceUnavailable.
    """
    if engine.dialect.name != "sqlite":
        async with engine.begin() as connection:
            yield connection
        return
    async with _writers.setdefault(engine, asyncio.Lock()), _translated(engine) as connection:
        await connection.execution_options(**{WRITES: True})
        async with connection.begin():
            yield connection


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One consistent view of the database; whatever is written through it is lost."""
    async with _translated(engine) as connection:
        yield connection


@asynccontextmanager
async def _translated(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    try:
        async with engine.connect() as connection:
            yield connection
    except PoolTimeout as error:
        raise ServiceUnavailable(_BUSY) from error
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", None)
        # The low byte of an extended code is the kind of trouble.
        message = _TROUBLES.get(code & 0xFF) if isinstance(code, int) else None
        if message is None:
            raise
        raise ServiceUnavailable(message) from error
