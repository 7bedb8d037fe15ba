"""Reading a backup: in little memory whatever it says, and only names that cannot lead anywhere."""

import gzip
import hashlib
import json
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

from sqlalchemy import Table

from endy.errors import Conflict
from endy.storage.backup.container import BackupDamaged, SealedReader
from endy.storage.migrations import is_known
from endy.storage.rows import Row, decode_row, tables

FORMAT = 1
MAX_FILE = 512 * 1024 * 1024
MAX_PART = 128 * 1024 * 1024
"""Bytes of a member that is read as a whole: rows, or the manifest."""

MAX_MEMBERS = 500_000
_LONGEST_HEADER = 64 * 1024
_BLOCK = 1 << 20
_PART = re.compile(r"tables/([a-z_]{1,64})/\d{6}\.jsonl")
_WORD = re.compile(r"[0-9A-Za-z.+_-]{1,64}")


class NewerBackup(Conflict):
    """Of a schema or format that this release does not know."""


@dataclass(slots=True)
class Contents:
    """What a backup says that it holds."""

    info: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 by name."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A verified backup file."""

    path: Path
    contents: Contents
    encrypted: bool
    file_bytes: int = 0

    @property
    def revision(self) -> str:
        return str(self.contents.info["revision"])

    @property
    def made_at(self) -> datetime:
        return datetime.fromisoformat(self.contents.info["created_at"])

    @property
    def rows(self) -> int:
        return sum(table["rows"] for table in self.contents.tables.values())


