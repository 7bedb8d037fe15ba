"""`endy backup` and `endy restore` as an operator types them, and the monthly rehearsal of the documentation."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.test_db import endy
from tests.databases import execute


@pytest.fixture
def home(tmp_path: Path, database_url: str) -> tuple[Path, dict[str, str]]:
    """A company with some rows and files, and its environment."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "연차.md").write_text("# 연차\n", encoding="utf-8")
    environment = {
        "DATABASE_URL": database_url,
        "KNOWLEDGE_DIR": str(tmp_path / "docs"),
        "FAQ_FILE": str(tmp_path / "faq.json"),
        "BACKUP_DIR": str(tmp_path / "backups"),
        "BACKUP_KEY": "canary-key",
    }
    endy(tmp_path, "db", "upgrade", **environment)
    execute(database_url, "INSERT INTO conversations VALUES ('a', 'anonymous', '2026-01-01')")
    return tmp_path, environment


def made(home: tuple[Path, dict[str, str]], *more: str) -> Path:
    place, environment = home
    done = endy(place, "backup", "--json", *more, **environment)
    assert done.returncode == 0, done.stderr
    return Path(json.loads(done.stdout)["path"])


def test_a_rehearsed_restore(home: tuple[Path, dict[str, str]]) -> None:
    """Into another database and folder, beside what is being served, as the documentation tells to do every month."""
    place, environment = home
    path = made(home)
    target = f"sqlite:///{place}/rehearsal.db"
    arguments = ("--database-url", target, "--files-to", str(place / "rehearsal"), "--yes")
    done = endy(place, "restore", str(path), *arguments, **environment)
    assert done.returncode == 0, done.stderr
    assert execute(target, "SELECT id FROM conversations") == [("a",)]
    assert execute(target, "SELECT action FROM audit ORDER BY id DESC LIMIT 1") == [("backup_restored",)]
    assert (place / "rehearsal" / "docs" / "연차.md").read_text(encoding="utf-8") == "# 연차\n"
    assert "canary" not in done.stdout + done.stderr


def test_back_to_the_day_before(home: tuple[Path, dict[str, str]]) -> None:
    """What happened since is gone from the database, and kept beside where that is a file."""
    place, environment = home
    path = made(home)
    execute(environment["DATABASE_URL"], "DELETE FROM conversations")
    (place / "docs" / "연차.md").write_text("# 망친 글\n", encoding="utf-8")
    refused = endy(place, "restore", str(path), "--yes", **environment)
    assert (refused.returncode, "--replace" in refused.stderr) == (1, True)
    done = endy(place, "restore", str(path), "--yes", "--replace", **environment)
    assert done.returncode == 0, done.stderr
    assert execute(environment["DATABASE_URL"], "SELECT id FROM conversations") == [("a",)]
    assert (place / "docs" / "연차.md").read_text(encoding="utf-8") == "# 연차\n"
    assert len(list(place.glob("docs.before-*"))) == 1
    assert endy(place, "audit", "verify", **environment).returncode == 0


@pytest.mark.sqlite
def test_the_backups_are_listed_checked_and_few(home: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """`list` and `verify` say what there is; --keep removes old ones; the last success is known to all."""
    place, environment = home
    old = made(home).rename(tmp_path / "backups" / "endy-20260101-000000.backup")
    path = made(home, "--keep", "1")
    assert not old.exists()
    listed = endy(place, "backup", "list", **environment).stdout
    assert path.name in listed
    assert "온전해요" in endy(place, "backup", "verify", str(path), **environment).stdout
    (job,) = json.loads(endy(place, "jobs", "--json", **environment).stdout)
    assert (job["name"], job["outcome"], bool(job["succeeded_at"])) == ("backup", "done", True)
    assert execute(environment["DATABASE_URL"], "SELECT action FROM audit") == [("backup_made",), ("backup_made",)]


@pytest.mark.sqlite
def test_before_an_upgrade_the_older_schema_is_backed_up(home: tuple[Path, dict[str, str]]) -> None:
    """The new code is there, the database is not migrated yet, and the first step of the upgrade is a backup."""
    place, environment = home
    environment["DATABASE_URL"] = f"sqlite:///{place}/old.db"
    endy(place, "db", "upgrade", **environment)
    endy(place, "db", "downgrade", "0001", "--yes", **environment)
    assert execute(environment["DATABASE_URL"], "SELECT version_num FROM alembic_version") == [("0001",)]
    done = endy(place, "backup", **environment)
    assert done.returncode == 0, done.stderr
    assert "이전 스키마" in done.stderr
    (listed,) = endy(place, "backup", "list", str(place / "backups"), **environment).stdout.splitlines()
    target = f"sqlite:///{place}/new.db"
    restored = endy(place, "restore", listed.split()[0], "--database-url", target, "--no-files", "--yes", **environment)
    assert restored.returncode == 0, restored.stderr
    assert execute(target, "SELECT action FROM audit") == [("backup_restored",)]


@pytest.mark.sqlite
def test_a_database_that_cannot_be_written_is_backed_up(home: tuple[Path, dict[str, str]]) -> None:
    """That is when a backup is wanted most; that it is not noted is said."""
    place, environment = home
    with closing(sqlite3.connect(environment["DATABASE_URL"].removeprefix("sqlite:///"))) as writer:
        writer.execute("BEGIN IMMEDIATE")
        done = endy(place, "backup", **environment)
    assert done.returncode == 0, done.stderr
    assert "기록하지 못했어요" in done.stderr
    assert execute(environment["DATABASE_URL"], "SELECT count(*) FROM audit") == [(0,)]


@pytest.mark.sqlite
def test_a_wrong_address_makes_no_database(home: tuple[Path, dict[str, str]]) -> None:
    """It is said, instead of backing up nothing every night."""
    place, environment = home
    done = endy(place, "backup", **environment | {"DATABASE_URL": f"sqlite:///{place}/typo.db"})
    assert (done.returncode, "typo.db" in done.stderr) == (2, True)
    assert not (place / "typo.db").exists()


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("key", "says"), [("", "암호가 걸린"), ("wrong", "맞지 않아요")], ids=["without a key", "a wrong key"]
)
def test_without_its_key_it_stays_closed(home: tuple[Path, dict[str, str]], key: str, says: str) -> None:
    """One line, and nothing is touched."""
    place, environment = home
    path = made(home)
    done = endy(place, "restore", str(path), "--yes", "--replace", **environment | {"BACKUP_KEY": key})
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert execute(environment["DATABASE_URL"], "SELECT count(*) FROM conversations") == [(1,)]


@pytest.mark.sqlite
def test_a_file_that_is_no_backup_is_one_line(home: tuple[Path, dict[str, str]]) -> None:
    """Missing, empty, and something else."""
    place, environment = home
    (place / "empty").write_text("")
    (place / "notes").write_text("hello")
    for name in ("missing", "empty", "notes"):
        done = endy(place, "restore", str(place / name), "--yes", **environment)
        assert done.returncode in (1, 2)
        assert "백업" in done.stderr
        assert "Traceback" not in done.stderr
