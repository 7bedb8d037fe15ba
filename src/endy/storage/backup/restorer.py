"""Restoring a verified backup: whole or not at all, and what was there before is kept beside."""

import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import anyio
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.errors import Conflict, ServiceUnavailable
from endy.settings import Settings
from endy.storage.backup.reader import Backup, read_files, read_tables
from endy.storage.engine import create_engine, sqlite_path
from endy.storage.migrations import bring_to, head_revision
from endy.storage.rows import columns_there, count_rows, reset_sequences, tables, write_rows
from endy.storage.tables import metadata
from endy.storage.transaction import reading, transaction

NOT_BY_DEFAULT = frozenset({"sessions", "password_links", "jobs"})
"""What would bring old logins and long finished work back to life."""

_STAMP = "%Y%m%d-%H%M%S"


def refuse_newer(backup: Backup) -> None:
    """Raises Conflict for a backup of a newer schema than this release knows."""
    if backup.revision > head_revision():
        raise Conflict(f"더 새 버전({backup.contents.info['version']})의 백업이에요. 그 버전의 엔디로 복원해 주세요.")


async def restore_database(
    backup: Backup, settings: Settings, key: str | None, *, replace: bool, sessions: bool, force: bool
) -> Path | None:
    """Fill the database of the settings; raises Conflict for one that holds rows, unless `replace`, or is in use.

    Returns where the former SQLite file is kept.
    """
    refuse_newer(backup)
    leave = frozenset[str]() if sessions else NOT_BY_DEFAULT
    path = sqlite_path(settings.database_url)
    if path is not None:
        return await _restore_sqlite(backup, settings, path, key, leave, replace=replace, force=force)
    engine = create_engine(settings)
    try:
        await _check_server(engine, replace=replace, force=force)
        async with transaction(engine, "migrations") as connection:
            await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            await _empty(connection)
            await _fill(backup, connection, key, leave)
    finally:
        await engine.dispose()
    return None


async def restore_files(backup: Backup, places: Mapping[str, Path], key: str | None) -> list[Path]:
    """Put the files into their places; what was there is kept beside with the time in its name. What was kept."""
    return await anyio.to_thread.run_sync(_restore_files, backup, places, key)


async def _restore_sqlite(
    backup: Backup, settings: Settings, path: Path, key: str | None, leave: frozenset[str], *, replace: bool,
    force: bool,
) -> Path | None:  # fmt: skip
    fresh = path.with_name(f"{path.name}.restoring")
    exists = await anyio.Path(path).exists()
    if exists:
        await _check_file(settings, path, replace=replace, force=force)
    for old in _parts(fresh):
        await anyio.Path(old).unlink(missing_ok=True)
    engine = create_engine(settings.model_copy(update={"database_url": f"sqlite:///{fresh}"}))
    try:
        async with transaction(engine) as connection:
            await _fill(backup, connection, key, leave)
    finally:
        await engine.dispose()
    return await anyio.to_thread.run_sync(_swap, fresh, path, exists)


def _swap(fresh: Path, path: Path, exists: bool) -> Path | None:
    with closing(sqlite3.connect(fresh)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    kept = None
    if exists:
        kept = path.with_name(f"{path.name}.before-{datetime.now().astimezone().strftime(_STAMP)}")
        # A hard link first: at no moment is there no database under its name.
        os.link(path, kept)
        for old, new in zip(_parts(path)[1:], _parts(kept)[1:], strict=True):
            with suppress(FileNotFoundError):
                old.rename(new)
    fresh.replace(path)
    for left in _parts(fresh)[1:]:
        left.unlink(missing_ok=True)
    return kept


async def _fill(backup: Backup, connection: AsyncConnection, key: str | None, leave: frozenset[str]) -> None:
    await bring_to(connection, backup.revision)
    parts = read_tables(backup, key)
    while (part := await anyio.to_thread.run_sync(next, parts, None)) is not None:
        table, rows = part
        if table.name not in leave:
            await write_rows(connection, table, rows)
    await bring_to(connection, "head")
    await reset_sequences(connection)


async def _empty(connection: AsyncConnection) -> None:
    """Drop everything of ours; in the same transaction it is made again."""
    await connection.run_sync(metadata.drop_all)
    await connection.execute(text("DROP TABLE IF EXISTS alembic_version, endy_move"))
    await connection.execute(text("DROP FUNCTION IF EXISTS refuse_audit_change()"))


async def _check_server(engine: AsyncEngine, *, replace: bool, force: bool) -> None:
    async with reading(engine) as connection:
        await _check_rows(connection, replace=replace)
        others = select(func.count()).select_from(text("pg_stat_activity")).where(
            text("datname = current_database() AND application_name = 'endy' AND pid <> pg_backend_pid()")
        )  # fmt: skip
        if (await connection.execute(others)).scalar_one() and not force:
            raise Conflict(
                "엔디가 이 데이터베이스를 쓰고 있어요. 모두 끄고 다시 해 주세요. (--force는 확인하지 않아요)"
            )


async def _check_file(settings: Settings, path: Path, *, replace: bool, force: bool) -> None:
    engine = create_engine(settings)
    try:
        async with reading(engine) as connection:
            await _check_rows(connection, replace=replace)
    except ServiceUnavailable:
        # A damaged file is what people restore for.
        if not replace:
            raise
    finally:
        await engine.dispose()
    if not force and await anyio.to_thread.run_sync(_in_use, path):
        raise Conflict("엔디가 이 데이터베이스를 쓰고 있어요. 끄고 다시 해 주세요. (--force는 확인하지 않아요)")


async def _check_rows(connection: AsyncConnection, *, replace: bool) -> None:
    for table in tables():
        if not replace and await columns_there(connection, table) and await count_rows(connection, table):
            raise Conflict(f"데이터베이스에 이미 내용이 있어요 ({table.name}). 바꿔 넣으려면 --replace를 붙여 주세요.")


def _in_use(path: Path) -> bool:
    """Only who is alone with a database can take it out of WAL mode."""
    try:
        with closing(sqlite3.connect(path, timeout=0.5)) as database:
            database.execute("PRAGMA journal_mode=DELETE")
            database.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    except sqlite3.DatabaseError:
        return False
    return False


def _parts(path: Path) -> list[Path]:
    return [path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")]


def _restore_files(backup: Backup, places: Mapping[str, Path], key: str | None) -> list[Path]:
    stamp = datetime.now().astimezone().strftime(_STAMP)
    fresh: dict[Path, Path] = {}
    for name, data in read_files(backup, key):
        place = places.get(name.parts[0])
        if place is None:
            continue
        if place not in fresh:
            fresh[place] = place.with_name(f"{place.name}.restoring")
            _remove(fresh[place])
        target = fresh[place].joinpath(*name.parts[1:])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    kept = []
    for place, root in fresh.items():
        if place.exists():
            before = place.with_name(f"{place.name}.before-{stamp}")
            place.rename(before)
            kept.append(before)
        root.rename(place)
    return kept


def _remove(left: Path) -> None:
    """What a restore that was killed has left behind."""
    if left.is_dir():
        shutil.rmtree(left)
    else:
        left.unlink(missing_ok=True)
