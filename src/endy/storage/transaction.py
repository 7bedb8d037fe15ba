"""Transactions: the only place that commits, and what the databases' errors mean."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.errors import EndyError, ServiceUnavailable, ValidationFailed
from endy.storage.engine import WRITES

Lock = Literal["migrations", "knowledge", "people", "search"]
"""What is written by one at a time, on PostgreSQL too; SQLite has one writer for everything."""

_LOCKS: dict[Lock, int] = {
    "migrations": 0x656E6401,
    "knowledge": 0x656E6402,
    "people": 0x656E6403,
    "search": 0x656E6404,
}

ATTEMPTS = 4
_FIRST_WAIT = 0.05

_FULL = "저장 공간이 가득 찼어요. 디스크를 비운 뒤 다시 시도해 주세요."
_BUSY = "데이터베이스가 바빠요. 잠시 뒤에 다시 시도해 주세요."
_BROKEN = "데이터베이스 파일에 쓸 수 없어요. 디스크와 권한을 확인해 주세요."
_AWAY = "데이터베이스에 연결할 수 없어요. 잠시 뒤에 다시 시도해 주세요."
_REFUSED = "데이터베이스가 받아들이지 않아요. DATABASE_URL의 사용자, 비밀번호, 이름과 권한을 확인해 주세요."
_READ_ONLY = "데이터베이스가 지금은 읽기만 돼요. 잠시 뒤에 다시 시도해 주세요."
_UNREADABLE = "저장할 수 없는 글자가 들어 있어요. 그 글자를 빼고 다시 시도해 주세요."

_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_READONLY: _BROKEN,
    sqlite3.SQLITE_IOERR: _BROKEN,
    sqlite3.SQLITE_CANTOPEN: _BROKEN,
    sqlite3.SQLITE_CORRUPT: _BROKEN,
    sqlite3.SQLITE_NOTADB: _BROKEN,
}
# By SQLSTATE, or its first two characters (PostgreSQL, appendix A).
_POSTGRESQL = {
    "28": _REFUSED,
    "3D000": _REFUSED,
    "42501": _REFUSED,
    "53100": _FULL,
    "53": _BUSY,
    "55P03": _BUSY,
    "57014": _BUSY,
    "25P03": _BUSY,
    "25006": _READ_ONLY,
    "08": _AWAY,
    "57P": _AWAY,
    "58": _BROKEN,
    "XX": _BROKEN,
}
_PASSING = ("starting up", "shutting down", "recovery", "too many", "terminating", "remaining connection slots")
"""Of a server that turns a connection away without saying its SQLSTATE: reasons that pass."""

_TAKEN_BACK = ("40", "55P03", "08", "57P")
"""SQLSTATEs after which the same work may succeed: serialisation, deadlock, lock wait, lost connection, shutdown."""

P = ParamSpec("P")
T = TypeVar("T")


class Interrupted(ServiceUnavailable):
    """The database took everything back through no fault of the work, which may be done again."""


class Uncertain(ServiceUnavailable):
    """The connection was lost while committing: only work that may be done twice may be done again."""


# SQLite has one writer. Waiting here is fair and free; waiting inside SQLite sleeps and may starve.
_writers: WeakKeyDictionary[AsyncEngine, asyncio.Lock] = WeakKeyDictionary()


@asynccontextmanager
async def transaction(engine: AsyncEngine, lock: Lock | None = None) -> AsyncIterator[AsyncConnection]:
    """A write transaction: committed at the end, rolled back on any error or cancellation. Never nest two.

    Transactions with the same `lock` wait for each other, in all processes. A database that is full, busy, away or
    unreadable raises ServiceUnavailable; one of its kinds says whether the work may be done again (see `retried`).
    """
    if engine.dialect.name == "sqlite":
        async with _writers.setdefault(engine, asyncio.Lock()), _translated(engine) as connection:
            await connection.execution_options(**{WRITES: True})
            async with connection.begin():
                yield connection
        return
    async with _translated(engine) as connection:
        begun = await connection.begin()
        if lock is not None:
            await connection.execute(select(func.pg_advisory_xact_lock(_LOCKS[lock])))
        yield connection
        try:
            await begun.commit()
        except DBAPIError as error:
            raise (_meaning(error, committing=True) or error) from error


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One consistent view of the database; whatever is written through it is lost or refused."""
    async with _translated(engine) as connection:
        if engine.dialect.name != "sqlite":
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield connection


@contextmanager
def reading_here(engine: Engine) -> Iterator[Connection]:
    """`reading` for a thread that has no event loop."""
    with _translation(), engine.connect() as connection:
        yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def retried(work: Callable[P, Coroutine[Any, Any, T]], *, twice: bool = False) -> Callable[P, Coroutine[Any, Any, T]]:
    """Do the whole of `work` again, a few times, when its transaction was taken back; with `twice` also when it
    may have been committed after all."""
    again = (Interrupted, Uncertain) if twice else (Interrupted,)

    @wraps(work)
    async def attempt(*args: P.args, **kwargs: P.kwargs) -> T:
        for number in range(1, ATTEMPTS):
            try:
                return await work(*args, **kwargs)
            except again:
                await asyncio.sleep(_FIRST_WAIT * 3**number * random.uniform(0.5, 1.0))  # noqa: S311  # nosec B311
        return await work(*args, **kwargs)

    return attempt


@asynccontextmanager
async def _translated(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    with _translation():
        async with engine.connect() as connection:
            yield connection


@contextmanager
def _translation() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise ServiceUnavailable(_BUSY) from error
    except DBAPIError as error:
        meaning = _meaning(error)
        if meaning is None:
            raise
        raise meaning from error


def _meaning(error: DBAPIError, *, committing: bool = False) -> EndyError | None:
    """What a driver's error means to whoever asked; None for a fault of ours."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int):
        # The low byte of an extended code is the kind of trouble.
        message = _SQLITE.get(code & 0xFF)
        return ServiceUnavailable(message) if message else None
    return _postgresql_meaning(error.orig, getattr(error.orig, "sqlstate", None), committing)


def _postgresql_meaning(original: Any, state: str | None, committing: bool) -> EndyError | None:
    lost = state is None and type(original).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")
    if lost and "FATAL" in str(original) and not any(passing in str(original) for passing in _PASSING):
        return ServiceUnavailable(_REFUSED)
    if lost or (state or "").startswith(("08", "57P")):
        return Uncertain(_AWAY) if committing else Interrupted(_AWAY)
    if state is None:
        # The driver refuses what the server could not store, a NUL above all.
        return ValidationFailed(_UNREADABLE) if type(original).__name__ == "DataError" else None
    message = next((_POSTGRESQL[known] for known in (state, state[:3], state[:2]) if known in _POSTGRESQL), None)
    if state.startswith(_TAKEN_BACK):
        return Interrupted(message or _BUSY)
    return ServiceUnavailable(message) if message else None
