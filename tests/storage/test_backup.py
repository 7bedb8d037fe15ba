"""Backups: what was stored comes back, on either database, and nothing that is not whole counts as one."""

import asyncio
import gzip
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.audit.service import AuditLog, Event
from endy.errors import Conflict, ServiceUnavailable
from endy.settings import Settings, load_settings
from endy.storage.backup.container import CHUNK, BackupDamaged, WrongKey
from endy.storage.backup.reader import verify
from endy.storage.backup.restorer import NOT_BY_DEFAULT, restore_database
from endy.storage.backup.writer import list_backups, prune, write_backup
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from endy.storage.tables import conversations
from endy.storage.transaction import reading, transaction
from tests.postgres import PostgresServer
from tests.storage.made_up import digests, fill
from tests.storage.test_transaction import conversation

KEY = "a key of somebody"


def at(url: str) -> Settings:
    return load_settings(_env_file=None, database_url=url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
async def filled(engine: AsyncEngine) -> AsyncEngine:
    await fill(engine, 60)
    return engine


@pytest.fixture
async def elsewhere(tmp_path: Path, postgres_server: PostgresServer, request: pytest.FixtureRequest) -> str:
    return (
        postgres_server.create_database() if request.param == "to postgresql" else f"sqlite:///{tmp_path}/restored.db"
    )


async def opened(url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(at(url))
    yield engine
    await engine.dispose()


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
@pytest.mark.parametrize("elsewhere", ["to sqlite", "to postgresql"], indirect=True)
async def test_everything_comes_back(filled: AsyncEngine, folder: Path, elsewhere: str, key: str | None) -> None:
    """From either database into either, checksums equal; with `sessions` to the last row."""
    written = await write_backup(filled, folder, {}, key)
    assert (written.path.stat().st_mode & 0o777, written.encrypted) == (0o600, bool(key))
    backup = verify(written.path, key)
    await restore_database(backup, at(elsewhere), key, replace=False, sessions=True, force=True)
    async for engine in opened(elsewhere):
        assert await all_but_version(engine) == await all_but_version(filled)


async def all_but_version(engine: AsyncEngine) -> dict[str, tuple[int, str]]:
    """A restore moves the knowledge version on."""
    return {name: digest for name, digest in (await digests(engine)).items() if name != "knowledge_state"}


async def test_old_logins_stay_out_and_the_audit_chain_holds(engine: AsyncEngine, folder: Path, tmp_path: Path) -> None:
    """By default nobody is signed in after a restore; the log verifies and goes on with new numbers."""
    await fill(engine, 3)
    url = f"sqlite:///{tmp_path}/restored.db"
    async with transaction(engine) as connection:
        if engine.dialect.name == "sqlite":
            await connection.execute(text("DROP TRIGGER audit_refuses_delete"))
        else:
            await connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        await connection.execute(text("DELETE FROM audit"))
    for number in range(4):
        await AuditLog(engine).add(Event("user_changed", "2024001", f"{number}", None, {"role": "admin"}))
    written = await write_backup(engine, folder, {}, None)
    await restore_database(verify(written.path, None), at(url), None, replace=False, sessions=False, force=False)
    async for restored in opened(url):
        found = await digests(restored)
        assert {found[name][0] for name in NOT_BY_DEFAULT} == {0}
        await AuditLog(restored).add(Event("login", "2024001"))
        verdict = await AuditLog(restored).verify()
        assert (verdict.events, verdict.broken) == (5, None)


async def test_it_is_one_moment_while_others_write(engine: AsyncEngine, folder: Path) -> None:
    """Writers go on, and the backup holds whole transactions: each wrote two rows."""
    stop = asyncio.Event()

    async def write(worker: int) -> None:
        number = 0
        while not stop.is_set():
            async with transaction(engine) as connection:
                pair = [conversation(f"{worker}-{number}-{part}") for part in "ab"]
                await connection.execute(insert(conversations), pair)
            number += 1
            await asyncio.sleep(0.001)

    writers = [asyncio.create_task(write(worker)) for worker in range(3)]
    counts = []
    for _ in range(3):
        await asyncio.sleep(0.2)
        written = await write_backup(engine, folder, {}, None)
        counts.append(verify(written.path, None).contents.tables["conversations"]["rows"])
        written.path.unlink()
    stop.set()
    await asyncio.gather(*writers)
    assert all(count % 2 == 0 for count in counts)
    assert counts[0] < counts[-1]


async def test_a_full_database_is_replaced_only_when_told(
    filled: AsyncEngine, folder: Path, settings: Settings
) -> None:
    """Without --replace it stays as it is; with it the state of the backup is back, and SQLite's old file beside."""
    before = await all_but_version(filled)
    written = await write_backup(filled, folder, {}, None)
    backup = verify(written.path, None)
    async with transaction(filled) as connection:
        await connection.execute(insert(conversations), conversation("after the backup"))
    with pytest.raises(Conflict, match="--replace"):
        await restore_database(backup, settings, None, replace=False, sessions=True, force=False)
    await filled.dispose()
    kept = await restore_database(backup, settings, None, replace=True, sessions=True, force=False)
    async for engine in opened(settings.database_url):
        assert await all_but_version(engine) == before
    assert (kept is not None) == settings.database_url.startswith("sqlite")
    if kept is not None:
        async for engine in opened(f"sqlite:///{kept}"):
            assert (await digests(engine))["conversations"][0] == 61


async def test_a_database_in_use_is_not_restored_into(filled: AsyncEngine, folder: Path, settings: Settings) -> None:
    """A running Endy would go on with what is gone."""
    written = await write_backup(filled, folder, {}, None)
    async with reading(filled) as connection:
        await connection.execute(text("SELECT count(*) FROM users"))
        with pytest.raises(Conflict, match="쓰고 있어요"):
            await restore_database(verify(written.path, None), settings, None, replace=True, sessions=True, force=False)


async def test_an_older_backup_is_brought_up(tmp_path: Path, folder: Path, postgres_url: str) -> None:
    """Made by a release before this one, it restores into this one; made by a newer one, it is refused."""
    old = create_engine(at(f"sqlite:///{tmp_path}/old.db"))
    await upgrade(old, "0002")
    written = await write_backup(old, folder, {}, None)
    await old.dispose()
    backup = verify(written.path, None)
    assert backup.revision == "0002"
    await restore_database(backup, at(postgres_url), None, replace=False, sessions=False, force=False)
    backup.contents.info["revision"] = "9999"
    with pytest.raises(Conflict, match="더 새 버전"):
        await restore_database(backup, at(postgres_url), None, replace=True, sessions=False, force=False)


@pytest.mark.sqlite
@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
async def test_any_damage_is_noticed(filled: AsyncEngine, folder: Path, key: str | None) -> None:
    """A bit anywhere, a cut anywhere, something behind, chunks swapped or left out: never a whole backup."""
    await fill_with_noise(filled)
    written = await write_backup(filled, folder, {}, key)
    good = written.path.read_bytes()
    assert len(good) > 3 * CHUNK
    places = [*range(0, 200, 11), *range(200, len(good), len(good) // 60), len(good) - 1]
    damaged = [good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :] for place in places]
    damaged += [good[:place] for place in places] + [good + b"\0", good + good]
    chunks = split(good)
    damaged += [b"".join([*chunks[:2], chunks[3], chunks[2], *chunks[4:]]), b"".join([*chunks[:2], *chunks[3:]])]
    path = folder / "endy-damaged.backup"
    for number, content in enumerate(damaged):
        path.write_bytes(content)
        try:
            verify(path, key)
        except (BackupDamaged, WrongKey):
            continue
        raise AssertionError(number)


async def fill_with_noise(engine: AsyncEngine) -> None:
    """Enough that does not compress for several chunks."""
    async with transaction(engine) as connection:
        rows = [{"hash": f"{n:064}", "model": "noise", "vectors": os.urandom(CHUNK // 2)} for n in range(8)]
        await connection.execute(
            text(
                "INSERT INTO embeddings (content_hash, model, dimensions, vectors) VALUES (:hash, :model, 1, :vectors)"
            ),
            rows,
        )


def split(content: bytes) -> list[bytes]:
    """The head and every sealed chunk."""
    at_ = content.index(b"\n", content.index(b"\n") + 1) + 1
    parts = [content[:at_]]
    while at_ < len(content):
        size = int.from_bytes(content[at_ : at_ + 4]) & 0x7FFFFFFF
        parts.append(content[at_ : at_ + 4 + size])
        at_ += 4 + size
    return parts


@pytest.mark.sqlite
async def test_a_wrong_key_is_told_from_damage(filled: AsyncEngine, folder: Path) -> None:
    """One line that says what to look for; and nothing of the content is readable without the key."""
    written = await write_backup(filled, folder, {}, KEY)
    for key in (None, "another"):
        with pytest.raises(WrongKey):
            verify(written.path, key)
    assert gzip_magic() not in written.path.read_bytes()


def gzip_magic() -> bytes:
    return gzip.compress(b"")[:3]


FULL = """
import asyncio, resource, sys
from pathlib import Path
from endy.errors import ServiceUnavailable
from endy.settings import load_settings
from endy.storage.backup.writer import write_backup
from endy.storage.engine import create_engine

async def run():
    engine = create_engine(load_settings(_env_file=None, database_url=sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        await write_backup(engine, Path(sys.argv[2]), {}, None)
    except ServiceUnavailable as error:
        print(error.message)

asyncio.run(run())
"""


@pytest.mark.sqlite
async def test_a_full_disk_leaves_nothing_that_looks_like_a_backup(
    filled: AsyncEngine, folder: Path, settings: Settings
) -> None:
    """It says so, removes what it began, and the older backups stay."""
    first = await write_backup(filled, folder, {}, None)
    await fill_with_noise(filled)
    arguments = [sys.executable, "-c", FULL, settings.database_url, str(folder)]
    process = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE)
    said = (await process.communicate())[0].decode()
    assert "공간" in said
    assert os.listdir(folder) == [first.path.name]  # noqa: PTH208


KILLED = """
import asyncio, sys
from pathlib import Path
from endy.settings import load_settings
from endy.storage.backup.writer import write_backup
from endy.storage.engine import create_engine

async def run():
    engine = create_engine(load_settings(_env_file=None, database_url=sys.argv[1]))
    print("begun", flush=True)
    while True:
        written = await write_backup(engine, Path(sys.argv[2]), {}, None)
        written.path.unlink()

asyncio.run(run())
"""


@pytest.mark.sqlite
async def test_a_killed_backup_is_none(filled: AsyncEngine, folder: Path, settings: Settings) -> None:
    """kill -9 at several moments: whatever is left under a backup's name is whole."""
    await fill_with_noise(filled)
    for number in range(6):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, settings.database_url, str(folder), stdout=subprocess.PIPE
        )
        assert process.stdout
        await process.stdout.readline()
        await asyncio.sleep(0.03 + 0.05 * number)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        for path in list_backups(folder):
            verify(path, None)
            path.unlink()


@pytest.mark.sqlite
async def test_only_own_old_backups_are_removed(filled: AsyncEngine, folder: Path) -> None:
    """The newest stay, a damaged newest keeps the older ones, and somebody else's files are left alone."""
    made = []
    for number in range(4):
        written = await write_backup(filled, folder, {}, None)
        path = written.path.rename(folder / f"endy-2026010{number}-000000.backup")
        made.append(path)
    (folder / "endy-20250101-000000.backup").write_text("my notes")
    assert [path.name for path in prune(folder, 2, None)] == [path.name for path in made[:2]]
    made[3].write_bytes(made[3].read_bytes()[:-5])
    with pytest.raises(BackupDamaged):
        prune(folder, 1, None)
    assert made[2].exists()
    assert (folder / "endy-20250101-000000.backup").exists()


@pytest.mark.sqlite
async def test_a_folder_that_cannot_be_written_is_said(filled: AsyncEngine, tmp_path: Path) -> None:
    """A file in place of the folder."""
    (tmp_path / "taken").write_text("x")
    with pytest.raises(ServiceUnavailable, match="taken"):
        await write_backup(filled, tmp_path / "taken", {}, None)
