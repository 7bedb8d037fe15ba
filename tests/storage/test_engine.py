"""The engine: what DATABASE_URL may say, and how SQLite is set up."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.errors import StartupError
from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.transaction import reading
from tests.other_user import as_nobody, open_folder

__all__ = ["open_folder"]


def refusal(url: str) -> str:
    with pytest.raises(StartupError) as caught:
        create_engine(load_settings(_env_file=None, database_url=url))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.sqlite
async def test_sqlite_is_durable_and_checks_references(bare_engine: AsyncEngine) -> None:
    """Every connection has WAL, foreign keys, a busy timeout of 5 s and synchronous=FULL (2)."""
    async with reading(bare_engine) as connection:
        found = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        ]
    assert found == ["wal", 1, 5000, 2]


async def test_missing_folders_are_made(tmp_path: Path) -> None:
    """The database's folder need not exist."""
    engine = create_engine(load_settings(_env_file=None, database_url=f"sqlite:///{tmp_path}/data/endy.db"))
    await engine.dispose()
    assert (tmp_path / "data" / "endy.db").is_file()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://root@db/endy", "mysql"),
        ("not a url", "sqlite:///"),
        ("sqlite://", "파일 경로"),
        ("sqlite:///:memory:", "파일 경로"),
    ],
)
def test_an_address_that_cannot_work_stops_the_start(url: str, said: str) -> None:
    """One line, which says what to write instead."""
    assert said in refusal(url)


async def test_postgresql_has_limits_and_speaks_utc(postgres_url: str) -> None:
    """No statement, lock or forgotten transaction waits for ever; what else the address says is kept."""
    url = f"{postgres_url}?application_name=mine&options=-c%20work_mem%3D7MB"
    engine = create_engine(load_settings(_env_file=None, database_url=url, database_statement_seconds=7))
    names = (
        "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "timezone", "application_name",
        "work_mem",
    )  # fmt: skip
    async with reading(engine) as connection:
        found = [(await connection.execute(text(f"SHOW {name}"))).scalar_one() for name in names]
    await engine.dispose()
    assert found == ["7s", "5s", "1min", "UTC", "mine", "7MB"]


def test_a_path_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    """A folder in place of the file, and a file in place of a folder."""
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "file").write_text("x")
    assert "folder.db" in refusal(f"sqlite:///{tmp_path}/folder.db")
    assert "쓸 수 없어요" in refusal(f"sqlite:///{tmp_path}/file/endy.db")


def test_a_file_that_is_no_database_stops_the_start(tmp_path: Path) -> None:
    """Somebody else's file is refused and left as it was."""
    (tmp_path / "notes.db").write_text("a shopping list, quite long " * 100)
    before = (tmp_path / "notes.db").read_bytes()
    assert "쓸 수 없어요" in refusal(f"sqlite:///{tmp_path}/notes.db")
    assert (tmp_path / "notes.db").read_bytes() == before


def test_a_read_only_folder_stops_the_start(open_folder: Path) -> None:
    """A folder without write permission, as a mounted volume often is."""
    open_folder.chmod(0o555)
    assert "쓸 수 없어요" in as_nobody(lambda: refusal(f"sqlite:///{open_folder}/endy.db"))


def test_a_read_only_database_stops_the_start(open_folder: Path) -> None:
    """The file can be read but not written."""
    path = open_folder / "endy.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (a)")
    connection.close()
    path.chmod(0o444)
    open_folder.chmod(0o555)
    assert "쓸 수 없어요" in as_nobody(lambda: refusal(f"sqlite:///{path}"))


def test_another_writer_does_not_stop_the_start(tmp_path: Path) -> None:
    """A long write in another process is not a fault of the file."""
    path = tmp_path / "endy.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode=WAL")
    other.execute("BEGIN IMMEDIATE")
    create_engine(load_settings(_env_file=None, database_url=f"sqlite:///{path}"))
    other.execute("ROLLBACK")
    other.close()
