"""Restoring a verified backup: whole or not at all, and what was there before is kept beside."""

import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
from sqlalchemy import event, func, select, text, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.errors import Conflict, ServiceUnavailable, StartupError, ValidationFailed
from endy.settings import Settings
from endy.storage.backup.places import READY, Staged, alone, belong, beside, drop, make_folder, stage, swap
from endy.storage.backup.reader import Backup, read_tables, refuse_newer
from endy.storage.engine import create_engine, sqlite_path
from endy.storage.migrations import bring_to, is_known, revision_in
from endy.storage.rows import columns_there, count_rows, reset_sequences, tables, write_rows
from endy.storage.tables import knowledge_state, metadata
from endy.storage.transaction import reading, transaction

NOT_BY_DEFAULT = frozenset({"sessions", "password_links", "jobs"})
"""What would bring old logins and long finished work back to life."""

_IN_USE = "엔디가 이 데이터베이스를 쓰고 있어요. 모두 끄고 다시 해 주세요. (--force는 확인하지 않아요)"


async def restore(
    backup: Backup, settings: Settings, key: str | None, places: Mapping[str, Path], *, replace: bool, sessions: bool,
    force: bool,
) -> list[Path]:  # fmt: skip
    """Database and files; what was there and is kept. Nothing is touched before everything is ready beside."""
    refuse_newer(backup.contents)
    staged = await anyio.to_thread.run_sync(stage, backup, places, key)
    try:
        old = await restore_database(backup, settings, key, replace=replace, sessions=sessions, force=force)
    except BaseException:
        drop(staged)
        raise
    return ([old] if old else []) + await anyio.to_thread.run_sync(_swap_files, staged)


async def restore_database(
    backup: Backup, settings: Settings, key: str | None, *, replace: bool, sessions: bool, force: bool
) -> Path | None:
    """Fill the database of the settings; raises Conflict for one that holds rows, unless `replace`, or is in use.

    Returns where the former SQLite file is kept.
    """
    refuse_newer(backup.contents)
    leave = frozenset[str]() if sessions else NOT_BY_DEFAULT
    path = sqlite_path(settings.database_url)
    if path is not None:
        _open_folder(path.parent)
        with alone(path.parent):
            return await _restore_sqlite(backup, settings, path, key, leave, replace=replace, force=force)
    engine = create_engine(settings, patient=True)
    try:
        await _check_server(engine, replace=replace, force=force)
        async with transaction(engine, "migrations") as connection:
            await _empty(connection)
            await _fill(backup, connection, key, leave)
    finally:
        await engine.dispose()
    return None


def _open_folder(folder: Path) -> None:
    try:
        make_folder(folder)
    except OSError as error:
        raise ServiceUnavailable(
            f"{folder}: 만들 수 없어요 ({error.strerror}). 경로와 권한을 확인해 주세요."
        ) from error


def _swap_files(staged: Staged) -> list[Path]:
    try:
        return swap(staged)
    except OSError as error:
        raise ServiceUnavailable(
            f"데이터베이스는 되살렸지만 지식 파일을 바꾸지 못했어요 ({error.filename}: {error.strerror}). "
            "고친 뒤 같은 명령을 --replace로 다시 실행해 주세요."
        ) from error


async def _restore_sqlite(
    backup: Backup, settings: Settings, path: Path, key: str | None, leave: frozenset[str], *, replace: bool,
    force: bool,
) -> Path | None:  # fmt: skip
    fresh = path.with_name(path.name + READY)
    if await anyio.Path(path).exists():
        await _check_file(settings, path, replace=replace, force=force)
    _remove(fresh)
    try:
        await _make_file(backup, settings.model_copy(update={"database_url": f"sqlite:///{fresh}"}), key, leave)
        return await anyio.to_thread.run_sync(_swap, fresh, path, force)
    except OSError as error:
        raise ServiceUnavailable(
            f"{path}: 쓸 수 없어요 ({error.strerror}). 아무것도 바꾸지 않았어요. 공간과 권한을 확인해 주세요."
        ) from error
    finally:
        _remove(fresh)


