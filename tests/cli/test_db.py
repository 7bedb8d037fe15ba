"""`endy db` as an operator types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from tests.databases import execute

ROOT = Path(__file__).parent.parent.parent
ARGON2 = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(
    "made up for this test", salt=b"0123456789abcdef"
)


def endy(place: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    given = {"DATABASE_URL": f"sqlite:///{place}/own.db", "PYTHONPATH": str(ROOT / "src"), **environment}
    program = [sys.executable, "-m", "endy", *arguments]
    return subprocess.run(program, cwd=place, env=os.environ | given, capture_output=True, text=True, check=False)


@pytest.fixture
def old_files(tmp_path: Path) -> Path:
    """What the release before the database left: several shapes of it, with faults."""
    folder = tmp_path / "old"
    folder.mkdir()
    files = {
        "users.json": {"users": [
            {"employee_id": "2024001", "name": "김철수", "department": "개발팀", "email": "a@encar.example",
             "role": "admin", "password": "canary-password"},
            {"employee_id": "2024004", "name": "최지우", "password_hash": ARGON2},
            {"employee_id": "2024005", "name": "정하늘", "password_hash": "canary5f4dcc3b5aa765d61d8327deb882cf99"},
            {"id": 2024003, "이름": "박민수", "부서": "IT팀"},
            {"employee_id": "has space", "name": "x"},
        ]},
        "faq_data.json": {"faqs": [
            {"id": 1, "category": "총무", "question": "주차는?", "main_answer": "지하 2층", "keywords": "주차, 차"},
            {"question": "답이 없는 질문"},
        ]},
        "feedback.json": {
            "feedbacks": [
                {"question": "연차 며칠? 010-1234-5678", "is_helpful": True, "employee_id": "2024003",
                 "timestamp": "2025-03-01T09:00:00", "question_id": "q1"},
                {"question": "병가?", "feedback_type": "negative", "comment": "틀려요", "timestamp": 1740787200},
                {"question": "주차 자리?", "rating": 1, "user_id": 2024004, "created_at": "2025-03-02T09:00:00+09:00"},
                {"question": "주차 요금?", "rating": 5, "user_id": "2024004"},
                {"question": "어느 쪽도 아닌 별 셋?", "rating": 3},
                {"is_helpful": True},
            ],
            "detailed_feedbacks": [
                {"question": "연차 며칠? 010-1234-5678", "reasons": ["outdated", "말투가 이상함"],
                 "employee_id": "2024003", "timestamp": "2025-03-01T09:01:00", "question_id": "q1"},
            ],
        },
        "sessions.json": {"sessions": {"token-1": {"user": "2024001"}, "token-2": {"user": "2024003"}}},
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return folder


def test_old_files_come_in(old_files: Path, tmp_path: Path) -> None:
    """Users, feedback and FAQs arrive; what cannot is listed; personal data is masked, and no password is taken."""
    target = f"sqlite:///{tmp_path}/new.db"
    arguments = ("db", "move", str(old_files), target, "--faq-to", str(tmp_path / "faq.json"))
    done = endy(tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    assert execute(target, "SELECT employee_id, role FROM users ORDER BY 1") == [
        ("2024001", "admin"),
        ("2024003", "user"),
        ("2024004", "user"),
        ("2024005", "user"),
    ]
    assert execute(target, "SELECT employee_id, password_hash FROM users WHERE password_hash IS NOT NULL") == [
        ("2024004", ARGON2)
    ]
    assert execute(target, "SELECT is_helpful FROM feedback WHERE asker = 'user:2024004' ORDER BY 1") == [(0,), (1,)]
    ((helpful, reasons, comment),) = execute(
        target, "SELECT is_helpful, reasons, comment FROM feedback WHERE asker = 'user:2024003'"
    )
    assert (helpful, json.loads(reasons), comment) == (0, ["outdated", "other"], "말투가 이상함")
    assert execute(target, "SELECT question FROM questions WHERE asker = 'user:2024003'") == [
        ("연차 며칠? [전화번호]",)
    ]
    assert [faq["keywords"] for faq in json.loads((tmp_path / "faq.json").read_text())["faqs"]] == [["주차", "차"]]
    (aside,) = tmp_path.glob("set-aside-*.jsonl")
    assert len(aside.read_text(encoding="utf-8").splitlines()) == 4
    assert "로그인 2개" in done.stdout
    assert "비밀번호 2개" in done.stdout
    assert "endy users link" in done.stdout
    assert not any(b"canary" in path.read_bytes() for path in tmp_path.glob("*.*"))


def test_old_files_twice_are_refused_and_change_nothing(old_files: Path, tmp_path: Path) -> None:
    """The second time the target is not empty."""
    target = f"sqlite:///{tmp_path}/new.db"
    endy(tmp_path, "db", "move", str(old_files), target)
    again = endy(tmp_path, "db", "move", str(old_files), target)
    assert again.returncode == 1
    assert "비어 있지 않아요" in again.stderr
    assert execute(target, "SELECT count(*) FROM feedback") == [(4,)]


def test_a_dry_run_writes_nothing(old_files: Path, tmp_path: Path) -> None:
    """Not even the file of the target, nor the one of rows that would be set aside."""
    target = tmp_path / "new.db"
    done = endy(tmp_path, "db", "move", str(old_files), f"sqlite:///{target}", "--dry-run", "--json")
    assert done.returncode == 2, done.stderr
    rows = {table["table"]: table["rows"] for table in json.loads(done.stdout)["tables"]}
    assert (rows["users"], rows["feedback"], rows["conversations"]) == (4, 4, 4)
    assert not list(tmp_path.glob("set-aside-*"))
    assert not target.exists()


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("nowhere", "sqlite:///b.db", "폴더"),
        ("sqlite:///missing.db", "sqlite:///b.db", "missing.db"),
        ("sqlite:///a.db", "sqlite:///a.db", "같아요"),
        (".", "sqlite:///b.db", "users.json"),
        ("sqlite:///a.db", "mysql://x/y", "mysql"),
    ],
    ids=range(5),
)
def test_what_cannot_be_moved_is_one_clear_line(tmp_path: Path, source: str, target: str, says: str) -> None:
    """No traceback, and it says what to write instead."""
    endy(tmp_path, "db", "upgrade", DATABASE_URL=f"sqlite:///{tmp_path}/a.db")
    done = endy(tmp_path, "db", "move", source, target)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert says in done.stderr


def test_the_schema_is_looked_at_and_changed(tmp_path: Path, postgres_url: str) -> None:
    """Up, compared with the code, down a step, and up again, on both databases."""
    for url in (f"sqlite:///{tmp_path}/x.db", postgres_url):
        assert endy(tmp_path, "db", "upgrade", DATABASE_URL=url).returncode == 0
        assert endy(tmp_path, "db", "check", DATABASE_URL=url).returncode == 0
        assert endy(tmp_path, "db", "downgrade", "0003", "--yes", DATABASE_URL=url).returncode == 0
        behind = endy(tmp_path, "db", "check", DATABASE_URL=url)
        assert (behind.returncode, "jobs" in behind.stderr) == (1, True)
        assert json.loads(endy(tmp_path, "db", "status", "--json", DATABASE_URL=url).stdout)["revision"] == "0003"
        endy(tmp_path, "db", "upgrade", DATABASE_URL=url)
        assert "jobs: 0" in endy(tmp_path, "db", "status", DATABASE_URL=url).stdout


def test_a_half_moved_database_is_not_served(tmp_path: Path) -> None:
    """One line says how to finish."""
    url = f"sqlite:///{tmp_path}/half.db"
    endy(tmp_path, "db", "upgrade", DATABASE_URL=url)
    execute(url, "CREATE TABLE endy_move (table_name TEXT)")
    done = endy(tmp_path, "serve", "--port", "1", DATABASE_URL=url, EMBEDDINGS="none")
    assert done.returncode == 2
    assert "endy db move" in done.stderr
