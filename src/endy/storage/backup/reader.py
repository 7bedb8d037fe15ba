"""Reading a backup: never more than its manifest says, and only names that cannot lead anywhere."""

import gzip
import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from sqlalchemy import Table

from endy.storage.backup.container import BackupDamaged, SealedReader
from endy.storage.rows import Digest, Row, WrongRow, decode_row, tables

MAX_MEMBER = 512 * 1024 * 1024
_PART = re.compile(r"tables/([a-z_]{1,64})/\d{6}\.jsonl")


@dataclass(slots=True)
class Contents:
    """What a backup says that it holds."""

    info: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 by name."""

    def add_file(self, name: str, data: bytes) -> None:
        self.files[name] = hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Backup:
    """A verified backup file."""

    path: Path
    contents: Contents
    encrypted: bool

    @property
    def revision(self) -> str:
        return str(self.contents.info["revision"])

    @property
    def rows(self) -> int:
        return sum(table["rows"] for table in self.contents.tables.values())


def verify(path: Path, key: str | None) -> Backup:
    """Read everything and compare it with the manifest. Raises BackupDamaged or WrongKey."""
    contents, digests, manifest = Contents(), {table.name: Digest(table) for table in tables()}, None
    with _archive(path, key) as (archive, sealed):
        for name, data in _members(archive):
            if name == "info.json":
                contents.info = _json(data)
            elif name == "manifest.json":
                manifest = _json(data)
            elif part := _PART.fullmatch(name):
                _count(digests, part.group(1), data)
            else:
                contents.add_file(_safe(name), data)
        # Past the archive's end stands the mark of the last chunk.
        while sealed.read(1 << 16):
            pass
        encrypted = sealed.encrypted
    if manifest is None or contents.info != manifest.get("info") or contents.info.get("format") != 1:
        raise BackupDamaged
    contents.tables = {name: {"rows": one.rows, "sha256": one.hex} for name, one in digests.items()}
    told = manifest.get("tables", {})
    contents.tables = {name: found for name, found in contents.tables.items() if name in told or found["rows"]}
    if contents.tables != told or contents.files != manifest.get("files"):
        raise BackupDamaged
    return Backup(path, contents, encrypted)


def read_tables(backup: Backup, key: str | None) -> Iterator[tuple[Table, list[Row]]]:
    """The rows again, in parts, parents before children."""
    known = {table.name: table for table in tables()}
    with _archive(backup.path, key) as (archive, _):
        for name, data in _members(archive):
            if part := _PART.fullmatch(name):
                table = known[part.group(1)]
                yield table, [decode_row(table, line) for line in data.splitlines()]


def read_files(backup: Backup, key: str | None) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The files again, by the name under which they were kept."""
    with _archive(backup.path, key) as (archive, _):
        for name, data in _members(archive):
            if name.startswith("files/"):
                yield PurePosixPath(_safe(name)), data


@contextmanager
def _archive(path: Path, key: str | None) -> Iterator[tuple[tarfile.TarFile, SealedReader]]:
    with path.open("rb") as file:
        sealed = SealedReader(file, key)
        try:
            with gzip.GzipFile(fileobj=cast("BinaryIO", sealed), mode="rb") as zipped:  # noqa: SIM117  ends in order
                with tarfile.open(fileobj=cast("BinaryIO", zipped), mode="r|") as archive:
                    yield archive, sealed
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, WrongRow, UnicodeError, RecursionError):
            raise BackupDamaged from None


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    for member in archive:
        if not member.isreg() or member.size > MAX_MEMBER or member.name in seen:
            raise BackupDamaged
        seen.add(member.name)
        content = archive.extractfile(member)
        data = content.read() if content else b""
        if len(data) != member.size:
            raise BackupDamaged
        yield member.name, data


def _count(digests: dict[str, Digest], table: str, data: bytes) -> None:
    digest = digests.get(table)
    if digest is None:
        raise BackupDamaged("이 버전이 모르는 표가 들어 있어요. 더 새 버전의 엔디로 복원해 주세요.")
    for line in data.splitlines():
        digest.add(decode_row(digest.table, line))


def _safe(name: str) -> str:
    """The name without `files/`; anything that could point outside is refused."""
    inner = name.removeprefix("files/")
    path = PurePosixPath(inner)
    bad = path.is_absolute() or not path.parts or any(part in ("..", ".") for part in path.parts) or "\\" in inner
    if not name.startswith("files/") or bad or "\0" in inner or ":" in path.parts[0]:
        raise BackupDamaged
    return inner


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        raise BackupDamaged from None
    if not isinstance(found, dict):
        raise BackupDamaged
    return found