async def _make_file(backup: Backup, settings: Settings, key: str | None, leave: frozenset[str]) -> None:
    engine = create_engine(settings)
    # What was stored comes back, and that an older release let a row stand without its parent is no reason not to.
    event.listen(engine.sync_engine, "connect", _trust_rows)
    try:
        async with transaction(engine) as connection:
            await _fill(backup, connection, key, leave)
    finally:
        await engine.dispose()


def _trust_rows(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.close()


def _swap(fresh: Path, path: Path, force: bool) -> Path | None:
    with closing(sqlite3.connect(fresh)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    belong(fresh, path)
    kept = None
    if path.exists():
        # The rows took a while to write, and somebody may have come meanwhile.
        if not force and _in_use(path):
            raise Conflict(_IN_USE)
        fresh.chmod(path.stat().st_mode)
        kept = beside(path)
        _second_name(path, kept)
        for old, new in zip(_parts(path)[1:], _parts(kept)[1:], strict=True):
            with suppress(FileNotFoundError):
                old.rename(new)
    fresh.replace(path)
    return kept


def _second_name(path: Path, kept: Path) -> None:
    """So that at no moment there is no database under its name."""
    try:
        os.link(path, kept)
    except OSError:
        shutil.copy2(path, kept)


async def _fill(backup: Backup, connection: AsyncConnection, key: str | None, leave: frozenset[str]) -> None:
    await bring_to(connection, backup.revision)
    parts = read_tables(backup, key)
    while (part := await anyio.to_thread.run_sync(next, parts, None)) is not None:
        table, rows = part
        if table.name in leave:
            continue
        try:
            await write_rows(connection, table, rows)
        except (IntegrityError, DataError):
            raise ValidationFailed(
                f"백업의 {table.name} 표에 이 데이터베이스가 받지 않는 줄이 있어요. SQLite로 되살린 뒤 "
                "'endy db move'로 옮기면 그런 줄만 빼고 옮겨요."
            ) from None
    await bring_to(connection, "head")
    await reset_sequences(connection)
    await _go_ahead(connection, backup.made_at)


async def _go_ahead(connection: AsyncConnection, made_at: datetime) -> None:
    """Past every version since the backup, whose answers may still lie in Redis; it rises less than once a second."""
    passed = max(1, int((datetime.now(UTC) - made_at).total_seconds()) + 1)
    await connection.execute(update(knowledge_state).values(version=knowledge_state.c.version + passed))


async def _empty(connection: AsyncConnection) -> None:
    """Drop everything of ours; in the same transaction it is made again."""
    await connection.run_sync(metadata.drop_all)
    await connection.execute(text("DROP TABLE IF EXISTS alembic_version, endy_move"))
    await connection.execute(text("DROP FUNCTION IF EXISTS refuse_audit_change()"))


async def _check_server(engine: AsyncEngine, *, replace: bool, force: bool) -> None:
    async with reading(engine) as connection:
        await _check_rows(connection, replace=replace)
        revision = await revision_in(connection)
        if revision is not None and not is_known(revision):
            raise Conflict(
                f"데이터베이스의 스키마({revision})가 이 버전보다 새로워요. 새 데이터베이스를 만들어 --database-url로 "
                "거기에 되살려 주세요."
            )
        # Somebody's own name for the application does not hide it.
        others = select(func.count()).select_from(text("pg_stat_activity")).where(
            text("datname = current_database() AND pid <> pg_backend_pid()"),
            text("(application_name = 'endy' OR usename = current_user)"),
        )  # fmt: skip
        if (await connection.execute(others)).scalar_one() and not force:
            raise Conflict(_IN_USE)


async def _check_file(settings: Settings, path: Path, *, replace: bool, force: bool) -> None:
    engine = create_engine(settings, read_only=True)
    try:
        async with reading(engine) as connection:
            await _check_rows(connection, replace=replace)
    except (ServiceUnavailable, StartupError):
        # A damaged file is what people restore for.
        if not replace:
            raise
    finally:
        await engine.dispose()
    if not force and await anyio.to_thread.run_sync(_in_use, path):
        raise Conflict(_IN_USE)


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


def _remove(path: Path) -> None:
    for part in _parts(path):
        part.unlink(missing_ok=True)
