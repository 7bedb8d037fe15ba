"""Writing a backup: every table in one view of the database, then the files, read back before it counts as one."""

import gzip
import io
import json
import os
import tarfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import anyio
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy import __version__
from endy.errors import ServiceUnavailable
from endy.storage.backup.container import BackupDamaged, SealedWriter, read_head
from endy.storage.backup.reader import Contents, verify
from endy.storage.migrations import current_revision
from endy.storage.rows import Digest, columns_there, encode_row, every_row, tables
from endy.storage.transaction import reading

PREFIX, SUFFIX = "endy-", ".backup"
PART = 2000
"""Rows per member, so that a table of any size needs little memory."""

MAX_FILE = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """A finished, verified backup."""

    path: Path
    size: int
    rows: int
    files: int
    seconds: float
    encrypted: bool
    skipped: tuple[str, ...] = field(default=())
    """Files that were left out: links, devices, or too large."""


async def write_backup(
    engine: AsyncEngine, folder: Path, files: Mapping[str, Path], key: str | None, without: frozenset[str] = frozenset()
) -> Written:
    """Back up into `folder`; `files` are files and folders by the name under which they are kept.

    `without` names tables to leave out. Raises ServiceUnavailable when the disk is full or cannot be written; then
    nothing is left that looks like a backup.
    """
    began, now = time.monotonic(), datetime.now(UTC)
    path = folder / f"{PREFIX}{now:%Y%m%d-%H%M%S}{SUFFIX}"
    partial = folder / f".{path.name}.{os.getpid()}.partial"
    try:
        await anyio.Path(folder).mkdir(parents=True, exist_ok=True)
        contents, skipped = await _write(engine, partial, files, key, without, now)
        await anyio.to_thread.run_sync(verify, partial, key)
        await anyio.to_thread.run_sync(_publish, partial, path)
    except OSError as error:
        raise ServiceUnavailable(
            f"백업을 쓸 수 없어요 ({error.strerror}). {folder}의 공간과 권한을 확인해 주세요."
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()
    size = (await anyio.Path(path).stat()).st_size
    rows = sum(table["rows"] for table in contents.tables.values())
    return Written(path, size, rows, len(contents.files), time.monotonic() - began, bool(key), tuple(skipped))


async def _write(
    engine: AsyncEngine, partial: Path, files: Mapping[str, Path], key: str | None, without: frozenset[str],
    now: datetime,
) -> tuple[Contents, list[str]]:  # fmt: skip
    revision = await current_revision(engine)
    info = {"format": 1, "version": __version__, "revision": revision, "created_at": now.isoformat()}
    contents = Contents(info=info)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with (
            SealedWriter(file, key) as sealed,
            gzip.GzipFile(fileobj=sealed, mode="wb", compresslevel=6) as zipped,
            tarfile.open(fileobj=cast("BinaryIO", zipped), mode="w|", format=tarfile.PAX_FORMAT) as archive,
        ):
            _add(archive, "info.json", json.dumps(info).encode())
            async with reading(engine) as connection:
                if engine.dialect.name == "postgresql":
                    await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                for table in tables():
                    if table.name not in without:
                        contents.tables[table.name] = await _add_table(archive, connection, table)
            skipped = await anyio.to_thread.run_sync(_add_files, archive, files, contents)
            _add(archive, "manifest.json", json.dumps(asdict(contents), ensure_ascii=False).encode())
        file.flush()
        os.fsync(file.fileno())
    return contents, skipped


async def _add_table(archive: tarfile.TarFile, connection: AsyncConnection, table: Table) -> dict[str, Any]:
    digest, lines, part = Digest(table), list[bytes](), 0
    columns = await columns_there(connection, table)
    if columns:
        async for row in every_row(connection, table, columns):
            digest.add(row)
            lines.append(encode_row(table, row))
            if len(lines) == PART:
                await _add_part(archive, table, part, lines)
                lines, part = [], part + 1
        if lines:
            await _add_part(archive, table, part, lines)
    return {"rows": digest.rows, "sha256": digest.hex}


async def _add_part(archive: tarfile.TarFile, table: Table, part: int, lines: list[bytes]) -> None:
    data = b"\n".join(lines) + b"\n"
    await anyio.to_thread.run_sync(_add, archive, f"tables/{table.name}/{part:06}.jsonl", data)


def _add_files(archive: tarfile.TarFile, files: Mapping[str, Path], contents: Contents) -> list[str]:
    """Regular files alone: a link could lead anywhere, also when it is restored."""
    skipped = []
    for name, root in files.items():
        found = sorted(root.rglob("*")) if root.is_dir() else [root]
        for path in found:
            inner = f"{name}/{path.relative_to(root).as_posix()}" if root.is_dir() else name
            if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_FILE:
                skipped += [str(path)] if path.is_symlink() or path.is_file() else []
                continue
            data = path.read_bytes()
            contents.add_file(inner, data)
            _add(archive, f"files/{inner}", data)
    return skipped


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mode = 0o600
    archive.addfile(member, io.BytesIO(data))


def _publish(partial: Path, path: Path) -> None:
    if path.exists():
        raise FileExistsError(17, f"{path.name} 파일이 이미 있어요")
    partial.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def list_backups(folder: Path) -> list[Path]:
    """The backups in a folder, oldest first: files with such a name that begin as one."""
    return [path for path in sorted(folder.glob(f"{PREFIX}*{SUFFIX}")) if path.is_file() and _is_backup(path)]


def prune(folder: Path, keep: int, key: str | None) -> list[Path]:
    """Remove the oldest backups beyond `keep`, but only behind `keep` newer ones of which the newest is good."""
    found = list_backups(folder)
    gone = found[: max(0, len(found) - max(1, keep))]
    if gone:
        verify(found[-1], key)
    for path in gone:
        path.unlink()
    return gone


def _is_backup(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            read_head(file)
    except (OSError, BackupDamaged):
        return False
    return True
