"""Restoring when something is wrong: the target is as it was or as it was backed up, whatever happens between."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.errors import Conflict, ServiceUnavailable, ValidationFailed
from endy.settings import Settings
from endy.storage.backup.container import BackupDamaged
from endy.storage.backup.places import alone
from endy.storage.backup.reader import verify
from endy.storage.backup.restorer import restore, restore_database
from endy.storage.backup.writer import write_backup
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from endy.storage.tables import conversations, knowledge_state
from endy.storage.transaction import transaction
from tests.crash import ENVIRONMENT
from tests.databases import execute
from tests.storage.made_up import NOW, fill
from tests.storage.test_backup import at
from tests.storage.test_transaction import conversation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def names(folder: Path, pattern: str = "*") -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def count(url: str) -> int:
    return int(execute(url, "SELECT count(*) FROM conversations")[0][0])


RESTORE = """
import asyncio, sys
from pathlib import Path
from endy.settings import load_settings
from endy.storage.backup.reader import verify
from endy.storage.backup.restorer import restore

settings = load_settings(_env_file=None, database_url=sys.argv[1])
backup = verify(Path(sys.argv[2]), None)
print("verified", flush=True)
places = {"knowledge": Path(sys.argv[3])}
asyncio.run(restore(backup, settings, None, places, replace=True, sessions=True, force=True))
print("done", flush=True)
"""


async def test_killed_at_any_moment_it_is_the_old_or_the_new(
    engine: AsyncEngine, folder: Path, settings: Settings, tmp_path: Path
) -> None:
    """kill -9 from the first to the last moment: every row of one state, documents that are whole, and the same
    command again ends it."""
    docs, url = tmp_path / "docs", settings.database_url
    docs.mkdir()
    (docs / "a.md").write_text("then")
    await fill(engine, 800)
    written = await write_backup(engine, folder, {"knowledge": docs}, None)
    async with transaction(engine) as connection:
        await connection.execute(insert(conversations), conversation("after the backup"))
    await engine.dispose()
    arguments = [sys.executable, "-c", RESTORE, url, str(written.path), str(docs)]
    seen = set()
    for number in range(8):
        (docs / "a.md").write_text("now")
        process = await asyncio.create_subprocess_exec(*arguments, env=ENVIRONMENT, stdout=subprocess.PIPE)
        assert process.stdout
        assert await process.stdout.readline() == b"verified\n"
        await asyncio.sleep(0.08 * number)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert count(url) in (800, 801)
        assert "".join(path.read_text() for path in docs.glob("a.md")) in ("then", "now", "")
        seen.add(count(url))
        docs.mkdir(exist_ok=True)
    done = await asyncio.create_subprocess_exec(*arguments, env=ENVIRONMENT)
    assert await done.wait() == 0
    assert (count(url), (docs / "a.md").read_text()) == (800, "then")
    assert 801 in seen
    assert not names(tmp_path, "*.restoring*")


async def test_an_error_in_the_middle_leaves_everything(
    engine: AsyncEngine, folder: Path, settings: Settings, tmp_path: Path
) -> None:
    """Another file than was verified: the database and the documents stay, and nothing is left beside."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("now")
    await fill(engine, 5)
    first = await write_backup(engine, folder, {"knowledge": docs}, None)
    backup = verify(first.path, None)
    first.path.unlink()
    async with transaction(engine) as connection:
        await connection.execute(insert(conversations), conversation("one more"))
    second = await write_backup(engine, folder, {"knowledge": docs}, None)
    second.path.rename(first.path)
    await engine.dispose()
    with pytest.raises(BackupDamaged):
        await restore(backup, settings, None, {"knowledge": docs}, replace=True, sessions=False, force=False)
    assert (count(settings.database_url), (docs / "a.md").read_text()) == (6, "now")
    assert names(tmp_path, "*restoring*") == []
    assert names(tmp_path, "*before*") == []


