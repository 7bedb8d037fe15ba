"""The files in a backup, and archives of somebody else's making: nothing leads outside, nothing fills the memory."""

import fcntl
import gzip
import io
import json
import os
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.errors import ServiceUnavailable
from endy.storage.backup.container import BackupDamaged, SealedWriter
from endy.storage.backup.places import stage, swap
from endy.storage.backup.reader import MAX_FILE, Backup, NewerBackup, verify
from endy.storage.backup.writer import write_backup
from tests.other_user import open_folder

KEY = "a key of somebody"
INFO = {"format": 1, "revision": "0004", "version": "2.1.0", "created_at": "2026-11-23T03:00:00+00:00"}
MEGABYTE = 1 << 20

__all__ = ["open_folder"]
pytestmark = pytest.mark.sqlite


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def below(folder: Path, pattern: str = "*") -> list[str]:
    return sorted(path.name for path in folder.rglob(pattern))


def empty(path: Path, size: int) -> None:
    """A file of nothing but zeros, which takes no space."""
    with path.open("wb") as file:
        file.truncate(size)


def home(tmp_path: Path) -> dict[str, Path]:
    """A knowledge folder with Korean names, and a users file that others may not read."""
    (tmp_path / "docs" / "인사").mkdir(parents=True)
    (tmp_path / "docs" / "인사" / "연차.md").write_text("# 연차\n", encoding="utf-8")
    (tmp_path / "users.json").write_text('{"users": []}')
    (tmp_path / "users.json").chmod(0o600)
    return {"knowledge": tmp_path / "docs", "users": tmp_path / "users.json"}


async def test_files_come_back_and_what_was_there_is_kept(engine: AsyncEngine, folder: Path, tmp_path: Path) -> None:
    """With their permissions; leftovers of a killed restore go, and so does what was added since."""
    places = home(tmp_path)
    written = await write_backup(engine, folder, places, KEY)
    (tmp_path / "docs" / "인사" / "연차.md").write_text("# 바뀜\n", encoding="utf-8")
    (tmp_path / "docs" / "new.md").write_text("# 새 글\n", encoding="utf-8")
    places["users"].unlink()
    (tmp_path / "docs.restoring").mkdir()
    (tmp_path / "docs.restoring" / "old").write_text("x")
    kept = swap(stage(verify(written.path, KEY), places, KEY))
    assert below(tmp_path / "docs") == ["연차.md", "인사"]
    assert (tmp_path / "docs" / "인사" / "연차.md").read_text(encoding="utf-8") == "# 연차\n"
    assert places["users"].stat().st_mode & 0o777 == 0o600
    (before,) = kept
    assert "바뀜" in (before / "인사" / "연차.md").read_text(encoding="utf-8")
    assert not below(tmp_path, "*.restoring")


async def test_links_are_followed_inside_alone(engine: AsyncEngine, folder: Path, tmp_path: Path) -> None:
    """As Kubernetes mounts files; what leads elsewhere, in circles, nowhere, or is no file, stays out and is named."""
    (tmp_path / "docs" / "..data").mkdir(parents=True)
    (tmp_path / "docs" / "..data" / "a.md").write_text("# a\n")
    (tmp_path / "docs" / "a.md").symlink_to("..data/a.md")
    (tmp_path / "docs" / "secret").symlink_to("/etc/passwd")
    (tmp_path / "docs" / "etc").symlink_to("/etc")
    (tmp_path / "docs" / "round").symlink_to("round")
    (tmp_path / "docs" / "nowhere").symlink_to("gone")
    os.mkfifo(tmp_path / "docs" / "pipe")
    empty(tmp_path / "docs" / "huge", MAX_FILE + 1)
    written = await write_backup(engine, folder, {"knowledge": tmp_path / "docs"}, None)
    names = sorted(verify(written.path, None).contents.files)
    assert names == ["knowledge/..data/a.md", "knowledge/a.md"]
    assert sorted(Path(path).name for path in written.skipped) == ["etc", "huge", "pipe", "round", "secret"]


async def test_a_place_inside_another_comes_back_with_it(engine: AsyncEngine, folder: Path, tmp_path: Path) -> None:
    """FAQ_FILE in KNOWLEDGE_DIR: both are there afterwards, and one folder is kept beside."""
    (tmp_path / "docs").mkdir()
    for name in ("a.md", "faq.json"):
        (tmp_path / "docs" / name).write_text("then")
    places = {"knowledge": tmp_path / "docs", "faq": tmp_path / "docs" / "faq.json"}
    written = await write_backup(engine, folder, places, None)
    (tmp_path / "docs" / "faq.json").write_text("now")
    (kept,) = swap(stage(verify(written.path, None), places, None))
    assert [(tmp_path / "docs" / name).read_text() for name in ("a.md", "faq.json")] == ["then", "then"]
    assert (kept / "faq.json").read_text() == "now"


