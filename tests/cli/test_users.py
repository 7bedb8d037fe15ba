"""`endy users`, run as a process as an operator runs it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.test_knowledge import endy, place

__all__ = ["place"]
PEOPLE = [
    {"employee_id": "2024001", "name": "김철수", "department": "개발팀", "role": "admin"},
    {"employee_id": "2024003", "name": "박민수", "department": "IT팀", "role": "user"},
]


@pytest.fixture
def company(place: Path) -> Path:
    (place / "data").mkdir()
    (place / "data" / "users.json").write_text(json.dumps({"users": PEOPLE}), encoding="utf-8")
    return place


def roles(company: Path) -> dict[str, str]:
    listed = json.loads(endy(company, "users", "list", "--json").stdout)
    return {account["user"]["employee_id"]: account["user"]["role"] for account in listed}


def test_the_list_is_the_file_s_and_can_be_searched(company: Path) -> None:
    """No server needs to have run before; no hash is shown."""
    shown = endy(company, "users", "list").stdout
    for word in ("2024001", "김철수", "개발팀", "admin", "없음"):
        assert word in shown
    assert [account["user"]["name"] for account in json.loads(endy(company, "users", "list", "민수", "--json").stdout)]


def test_who_is_added_gets_a_link(company: Path) -> None:
    """Only the link is on standard output, ready to be sent; PUBLIC_URL is where it leads."""
    options = ("--name", "최하나", "--department", "총무팀", "--role", "owner", "--owns", "총무", "--owns", "복리후생")
    done = endy(company, "users", "add", "2024009", *options, PUBLIC_URL="https://endy.encar.example")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("https://endy.encar.example/set-password#")
    assert roles(company)["2024009"] == "owner"
    again = endy(company, "users", "add", "2024009", "--name", "최하나")
    assert (again.returncode, again.stderr.strip()) == (1, "이미 있는 사번이에요.")
    other = endy(company, "users", "link", "2024009").stdout
    assert other.startswith("http://localhost:8000/set-password#")


def test_roles_change_and_people_go(company: Path) -> None:
    """The last admin stays; who was removed does not come back with the file."""
    assert endy(company, "users", "set-role", "2024003", "owner", "--owns", "IT").returncode == 0
    assert roles(company)["2024003"] == "owner"
    for arguments in (("set-role", "2024001", "user"), ("remove", "2024001")):
        refused = endy(company, "users", *arguments)
        assert refused.returncode == 1
        assert "마지막 관리자" in refused.stderr
    assert endy(company, "users", "remove", "2024003").returncode == 0
    assert set(roles(company)) == {"2024001"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set-role", "2024003", "boss"), "admin, owner, user"),
        (("set-role", "9999999", "user"), "그 사번은 없어요"),
        (("remove", "9999999"), "그 사번은 없어요"),
        (("link", "9999999"), "그 사번은 없어요"),
        (("add", "a b", "--name", "x"), "employee_id"),
        (("add", "1", "--name", "x", "--role", "root"), "role"),
    ],
)
def test_what_cannot_be_is_one_clear_line(company: Path, arguments: tuple[str, ...], says: str) -> None:
    """Exit code 1, nothing on standard output, nothing changed."""
    done = endy(company, "users", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_password_is_asked_for_and_never_an_argument(company: Path) -> None:
    """Typed twice on standard input; a weak one is explained; the hash is Argon2id."""
    answers = {"weak": "password12\npassword12\n", "good": "파란 자전거 일곱 대\n파란 자전거 일곱 대\n"}
    weak = endy(company, "users", "set-password", "2024003", typed=answers["weak"])
    assert weak.returncode == 1
    assert "짐작하기 쉬운" in weak.stderr
    good = endy(company, "users", "set-password", "2024003", typed=answers["good"])
    assert good.returncode == 0, good.stderr
    assert "자전거" not in good.stdout + good.stderr
    with closing(sqlite3.connect(company / "endy.db")) as database:
        (stored,) = database.execute("SELECT password_hash FROM users WHERE employee_id='2024003'").fetchone()
    assert stored.startswith("$argon2id$")


def test_every_change_is_in_the_audit_log(company: Path) -> None:
    """Made by `cli`, in the order in which it happened."""
    endy(company, "users", "add", "2024009", "--name", "최하나")
    endy(company, "users", "set-role", "2024009", "owner")
    endy(company, "users", "remove", "2024009")
    with closing(sqlite3.connect(company / "endy.db")) as database:
        rows = database.execute("SELECT action, target FROM audit WHERE actor='cli' ORDER BY id").fetchall()
    actions = ("user_added", "password_link_created", "user_changed", "user_removed")
    assert rows == [(action, "2024009") for action in actions]