async def test_answers_in_a_cache_are_not_served_again(engine: AsyncEngine, folder: Path, settings: Settings) -> None:
    """The knowledge version goes past every one that there was, or old answers in Redis would fit again."""
    async with transaction(engine) as connection:
        await connection.execute(knowledge_state.delete())
        await connection.execute(insert(knowledge_state), {"id": 1, "version": 7, "updated_at": NOW})
    written = await write_backup(engine, folder, {}, None)
    await engine.dispose()
    await restore_database(verify(written.path, None), settings, None, replace=True, sessions=False, force=False)
    assert execute(settings.database_url, "SELECT version > 7 FROM knowledge_state")[0][0]


async def test_a_newer_schema_is_said(engine: AsyncEngine, folder: Path, settings: Settings) -> None:
    """After going back to this release: the backup is made and says that it is not all; where tables are dropped
    one by one, unknown ones stop it."""
    await fill(engine, 2)
    plain = await write_backup(engine, folder, {}, None)
    backup = verify(plain.path, None)
    plain.path.unlink()
    execute(settings.database_url, "UPDATE alembic_version SET version_num = '9999'")
    written = await write_backup(engine, folder, {}, None)
    assert (plain.newer_schema, written.newer_schema) == (False, True)
    await engine.dispose()
    with pytest.raises(Conflict, match="더 새 버전"):
        await restore_database(verify(written.path, None), settings, None, replace=True, sessions=False, force=False)
    if settings.database_url.startswith("postgresql"):
        with pytest.raises(Conflict, match="9999"):
            await restore_database(backup, settings, None, replace=True, sessions=False, force=False)
    else:
        await restore_database(backup, settings, None, replace=True, sessions=False, force=False)
        assert count(settings.database_url) == 2


async def test_an_empty_database_is_no_backup(bare_engine: AsyncEngine, folder: Path) -> None:
    """A wrong address would else be noticed on the day of the restore."""
    with pytest.raises(ValidationFailed, match="DATABASE_URL"):
        await write_backup(bare_engine, folder, {}, None)
    assert names(folder) == []


@pytest.mark.sqlite
@pytest.mark.parametrize("content", [b"garbage" * 2000, b"SQLite format 3\0" + b"\xff" * 5000], ids=["noise", "header"])
async def test_a_damaged_database_is_replaced(
    engine: AsyncEngine, folder: Path, tmp_path: Path, content: bytes
) -> None:
    """That is what people restore for; it is kept beside all the same."""
    await fill(engine, 3)
    written = await write_backup(engine, folder, {}, None)
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(content)
    settings = at(f"sqlite:///{damaged}")
    kept = await restore_database(verify(written.path, None), settings, None, replace=True, sessions=False, force=False)
    assert count(settings.database_url) == 3
    assert kept is not None
    assert kept.read_bytes()[:100] == content[:100]


@pytest.mark.sqlite
async def test_the_file_stays_with_its_owner(engine: AsyncEngine, folder: Path, tmp_path: Path) -> None:
    """Root restores, and Endy, who is not root, goes on writing."""
    await fill(engine, 1)
    written = await write_backup(engine, folder, {}, None)
    target = tmp_path / "data" / "endy.db"
    target.parent.mkdir()
    with closing(sqlite3.connect(target)) as database:
        database.execute("CREATE TABLE something (x)")
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    target.chmod(0o640)
    os.chown(target, owner, -1)
    backup = verify(written.path, None)
    await restore_database(backup, at(f"sqlite:///{target}"), None, replace=False, sessions=False, force=False)
    about = target.stat()
    assert (about.st_uid, about.st_mode & 0o777) == (owner, 0o640)


@pytest.mark.sqlite
async def test_one_restore_at_a_time(engine: AsyncEngine, folder: Path, tmp_path: Path) -> None:
    """Two would write the same file."""
    await fill(engine, 1)
    backup = verify((await write_backup(engine, folder, {}, None)).path, None)
    (tmp_path / "data").mkdir()
    settings = at(f"sqlite:///{tmp_path}/data/endy.db")
    with alone(tmp_path / "data"), pytest.raises(Conflict, match="다른 복원"):
        await restore_database(backup, settings, None, replace=False, sessions=False, force=False)
    await restore_database(backup, settings, None, replace=False, sessions=False, force=False)