class _Member(tarfile.TarInfo):
    """tarfile reads long names and other extensions into memory, whatever size they claim to have."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo | None:
        """The place that tarfile's source names for subclasses: between a header's fields and what follows it."""
        if self.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) and self.size > _LONGEST_HEADER:
            raise BackupDamaged
        # Of the installed tarfile, not of its types.
        process: Callable[[tarfile.TarFile], tarfile.TarInfo | None] = super()._proc_member  # type: ignore[misc]
        return process(archive)


class _Sums:
    """Rows and SHA-256 of every table, of the lines as they stand in the file."""

    def __init__(self) -> None:
        self.tables = {table.name: table for table in tables()}
        self._sums: dict[str, Any] = {}
        self._rows: dict[str, int] = {}

    def rows(self, name: str, data: bytes) -> list[Row]:
        if name not in self.tables:
            raise BackupDamaged
        self._sums.setdefault(name, hashlib.sha256()).update(data)
        # Bytes that are no text, as SQLite keeps them, could not be written again.
        text = data.decode("utf-8", "surrogatepass").encode("utf-8", "replace")
        lines = text.removesuffix(b"\n").split(b"\n") if data else []
        self._rows[name] = self._rows.get(name, 0) + len(lines)
        return [decode_row(self.tables[name], line) for line in lines]

    def fit(self, told: Any) -> bool:
        """Whether they are what the manifest says; a table without rows may be named."""
        empty = {"rows": 0, "sha256": hashlib.sha256().hexdigest()}
        found = {name: {"rows": self._rows[name], "sha256": one.hexdigest()} for name, one in self._sums.items()}
        if not isinstance(told, dict) or not set(told) <= set(self.tables):
            return False
        return dict.fromkeys(told, empty) | found == told


def verify(path: Path, key: str | None) -> Backup:
    """Read everything and compare it with the manifest. Raises BackupDamaged, WrongKey or NewerBackup."""
    contents, sums, manifest, size = Contents(), _Sums(), dict[str, Any](), 0
    try:
        with _archive(path, key) as (archive, sealed):
            for member, content in _members(archive):
                if member.name == "info.json":
                    contents.info = _info(content.read())
                elif member.name == "manifest.json":
                    manifest = _json(content.read())
                elif part := _PART.fullmatch(member.name):
                    sums.rows(part.group(1), content.read())
                else:
                    contents.files[_safe(member.name)] = _copy(content)
                    size += member.size
            # Past the archive's end stands the mark of the last chunk.
            while sealed.read(1 << 16):
                pass
            encrypted = sealed.encrypted
        files = manifest.get("files")
        if not contents.info or manifest.get("info") != contents.info or files != contents.files:
            raise BackupDamaged
        if not sums.fit(manifest.get("tables")):
            raise BackupDamaged
    except BackupDamaged:
        # What this release cannot read may be what a newer one has written.
        if contents.info:
            refuse_newer(contents)
        raise
    contents.tables = manifest["tables"]
    return Backup(path, contents, encrypted, size)


def refuse_newer(contents: Contents) -> None:
    """Raises NewerBackup for a backup of a schema that this release does not know."""
    if not is_known(str(contents.info["revision"])):
        raise _newer(contents.info)


def read_tables(backup: Backup, key: str | None) -> Iterator[tuple[Table, list[Row]]]:
    """The rows again, in parts, parents before children. Raises BackupDamaged if they are others than were verified."""
    sums = _Sums()
    with _archive(backup.path, key) as (archive, _):
        for member, content in _members(archive):
            if part := _PART.fullmatch(member.name):
                yield sums.tables[part.group(1)], sums.rows(part.group(1), content.read())
    if not sums.fit(backup.contents.tables):
        raise BackupDamaged


def unpack(backup: Backup, key: str | None, place: Callable[[PurePosixPath], Path | None]) -> None:
    """Write the files where `place` puts each name. Raises BackupDamaged if they are others than were verified."""
    with _archive(backup.path, key) as (archive, _):
        for member, content in _members(archive):
            if not member.name.startswith("files/"):
                continue
            name = _safe(member.name)
            target = place(PurePosixPath(name))
            if target is None:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            mode = member.mode & 0o666 | 0o600
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
            with os.fdopen(descriptor, "wb") as file:
                if _copy(content, file) != backup.contents.files.get(name):
                    raise BackupDamaged
                file.flush()
                os.fsync(file.fileno())


@contextmanager
def _archive(path: Path, key: str | None) -> Iterator[tuple[tarfile.TarFile, SealedReader]]:
    with path.open("rb") as file:
        sealed = SealedReader(file, key)
        try:
            with gzip.GzipFile(fileobj=cast("BinaryIO", sealed), mode="rb") as zipped:  # noqa: SIM117  ends in order
                with tarfile.open(fileobj=cast("BinaryIO", zipped), mode="r|", tarinfo=_Member) as archive:
                    yield archive, sealed
        # ValueError: what tarfile says of numbers that are none, and WrongRow.
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError, RecursionError):
            raise BackupDamaged from None


def _members(archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    seen: set[str] = set()
    while (member := archive.next()) is not None:
        limit = MAX_FILE if member.name.startswith("files/") else MAX_PART
        plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and member.sparse is None
        content = archive.extractfile(member) if plain else None
        if content is None or member.size > limit or member.name in seen or len(seen) == MAX_MEMBERS:
            raise BackupDamaged
        seen.add(member.name)
        yield member, content
        # tarfile would remember every one.
        archive.members = []  # type: ignore[attr-defined]


def _copy(source: IO[bytes], target: IO[bytes] | None = None) -> str:
    """SHA-256 of what was read, and written to `target`."""
    digest = hashlib.sha256()
    while block := source.read(_BLOCK):
        digest.update(block)
        if target is not None:
            target.write(block)
    return digest.hexdigest()


def _safe(name: str) -> str:
    """The name without `files/`; anything that could point outside is refused."""
    inner = name.removeprefix("files/")
    path = PurePosixPath(inner)
    bad = path.is_absolute() or not path.parts or any(part in ("..", ".") for part in path.parts) or "\\" in inner
    if not name.startswith("files/") or bad or "\0" in inner or ":" in path.parts[0]:
        raise BackupDamaged
    return inner


def _info(data: bytes) -> dict[str, Any]:
    """What is shown and compared later must be what it should; anybody can write a file without a key."""
    told = _json(data)
    words = [told.get("version"), told.get("revision")]
    try:
        made = datetime.fromisoformat(told.get("created_at", ""))
    except (TypeError, ValueError):
        raise BackupDamaged from None
    if made.tzinfo is None or not all(isinstance(word, str) and _WORD.fullmatch(word) for word in words):
        raise BackupDamaged
    if told.get("format") != FORMAT:
        raise _newer(told)
    return told


def _newer(info: dict[str, Any]) -> NewerBackup:
    return NewerBackup(f"더 새 버전({info['version']})의 백업이에요. 그 버전의 엔디로 복원해 주세요.")


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        raise BackupDamaged from None
    if not isinstance(found, dict):
        raise BackupDamaged
    return found