async def test_what_root_restores_belongs_to_whom_it_belonged(
    engine: AsyncEngine, folder: Path, open_folder: Path
) -> None:
    """Else Endy, which is not root, could not write it any more; who is not root owns it anyway."""
    (open_folder / "docs").mkdir()
    (open_folder / "docs" / "a.md").write_text("# a\n")
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    os.chown(open_folder, owner, -1)
    os.chown(open_folder / "docs", owner, -1)
    places = {"knowledge": open_folder / "docs"}
    written = await write_backup(engine, folder, places, None)
    swap(stage(verify(written.path, None), places, None))
    swap(stage(verify(written.path, None), {"knowledge": open_folder / "fresh" / "docs"}, None))
    for path in ("docs", "docs/a.md", "fresh/docs/a.md"):
        assert (open_folder / path).stat().st_uid == owner


async def test_another_file_than_was_verified_is_noticed(engine: AsyncEngine, folder: Path, tmp_path: Path) -> None:
    """Somebody replaces the backup between the check and the restore: nothing of it stays."""
    places = home(tmp_path)
    first = await write_backup(engine, folder, places, None)
    backup = verify(first.path, None)
    first.path.unlink()
    (tmp_path / "docs" / "인사" / "연차.md").write_text("# 다른 글\n", encoding="utf-8")
    second = await write_backup(engine, folder, places, None)
    second.path.rename(first.path)
    with pytest.raises(BackupDamaged):
        stage(backup, places, None)
    assert not below(tmp_path, "*.restoring")


async def test_a_place_that_cannot_be_written_stops_it_before_anything(
    engine: AsyncEngine, folder: Path, tmp_path: Path
) -> None:
    """It says what to do, and what was there is there."""
    places = home(tmp_path)
    written = await write_backup(engine, folder, places, None)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ServiceUnavailable, match="--files-to"):
        stage(verify(written.path, None), {**places, "users": tmp_path / "file" / "users.json"}, None)
    assert below(tmp_path, "docs*") == ["docs"]


