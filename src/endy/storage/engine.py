"""The database engine, made from DATABASE_URL; what cannot work stops the start with one line."""

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from endy.errors import StartupError
from endy.settings import Settings

BUSY_SECONDS = 5
LOCK_SECONDS = 5
IDLE_SECONDS = 60
POOL_WAIT_SECONDS = 5
WRITES = "endy_writes"
"""Execution option of connections that are going to write."""

_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}",
    "PRAGMA foreign_keys=ON",
    "PRAGMA synchronous=FULL",
    # What is deleted is overwritten: an erased question must not stay in the file's free pages.
    "PRAGMA secure_delete=ON",
)


def create_engine(settings: Settings, *, patient: bool = False, read_only: bool = False) -> AsyncEngine:
    """The engine for DATABASE_URL, its folder made; raises StartupError when it could not be used.

    `patient` is for whole tables at a time: statements may take as long as they need. `read_only` leaves an SQLite
    file as it is, and gives bytes of it that are no text as lone surrogates.
    """
    url = _parsed(settings.database_url)
    backend = url.get_backend_name()
    if backend == "sqlite":
        return _sqlite_to_read(url) if read_only else _sqlite(url)
    if backend in ("postgresql", "postgres"):
        return _postgresql(url, settings, patient)
    raise StartupError(f"DATABASE_URL: {backend}은(는) 지원하지 않아요. sqlite:///경로 또는 postgresql://을 써 주세요.")


_LIBPQ = {
    "application_name": "endy",
    "connect_timeout": "3",
    # A network that swallows packets must not hold a question for the minutes that TCP would wait.
    "tcp_user_timeout": "4000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}
"""What DATABASE_URL does not say otherwise."""


def create_thread_engine(settings: Settings, size: int) -> Engine:
    """An engine for threads without an event loop, on PostgreSQL; up to `size` of them at a time."""
    url = _postgresql_url(_parsed(settings.database_url), settings, patient=False)
    return sqlalchemy.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        # A prepared plan knows no values: neither how rare a word is, nor that it need be parsed only once.
        connect_args={"prepare_threshold": None},
    )


def _postgresql(url: URL, settings: Settings, patient: bool) -> AsyncEngine:
    return create_async_engine(
        _postgresql_url(url, settings, patient),
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
    )


def _postgresql_url(url: URL, settings: Settings, patient: bool) -> URL:
    timeouts = {
        "statement_timeout": "0" if patient else f"{settings.database_statement_seconds}s",
        "lock_timeout": f"{LOCK_SECONDS}s",
        "idle_in_transaction_session_timeout": "0" if patient else f"{IDLE_SECONDS}s",
        "timezone": "UTC",
    }
    session = " ".join(f"-c {name}={value}" for name, value in timeouts.items())
    given: dict[str, str | tuple[str, ...]] = {**_LIBPQ, **url.query}
    given["options"] = f"{session} {url.query.get('options', '')}".strip()
    return url.set(drivername="postgresql+psycopg_async", query=given)


def sqlite_path(database_url: str) -> Path | None:
    """The file behind an address; None for a server. Raises StartupError for what is no address."""
    url = _parsed(database_url)
    return Path(url.database or "").absolute() if url.get_backend_name() == "sqlite" else None


def name_of(database_url: str) -> str:
    """Which database an address means, without user and password."""
    url = _parsed(database_url)
    path = sqlite_path(database_url)
    return f"sqlite:{path}" if path else f"postgresql:{url.host}:{url.port or 5432}/{url.database}"


def _parsed(database_url: str) -> URL:
    try:
        return make_url(database_url)
    except ArgumentError:
        raise StartupError("DATABASE_URL: 주소를 읽을 수 없어요. sqlite:///경로 처럼 적어 주세요.") from None


def connection_arguments(engine: AsyncEngine) -> dict[str, Any]:
    """What the engine gives to psycopg for each connection, for one outside the pool."""
    _, arguments = engine.dialect.create_connect_args(engine.url)
    return dict(arguments)


def _sqlite(url: URL) -> AsyncEngine:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise StartupError("DATABASE_URL: 파일 경로를 적어 주세요. 예: sqlite:///data/endy.db")
    path = Path(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _prepare_file(path)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StartupError(
            f"DATABASE_URL: {path} 파일을 쓸 수 없어요 ({reason}). 경로와 권한을 확인해 주세요."
        ) from None
    # Without mode=rw, a file that vanishes while Endy runs would come back empty with the next connection.
    return _sqlite_engine(url, path, "rw")


def _sqlite_to_read(url: URL) -> AsyncEngine:
    engine = _sqlite_engine(url, Path(url.database or ""), "ro")
    event.listen(engine.sync_engine, "connect", _keep_broken_text)
    return engine


def _sqlite_engine(url: URL, path: Path, mode: str) -> AsyncEngine:
    existing = url.set(
        drivername="sqlite+aiosqlite", database=path.absolute().as_uri(), query={"mode": mode, "uri": "true"}
    )
    engine = create_async_engine(existing, hide_parameters=True)
    event.listen(engine.sync_engine, "connect", _configure)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _keep_broken_text(connection: Any, _record: object) -> None:
    connection.driver_connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")


def _prepare_file(path: Path) -> None:
    """Turn on WAL and prove that a write can start; a writer at work elsewhere is no fault."""
    with closing(sqlite3.connect(path, timeout=0.2, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            try_write(connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise


async def empty_log(engine: AsyncEngine) -> None:
    """Bring everything into SQLite's database file and empty the log beside it; a reader at work may prevent that."""
    if engine.dialect.name == "sqlite":
        async with engine.connect() as connection:
            raw = await connection.get_raw_connection()
            await raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]


def try_write(connection: sqlite3.Connection) -> None:
    """Write and take it back. Raises sqlite3.Error if that cannot be done now."""
    connection.execute("BEGIN IMMEDIATE")
    # Taking the lock alone does not fail on a file that is open read-only.
    connection.execute(f"PRAGMA user_version={connection.execute('PRAGMA user_version').fetchone()[0]}")
    connection.execute("ROLLBACK")


def _configure(connection: Any, _record: object) -> None:
    # Without this the driver starts its own, deferred transactions behind SQLAlchemy's back.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Any) -> None:
    # A deferred transaction that turns into a write later can fail at once, whatever the busy timeout says.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