@pytest.mark.sqlite
async def test_rows_that_should_not_be_there_come_back(
    engine: AsyncEngine, folder: Path, settings: Settings, tmp_path: Path, postgres_url: str
) -> None:
    """A child without its parent, bytes that are no text, a NUL: SQLite gets them back, PostgreSQL says what to do."""
    await fill(engine, 3)
    with closing(sqlite3.connect(settings.database_url.removeprefix("sqlite:///"))) as database, database:
        database.execute("UPDATE feedback SET question_id = 'gone' WHERE asker = (SELECT min(asker) FROM feedback)")
        database.execute("UPDATE users SET name = CAST(X'41FF42' AS TEXT), department = 'a' || char(0)")
    reading_only = create_engine(settings, read_only=True)
    written = await write_backup(reading_only, folder, {}, None)
    await reading_only.dispose()
    backup = verify(written.path, None)
    restored = at(f"sqlite:///{tmp_path}/restored.db")
    await restore_database(backup, restored, None, replace=False, sessions=False, force=False)
    assert execute(restored.database_url, "SELECT count(*) FROM feedback WHERE question_id = 'gone'") == [(1,)]
    assert execute(restored.database_url, "SELECT DISTINCT name, department FROM users") == [("A?B", "a\0")]
    with pytest.raises(ValidationFailed, match="endy db move"):
        await restore_database(backup, at(postgres_url), None, replace=False, sessions=False, force=False)
    assert execute(postgres_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


@pytest.mark.sqlite
async def test_a_value_that_cannot_be_read_is_named_without_whose(
    engine: AsyncEngine, folder: Path, settings: Settings
) -> None:
    """The table and the row's place, and no personal data."""
    await fill(engine, 3)
    execute(settings.database_url, "UPDATE users SET updated_at = 'never'")
    (name,) = execute(settings.database_url, "SELECT min(employee_id) FROM users")[0]
    with pytest.raises(ValidationFailed, match="users 표의 1번째") as failure:
        await write_backup(engine, folder, {}, None)
    assert name not in failure.value.message
    assert names(folder) == []


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from endy.errors import ServiceUnavailable
from endy.settings import load_settings
from endy.storage.backup.reader import verify
from endy.storage.backup.restorer import restore

settings = load_settings(_env_file=None, database_url=sys.argv[1])
backup = verify(Path(sys.argv[2]), None)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    asyncio.run(restore(backup, settings, None, {}, replace=True, sessions=False, force=True))
except ServiceUnavailable as error:
    print(error.message)
"""


@pytest.mark.sqlite
async def test_a_full_disk_leaves_the_old_database(
    engine: AsyncEngine, folder: Path, settings: Settings, tmp_path: Path
) -> None:
    """It says so, and nothing is left beside."""
    await fill(engine, 300)
    written = await write_backup(engine, folder, {}, None)
    await engine.dispose()
    arguments = [sys.executable, "-c", LIMITED, settings.database_url, str(written.path)]
    done = await asyncio.create_subprocess_exec(*arguments, env=ENVIRONMENT, stdout=subprocess.PIPE)
    said = (await done.communicate())[0].decode()
    assert "확인해 주세요" in said or "가득" in said
    assert count(settings.database_url) == 300
    assert names(tmp_path, "*restoring*") == []
    async with engine.connect() as connection:
        assert (await connection.execute(text("PRAGMA integrity_check"))).scalar_one() == "ok"


@pytest.mark.sqlite
async def test_a_folder_that_cannot_be_made_is_said(engine: AsyncEngine, folder: Path, tmp_path: Path) -> None:
    """One line, before anything."""
    await upgrade(engine)
    backup = verify((await write_backup(engine, folder, {}, None)).path, None)
    (tmp_path / "taken").write_text("x")
    with pytest.raises(ServiceUnavailable, match="taken"):
        await restore_database(
            backup, at(f"sqlite:///{tmp_path}/taken/endy.db"), None, replace=False, sessions=False, force=False
        )