async def test_large_files_need_little_memory(engine: AsyncEngine, folder: Path, tmp_path: Path) -> None:
    """Written, verified and restored in pieces."""
    (tmp_path / "docs").mkdir()
    empty(tmp_path / "docs" / "film.mp4", 96 * MEGABYTE)
    places = {"knowledge": tmp_path / "docs"}
    tracemalloc.start()
    written = await write_backup(engine, folder, places, None)
    swap(stage(verify(written.path, None), places, None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "docs" / "film.mp4").stat().st_size == 96 * MEGABYTE
    assert peak < 24 * MEGABYTE


async def test_what_killed_backups_left_is_removed(engine: AsyncEngine, folder: Path) -> None:
    """But not what another one is writing at the moment."""
    folder.mkdir()  # noqa: ASYNC240  a test may block
    left, locked = folder / ".endy-1.backup.1.partial", folder / ".endy-2.backup.2.partial"
    left.write_text("x")
    with locked.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        written = await write_backup(engine, folder, {}, None)
    assert below(folder) == sorted([locked.name, written.path.name])


def put(archive: tarfile.TarFile, name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = len(data), kind, "/etc/passwd"
    archive.addfile(member, io.BytesIO(data))


def archived(path: Path, write: Callable[[Any], None]) -> Path:
    """A well sealed file with whatever content."""
    path.parent.mkdir(exist_ok=True)
    with (
        path.open("wb") as file,
        SealedWriter(file, None) as sealed,
        gzip.GzipFile(fileobj=sealed, mode="wb") as zipped,
    ):
        write(zipped)
    return path


def made(path: Path, info: object, *members: tuple[str, bytes, bytes], manifest: object = None) -> Path:
    def write(zipped: Any) -> None:
        with tarfile.open(fileobj=zipped, mode="w|") as archive:
            put(archive, "info.json", json.dumps(info).encode())
            for name, data, kind in members:
                put(archive, name, data, kind)
            told = manifest if manifest is not None else {"info": info, "tables": {}, "files": {}}
            put(archive, "manifest.json", json.dumps(told).encode())

    return archived(path, write)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [("files/../../etc/cron.d/x", b"x", tarfile.REGTYPE), ("/etc/passwd", b"x", tarfile.REGTYPE),
     ("files//etc/x", b"x", tarfile.REGTYPE), ("files/a/../../b", b"x", tarfile.REGTYPE),
     ("files/c:\\x", b"x", tarfile.REGTYPE), ("files/x", b"", tarfile.SYMTYPE), ("files/x", b"", tarfile.LNKTYPE),
     ("files/x", b"", tarfile.FIFOTYPE), ("files/x", b"", tarfile.DIRTYPE), ("files/x", b"x" * 512, b"S"),
     ("tables/pg_authid/000000.jsonl", b"{}\n", tarfile.REGTYPE),
     ("tables/users/000000.jsonl", b"\0\n", tarfile.REGTYPE), ("tables/users/000000.jsonl", b"", tarfile.REGTYPE),
     ("files/not-in-the-manifest", b"x", tarfile.REGTYPE), ("info.json", b"{}", tarfile.REGTYPE)],
    ids=["up", "absolute", "twice", "up inside", "drive", "link", "hard link", "pipe", "folder", "sparse",
         "unknown table", "no row", "untold part", "untold file", "second info"],
)  # fmt: skip
def test_a_hostile_archive_is_refused(tmp_path: Path, name: str, data: bytes, kind: bytes) -> None:
    """It may be restored by root: nothing leads outside, no link is made, no unknown table is written."""
    with pytest.raises(BackupDamaged):
        verify(made(tmp_path / "x.backup", INFO, (name, data, kind)), None)


@pytest.mark.parametrize(
    ("info", "manifest"),
    [({}, None), ([], None), (INFO | {"created_at": "\x1b[2Jcleared"}, None), (INFO | {"created_at": 3}, None),
     (INFO | {"created_at": "2026-11-23"}, None), (INFO | {"revision": 4}, None), (INFO | {"version": None}, None),
     (INFO | {"version": "\x1b[2J"}, None), (INFO, []), (INFO, {}), (INFO, {"info": INFO}),
     (INFO, {"info": INFO, "tables": [], "files": {}}), (INFO, {"info": INFO, "tables": {"x": {}}, "files": {}}),
     (INFO, {"info": INFO, "tables": {"users": {"rows": 1, "sha256": ""}}, "files": {}}),
     (INFO, {"info": INFO, "tables": {}, "files": {"faq": ""}}), (INFO, {"info": {}, "tables": {}, "files": {}})],
    ids=range(16),
)  # fmt: skip
def test_a_lying_manifest_is_refused(tmp_path: Path, info: object, manifest: object) -> None:
    """One line, never a traceback, and nothing of it reaches the terminal."""
    with pytest.raises(BackupDamaged):
        verify(made(tmp_path / "x.backup", info, manifest=manifest), None)


@pytest.mark.parametrize(
    ("info", "member"),
    [(INFO | {"revision": "9999"}, ("tables/users/000000.jsonl", b'{"employee_id":"1","new":1}\n', tarfile.REGTYPE)),
     (INFO | {"revision": "9999"}, ("tables/new/000000.jsonl", b"{}\n", tarfile.REGTYPE)),
     (INFO | {"format": 2}, None)],
    ids=["column", "table", "format"],
)  # fmt: skip
def test_a_newer_backup_is_told_from_a_damaged_one(
    tmp_path: Path, info: dict[str, object], member: tuple[str, bytes, bytes] | None
) -> None:
    """Else somebody throws away what the newer release can restore."""
    with pytest.raises(NewerBackup, match=r"2\.1\.0"):
        verify(made(tmp_path / "x.backup", info, *([member] if member else [])), None)


def header(kind: bytes, size: int) -> bytes:
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.USTAR_FORMAT)


def zeros(kind: bytes) -> Callable[[Any], None]:
    def write(zipped: Any) -> None:
        zipped.write(header(kind, 200 * MEGABYTE))
        for _ in range(200):
            zipped.write(bytes(MEGABYTE))

    return write


def many(zipped: Any) -> None:
    for _ in range(20_000):
        zipped.write(header(tarfile.GNUTYPE_LONGNAME, 512) + bytes(512))


@pytest.mark.parametrize(
    "write",
    [zeros(tarfile.XHDTYPE), zeros(tarfile.XGLTYPE), zeros(tarfile.GNUTYPE_LONGNAME), zeros(tarfile.REGTYPE), many],
    ids=["extension", "global", "name", "member", "stacked"],
)
def test_a_small_file_does_not_fill_the_memory(tmp_path: Path, write: Callable[[Any], None]) -> None:
    """200 MB of zeros fit into 200 KB; what reads them as a whole gives up first."""
    path = archived(tmp_path / "x.backup", write)
    tracemalloc.start()
    with pytest.raises(BackupDamaged):
        verify(path, None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * MEGABYTE


def test_too_little_space_is_known_before(tmp_path: Path) -> None:
    """It says how much is needed."""
    backup = Backup(tmp_path / "x", verify(made(tmp_path / "x", INFO), None).contents, False, 1 << 60)
    backup.contents.files["faq"] = ""
    with pytest.raises(ServiceUnavailable, match="MB가 필요한데"):
        stage(backup, {"faq": tmp_path / "faq.json"}, None)
