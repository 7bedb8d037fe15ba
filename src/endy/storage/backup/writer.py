"""Writing a backup: every table in one view of the database, then the files, read back before it counts as one."""

import errno
import fcntl
import gzip
import json
import os
import stat
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import anyio
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy import __version__
from endy.errors import ServiceUnavailable, ValidationFailed
from endy.storage.backup.container import BackupDamaged, SealedWriter, read_head
from endy.storage.backup.reader import FORMAT, MAX_FILE, Contents, verify
from endy.storage.migrations import is_known, revision_in
from endy.storage.rows import WrongRow, columns_there, encode_row, every_row, tables
from endy.storage.transaction import reading

PREFIX, SUFFIX = "endy-", ".backup"
NAMED = "%Y%m%d-%H%M%S"
PART_ROWS, PART_BYTES = 2000, 4 * 1024 * 1024
"""Of a member, so that a table of any size needs little memory."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Written:
    """A finished, verified backup."""

    path: Path
    size: int
    rows: int
    files: int
    seconds: float
    encrypted: bool
    newer_schema: bool
    """The database was migrated by a newer release; what only that knows is not in the backup."""
    skipped: tuple[str, ...] = field(default=())
    """Files that were left out: links that lead elsewhere, and what is too large."""


async def write_backup(
    engine: AsyncEngine, folder: Path, files: Mapping[str, Path], key: str | None, without: frozenset[str] = frozenset()
) -> Written:
    """Back up into `folder`; `files` are files and folders by the name under which they are kept.

    `without` names tables to leave out. Raises ServiceUnavailable when the disk is full or cannot be written; then
    nothing is left that looks like a backup.
    """
    began, now = time.monotonic(), datetime.now(UTC)
    path = folder / f"{PREFIX}{now.strftime(NAMED)}{SUFFIX}"
    partial = folder / f".{path.name}.{os.getpid()}.partial"
    try:
        await anyio.Path(folder).mkdir(parents=True, exist_ok=True)
        await anyio.to_thread.run_sync(_clean, folder)
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
    rows, newer = sum(table["rows"] for table in contents.tables.values()), not is_known(contents.info["revision"])
    seconds = time.monotonic() - began
    return Written(path, size, rows, len(contents.files), seconds, bool(key), newer, tuple(skipped))


def _clean(folder: Path) -> None:
    """Remove what killed backups have left; one that is being written is locked."""
    for left in folder.glob(f".{PREFIX}*.partial"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


async def _write(
    engine: AsyncEngine, partial: Path, files: Mapping[str, Path], key: str | None, without: frozenset[str],
    now: datetime,
) -> tuple[Contents, list[str]]:  # fmt: skip
    contents = Contents()
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with (
            SealedWriter(file, key) as sealed,
            gzip.GzipFile(fileobj=sealed, mode="wb", compresslevel=6) as zipped,
            tarfile.open(fileobj=cast("BinaryIO", zipped), mode="w|", format=tarfile.PAX_FORMAT) as archive,
        ):
            async with reading(engine) as connection:
                await _add_tables(archive, connection, contents, without, now)
            skipped = await anyio.to_thread.run_sync(_add_files, archive, files, contents)
            _add(archive, "manifest.json", json.dumps(asdict(contents), ensure_ascii=False).encode())
        file.flush()
        os.fsync(file.fileno())
    return contents, skipped


async def _add_tables(
    archive: tarfile.TarFile, connection: AsyncConnection, contents: Contents, without: frozenset[str], now: datetime
) -> None:
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    revision = await revision_in(connection)
    if revision is None:
        raise ValidationFailed("데이터베이스가 비어 있어 백업할 것이 없어요. DATABASE_URL을 확인해 주세요.")
    told = {"format": FORMAT, "version": __version__, "revision": revision, "created_at": now.isoformat()}
    contents.info = told
    _add(archive, "info.json", json.dumps(told).encode())
    for table in tables():
        if table.name not in without:
            contents.tables[table.name] = await _add_table(archive, connection, table)


async def _add_table(archive: tarfile.TarFile, connection: AsyncConnection, table: Table) -> dict[str, Any]:
    digest, lines, size, part = sha256(), list[bytes](), 0, 0
    rows, columns = 0, await columns_there(connection, table)
    if columns:
        async for row in every_row(connection, table, columns):
            lines.append(_line(table, row, rows))
            digest.update(lines[-1])
            rows, size = rows + 1, size + len(lines[-1])
            if len(lines) == PART_ROWS or size > PART_BYTES:
                await _add_part(archive, table, part, lines)
                lines, size, part = [], 0, part + 1
        if lines:
            await _add_part(archive, table, part, lines)
    return {"rows": rows, "sha256": digest.hexdigest()}


def _line(table: Table, row: Mapping[str, Any], number: int) -> bytes:
    try:
        return encode_row(table, row) + b"\n"
    except WrongRow:
        # Without the key, which may be somebody's number.
        raise ValidationFailed(
            f"{table.name} 표의 {number + 1}번째 줄에 읽을 수 없는 값이 있어요. "
            "'endy db move --dry-run'으로 그 줄을 찾아 고쳐 주세요."
        ) from None


async def _add_part(archive: tarfile.TarFile, table: Table, part: int, lines: list[bytes]) -> None:
    await anyio.to_thread.run_sync(_add, archive, f"tables/{table.name}/{part:06}.jsonl", b"".join(lines))


def _add_files(archive: tarfile.TarFile, files: Mapping[str, Path], contents: Contents) -> list[str]:
    skipped = []
    for name, root in files.items():
        base = (root if root.is_dir() else root.parent).resolve()
        for path, inner in _found(name, root):
            try:
                if not _add_file(archive, path, inner, base, contents):
                    skipped.append(str(path))
            except FileNotFoundError:
                # It went while others were being read.
                continue
    return skipped


def _found(name: str, root: Path) -> Iterator[tuple[Path, str]]:
    if not root.is_dir():
        yield root, name
        return
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path, f"{name}/{path.relative_to(root).as_posix()}"


def _add_file(archive: tarfile.TarFile, path: Path, inner: str, base: Path, contents: Contents) -> bool:
    file = _opened(path, base)
    if file is None:
        return False
    with file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_FILE:
            return False
        summing = _Summing(file)
        try:
            _add_stream(archive, f"files/{inner}", summing, about.st_size, stat.S_IMODE(about.st_mode))
        except OSError as error:
            if error.errno is None:
                # tarfile's word for a file that ended early.
                raise ServiceUnavailable(f"{path}: 백업하는 동안 바뀌었어요. 다시 해 주세요.") from None
            raise
        contents.files[inner] = summing.digest.hexdigest()
    return True


def _opened(path: Path, base: Path) -> IO[bytes] | None:
    """A link that stays inside (Kubernetes mounts files as such) is the file that it leads to; None for others."""
    try:
        real = Path(os.path.realpath(path, strict=True))
        return os.fdopen(os.open(real, _READ), "rb") if real.is_relative_to(base) else None
    except PermissionError as error:
        raise ServiceUnavailable(f"{path}: 읽을 수 없어요. 권한을 확인해 주세요.") from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            return None
        raise


class _Summing:
    """A file that is summed up as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    _add_stream(archive, name, BytesIO(data), len(data), 0o600)


def _add_stream(archive: tarfile.TarFile, name: str, source: BytesIO | _Summing, size: int, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, mode
    archive.addfile(member, cast("IO[bytes]", source))


def _publish(partial: Path, path: Path) -> None:
    if path.exists():
        raise FileExistsError(17, f"{path.name} 파일이 이미 있어요")
    partial.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def made_at(path: Path) -> datetime:
    """When the backup of that name was begun; copies keep their name, and get another time of their own."""
    try:
        return datetime.strptime(path.name, f"{PREFIX}{NAMED}{SUFFIX}").replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)


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
