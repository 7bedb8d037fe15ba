"""`endy privacy`, run as a process beside a server's database."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.test_knowledge import endy, place
from tests.cli.test_users import company

__all__ = ["company", "place"]
CANARY = "쿠쿠루비밀질문"
INSERT = """INSERT INTO questions (id, conversation_id, asker, question, status, mode, category, department, confidence,
    source_ids, response_seconds, knowledge_version, asked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


@pytest.fixture
def asked(company: Path) -> Path:
    """Two people have asked and said what they think; the one with the canary is 2024003."""
    assert endy(company, "users", "list").returncode == 0
    with closing(sqlite3.connect(company / "endy.db")) as database, database:
        for number, text in (("2024003", CANARY), ("2024001", "연차 며칠이야")):
            key, day = f"user:{number}", "2026-11-01 00:00:00.000000"
            database.execute("INSERT INTO conversations VALUES (?, ?, ?)", (f"c{number}", key, day))
            row = (f"q{number}", f"c{number}", key, text, "answered", "extractive", "HR", "", 0.9, "[]", 0.1, 1, day)
            database.execute(INSERT, row)
            opinion = (f"q{number}", key, 1, "[]", f"{text} 좋아요", day, day)
            database.execute("INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?, ?)", opinion)
            session = (f"{number}{'0' * 57}", number, day, day, "2030-01-01 00:00:00.000000", "name", "", "")
            database.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", session)
    return company


def count(company: Path, table: str) -> int:
    with closing(sqlite3.connect(company / "endy.db")) as database:
        return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  a name from below


def test_the_export_holds_everything_and_opens_nothing(asked: Path) -> None:
    """All tables, the audit events about them; no hash of a password or a session; that it was made is on record."""
    found = json.loads(endy(asked, "privacy", "export", "2024003").stdout)
    assert [row["name"] for row in found["user"]] == ["박민수"]
    assert [row["question"] for row in found["questions"]] == [CANARY]
    assert len(found["conversations"]) == len(found["feedback"]) == len(found["sessions"]) == 1
    assert {event["action"] for event in found["audit"]} == {"user_added"}
    assert "hash" not in json.dumps([found["user"], found["sessions"]])
    assert "연차" not in json.dumps(found, ensure_ascii=False)
    assert endy(asked, "privacy", "export", "2024003", "--out", str(asked / "out.json")).returncode == 0
    again = json.loads((asked / "out.json").read_text(encoding="utf-8"))
    assert {event["action"] for event in again["audit"]} == {"user_added", "privacy_exported"}


def test_what_is_erased_is_gone_from_the_file(asked: Path) -> None:
    """Rows, and the bytes they left; everybody else's stay; the account stays and the output says so."""
    assert any(CANARY.encode() in path.read_bytes() for path in asked.glob("endy.db*")), "it must be there first"
    done = endy(asked, "privacy", "erase", "2024003", "--yes")
    assert done.returncode == 0, done.stderr
    assert "질문 1개" in done.stdout
    assert "계정은 남아 있어요" in done.stdout
    assert [count(asked, table) for table in ("questions", "feedback", "sessions", "conversations")] == [1, 1, 1, 1]
    for path in asked.glob("endy.db*"):
        assert CANARY.encode() not in path.read_bytes(), path


def test_of_somebody_removed_only_the_number_stays(asked: Path) -> None:
    """The file still names them, so the row keeps them out; the name and the department go."""
    endy(asked, "users", "remove", "2024003")
    done = endy(asked, "privacy", "erase", "2024003", "--yes")
    assert "사번만 남겼어요" in done.stdout
    with closing(sqlite3.connect(asked / "endy.db")) as database:
        row = database.execute("SELECT name, department, email FROM users WHERE employee_id='2024003'").fetchone()
    assert row == ("", "", "")
    assert json.loads(endy(asked, "users", "list", "--json").stdout)[0]["user"]["employee_id"] == "2024001"
    assert "박민수" not in endy(asked, "users", "list").stdout


def test_it_asks_before_it_erases(asked: Path) -> None:
    """Anything but yes leaves everything as it is."""
    assert endy(asked, "privacy", "erase", "2024003", typed="n\n").returncode == 1
    assert count(asked, "questions") == 2
    assert endy(asked, "privacy", "erase", "2024003", typed="y\n").returncode == 0
    assert count(asked, "questions") == 1


@pytest.mark.parametrize("command", [("export", "9999999"), ("erase", "9999999", "--yes")])
def test_somebody_unknown_is_one_clear_line(asked: Path, command: tuple[str, ...]) -> None:
    """Exit code 1; nothing is recorded about somebody who is not there."""
    done = endy(asked, "privacy", *command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip() == "9999999에 대해 저장된 것이 없어요."
