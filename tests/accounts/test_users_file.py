"""USERS_FILE: whatever is wrong with it, the last good users stay and the wrong entry is named."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from argon2 import PasswordHasher
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.accounts.models import Client, User
from endy.accounts.passwords import Passwords
from endy.accounts.service import AccountService
from endy.accounts.throttle import LoginLimits, LoginThrottle
from endy.accounts.users import UserDirectory
from endy.accounts.users_file import UsersFileError, read_users
from endy.accounts.users_sync import UsersFileSync
from endy.background import Repeating
from endy.errors import AuthenticationFailed, Conflict, NotFound, ServiceUnavailable
from endy.limits.rate import MemoryRateLimiter
from endy.settings import Settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from tests.databases import READ_ONLY

KIM = {"employee_id": "2024001", "name": "김철수", "department": "개발팀", "email": "a@encar.example", "role": "admin"}
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("파란 자전거 일곱 대")
PARK = {"employee_id": "2024003", "name": "박민수", "department": "IT팀", "email": "b@encar.example", "role": "user"}


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(
        _env_file=None,
        database_url=database_url,
        users_file=tmp_path / "users.json",
        log_file=tmp_path,
    )


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings)
    await upgrade(engine)
    yield engine
    await engine.dispose()


@pytest.fixture
async def users_file(engine: AsyncEngine, settings: Settings) -> UsersFileSync:
    """With both people in place."""
    write(settings.users_file, [KIM, PARK])
    sync = UsersFileSync(engine, settings)
    assert await sync.sync()
    return sync


@pytest.fixture
def accounts(users_file: UsersFileSync, engine: AsyncEngine, settings: Settings) -> AccountService:
    plenty = MemoryRateLimiter(1000, 1000)
    return AccountService(engine, settings, LoginThrottle(LoginLimits(plenty, plenty, plenty), "secret"))


@pytest.fixture
def directory(users_file: UsersFileSync, engine: AsyncEngine, settings: Settings) -> UserDirectory:
    return UserDirectory(engine, settings)


def write(path: Path, users: object) -> None:
    path.write_text(json.dumps({"users": users}, ensure_ascii=False), encoding="utf-8")


async def may_enter(accounts: AccountService, person: dict[str, str]) -> bool:
    try:
        await accounts.login(person["employee_id"], person["name"], None, Client())
    except AuthenticationFailed:
        return False
    return True


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "JSON"),
    "half written": (json.dumps({"users": [KIM, PARK]}).encode()[:-40], "JSON"),
    "no JSON": (b"employee_id,name\n2024001,x", "JSON"),
    "a list": (json.dumps([KIM]).encode(), "JSON"),
    "no users": (b'{"people": []}', "JSON"),
    "users as an object": (b'{"users": {"2024001": {}}}', "목록"),
    "null": (b"null", "JSON"),
    "very deep": (b'{"users": ' + b"[" * 100_000, "JSON"),
    "CP949": (json.dumps({"users": [KIM]}, ensure_ascii=False).encode("cp949"), "읽을 수 없어요"),
    "binary": (bytes(range(256)) * 10, "읽을 수 없어요"),
    "entry is text": (json.dumps({"users": [KIM, "박민수"]}).encode(), "2번째"),
    "number as a number": (json.dumps({"users": [KIM, PARK | {"employee_id": 2024003}]}).encode(), "2번째"),
    "no name": (json.dumps({"users": [{**KIM, "name": "  "}, PARK]}).encode(), "1번째 사용자의 name"),
    "unknown role": (json.dumps({"users": [KIM, PARK | {"role": "root"}]}).encode(), "2번째 사용자의 role"),
    "a hash of another kind": (
        json.dumps({"users": [KIM, PARK | {"password_hash": "$2b$12$x"}]}).encode(),
        "2번째 사용자의 password_hash",
    ),
    "a number with a space": (json.dumps({"users": [KIM | {"employee_id": "2024 001"}]}).encode(), "employee_id"),
    "long number": (json.dumps({"users": [KIM | {"employee_id": "9" * 33}]}).encode(), "1번째 사용자의 employee_id"),
    "lone surrogate": (b'{"users": [{"employee_id": "1", "name": "\\ud800"}]}', "1번째 사용자의 name"),
    "a number twice": (json.dumps({"users": [KIM, PARK, KIM | {"name": "다른 사람"}]}).encode(), "1번째와 3번째"),
    "a number twice with spaces": (json.dumps({"users": [KIM, KIM | {"employee_id": " 2024001 "}]}).encode(), "2번째"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_wrong_is_named(tmp_path: Path, kind: str) -> None:
    """One Korean line with the file, the entry and the field; no value, no number, no traceback."""
    content, says = BROKEN[kind]
    (tmp_path / "users.json").write_bytes(content)
    with pytest.raises(UsersFileError) as caught:
        read_users(tmp_path / "users.json")
    message = str(caught.value)
    assert message.startswith("users.json: ")
    assert says in message
    assert "\n" not in message
    assert "2024" not in message
    assert str(tmp_path) not in message


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_broken_file_keeps_the_last_good_users(
    accounts: AccountService, users_file: UsersFileSync, settings: Settings, kind: str
) -> None:
    """Everybody who could sign in still can, sessions go on, and the log names the entry once."""
    token = (await accounts.login("2024003", "박민수", None, Client())).token
    settings.users_file.write_bytes(BROKEN[kind][0])
    with structlog.testing.capture_logs() as logs:
        assert [await users_file.sync() for _ in range(3)] == [False, False, False]
    assert [(entry["event"], BROKEN[kind][1] in entry["problem"]) for entry in logs] == [("users_file_unusable", True)]
    assert await may_enter(accounts, KIM)
    assert await accounts.user_of(token) is not None


async def test_the_mended_file_counts(accounts: AccountService, users_file: UsersFileSync, settings: Settings) -> None:
    """After a broken one, the next good file is taken, and the people in it are the people."""
    settings.users_file.write_text("{", encoding="utf-8")
    await users_file.sync()
    write(settings.users_file, [KIM])
    assert await users_file.sync()
    assert (await may_enter(accounts, KIM), await may_enter(accounts, PARK)) == (True, False)


@pytest.mark.parametrize("how", ["missing", "folder"])
async def test_a_file_that_is_away_takes_nobodys_access(
    accounts: AccountService, users_file: UsersFileSync, settings: Settings, how: str
) -> None:
    """Deleted, as during a replacement, or something else in its place: nobody loses anything."""
    settings.users_file.unlink()
    if how == "folder":
        settings.users_file.mkdir()
    assert not await users_file.sync()
    assert await may_enter(accounts, PARK)


async def test_an_older_file_that_is_put_back_is_noticed(
    accounts: AccountService, users_file: UsersFileSync, settings: Settings
) -> None:
    """With the time and size of the one before, as a restore leaves it: the content differs, so it counts."""
    stat = settings.users_file.stat()
    same_size = settings.users_file.read_text(encoding="utf-8").replace('"user"', '"boss"').replace("박민수", "박민호")
    settings.users_file.write_text(same_size.replace('"boss"', '"user"'), encoding="utf-8")
    utime(settings.users_file, stat.st_mtime_ns)
    assert settings.users_file.stat().st_size == stat.st_size
    assert await users_file.sync()
    assert await may_enter(accounts, PARK | {"name": "박민호"})


def utime(path: Path, nanoseconds: int) -> None:
    os.utime(path, ns=(nanoseconds, nanoseconds))


async def test_an_unchanged_file_is_not_read_again(accounts: AccountService, users_file: UsersFileSync) -> None:
    """The look every two seconds costs nothing while nothing happens."""
    assert [await users_file.sync() for _ in range(3)] == [False, False, False]


async def test_a_database_fault_is_no_reason_to_forget(
    accounts: AccountService,
    users_file: UsersFileSync,
    engine: AsyncEngine,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the new users cannot be stored they are tried again, and then they are there."""

    def refuse(connection: object) -> None:
        connection.exec_driver_sql(READ_ONLY[connection.dialect.name])  # type: ignore[attr-defined]

    event.listen(engine.sync_engine, "begin", refuse)
    write(settings.users_file, [KIM])
    with pytest.raises(ServiceUnavailable):
        await users_file.sync()
    follow = Repeating("users-file", users_file.sync, 0.02)
    follow.start()
    await asyncio.sleep(0.1)
    event.remove(engine.sync_engine, "begin", refuse)
    # SQLite's connections stay read-only, even where a transaction only begins.
    await engine.dispose()
    for _ in range(100):
        await asyncio.sleep(0.02)
        if not await may_enter(accounts, PARK):
            break
    await follow.stop()
    assert (await may_enter(accounts, KIM), await may_enter(accounts, PARK)) == (True, False)


async def test_who_is_deleted_while_signing_in_stays_out(
    accounts: AccountService, users_file: UsersFileSync, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verifying a password takes a while; whoever is removed or changed meanwhile gets no session, and no fault."""

    async def removed_meanwhile(*_: object) -> bool:
        monkeypatch.undo()
        await users_file.sync()
        return True

    write(settings.users_file, [KIM, PARK | {"password_hash": HASH}])
    await users_file.sync()
    write(settings.users_file, [KIM])
    monkeypatch.setattr(Passwords, "matches", removed_meanwhile)
    with pytest.raises(AuthenticationFailed):
        await accounts.login("2024003", None, "any", Client())


async def test_everything_changes_together_or_not_at_all(
    accounts: AccountService, users_file: UsersFileSync, engine: AsyncEngine, settings: Settings
) -> None:
    """A fault after the first row leaves the old users as they were."""

    def fail_on_second(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO users"):
            raise RuntimeError("in the middle")

    event.listen(engine.sync_engine, "before_cursor_execute", fail_on_second)
    write(settings.users_file, [KIM | {"name": "바뀐 이름"}, PARK | {"employee_id": "2024009"}])
    with pytest.raises(RuntimeError):
        await users_file.sync()
    assert await may_enter(accounts, KIM)
    assert await may_enter(accounts, PARK)


def test_what_people_write_by_hand_is_understood(tmp_path: Path) -> None:
    """A byte order mark, spaces, further fields and a missing role: an ordinary user."""
    path = tmp_path / "users.json"
    person = {"employee_id": " 2024005 ", "name": " 최하나 ", "hired": "2024-01-01"}
    path.write_text(json.dumps({"users": [person], "note": "손으로 씀"}), encoding="utf-8-sig")
    (entry,) = read_users(path)
    assert (entry.user.employee_id, entry.user.name, entry.user.role) == ("2024005", "최하나", "user")
    assert entry.password_hash is None


def test_ten_thousand_people_are_read_quickly(tmp_path: Path) -> None:
    """Looking for repeated numbers does not compare everybody with everybody."""
    people = [PARK | {"employee_id": str(3_000_000 + number)} for number in range(10_000)]
    write(tmp_path / "users.json", [*people, people[0]])
    with pytest.raises(UsersFileError, match="1번째와 10001번째"):
        read_users(tmp_path / "users.json")


async def test_a_changed_password_ends_the_sessions_of_the_old_one(
    accounts: AccountService, users_file: UsersFileSync, settings: Settings
) -> None:
    """Whoever knew the old password is out; a changed department leaves the session and counts at once."""
    mine = (await accounts.login("2024003", "박민수", None, Client())).token
    write(settings.users_file, [KIM, PARK | {"department": "총무팀"}])
    await users_file.sync()
    user = await accounts.user_of(mine)
    assert user is not None
    assert user.department == "총무팀"
    write(settings.users_file, [KIM, PARK | {"password_hash": HASH}])
    await users_file.sync()
    assert await accounts.user_of(mine) is None


@pytest.mark.sqlite
async def test_nothing_of_a_password_reaches_an_error(engine: AsyncEngine, settings: Settings) -> None:
    """A database error names the statement without its values."""
    write(settings.users_file, [PARK | {"password_hash": HASH}])
    refuse = "CREATE TRIGGER refuse BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'refused'); END"
    async with engine.begin() as connection:
        await connection.exec_driver_sql(refuse)
    with pytest.raises(IntegrityError, match="refused") as caught:
        await UsersFileSync(engine, settings).sync()
    assert HASH[-20:] not in str(caught.value)
    assert "박민수" not in str(caught.value)


ACTOR = Client("10.0.0.1")


async def stored(directory: UserDirectory, number: str = "2024003") -> tuple[str, str, int]:
    account = await directory.get(number)
    return account.user.role, account.user.department, account.version


async def test_what_an_admin_changed_stays_until_the_file_says_otherwise(
    users_file: UsersFileSync, directory: UserDirectory, settings: Settings
) -> None:
    """Another field's change in the file, a restart and an untouched file leave it; the same field's change wins."""
    await directory.change("2024003", {"role": "owner", "department": "총무팀"}, 1, "2024001", ACTOR)
    write(settings.users_file, [KIM, PARK | {"name": "박민서"}])
    await users_file.sync()
    assert (await stored(directory))[:2] == ("owner", "총무팀")
    assert (await directory.get("2024003")).user.name == "박민서"
    write(settings.users_file, [KIM, PARK | {"name": "박민서", "role": "admin"}])
    await users_file.sync()
    assert (await stored(directory))[:2] == ("admin", "총무팀")


async def test_a_restart_undoes_nothing(
    users_file: UsersFileSync, directory: UserDirectory, engine: AsyncEngine, settings: Settings
) -> None:
    """A new process reads the same file and changes nothing."""
    await directory.change("2024003", {"role": "owner"}, 1, "2024001", ACTOR)
    before = await stored(directory)
    await UsersFileSync(engine, settings).sync()
    assert await stored(directory) == before


async def test_who_was_removed_here_does_not_come_back_by_themselves(
    accounts: AccountService, users_file: UsersFileSync, directory: UserDirectory, settings: Settings
) -> None:
    """Their session ends, the file that still names them does not bring them back, a changed entry does."""
    token = (await accounts.login("2024003", "박민수", None, Client())).token
    await directory.remove("2024003", 1, "2024001", ACTOR)
    assert await accounts.user_of(token) is None
    write(settings.users_file, [KIM | {"name": "김철호"}, PARK])
    await users_file.sync()
    assert not await may_enter(accounts, PARK)
    write(settings.users_file, [KIM, PARK | {"department": "총무팀"}])
    await users_file.sync()
    assert await may_enter(accounts, PARK)
    assert await accounts.user_of(token) is None


async def test_who_was_added_here_is_not_the_files_to_remove(
    accounts: AccountService, users_file: UsersFileSync, directory: UserDirectory, settings: Settings
) -> None:
    """A file without them says nothing about them; once it names them it is theirs to keep up."""
    choi = {"employee_id": "2024009", "name": "최하나", "department": "총무팀", "email": "", "role": "user"}
    await directory.add(User("2024009", "최하나", "총무팀", "", "user"), "2024001", ACTOR)
    write(settings.users_file, [KIM])
    await users_file.sync()
    assert await may_enter(accounts, choi)
    write(settings.users_file, [KIM, choi])
    await users_file.sync()
    write(settings.users_file, [KIM])
    await users_file.sync()
    assert not await may_enter(accounts, choi)


async def test_a_password_of_ones_own_outlives_the_files(
    accounts: AccountService, users_file: UsersFileSync, settings: Settings
) -> None:
    """The first one came with the file; once it was changed, editing the file's other fields keeps the new one."""
    write(settings.users_file, [KIM, PARK | {"password_hash": HASH}])
    await users_file.sync()
    me = (await accounts.login("2024003", None, "파란 자전거 일곱 대", Client())).user
    await accounts.change_password(me, "파란 자전거 일곱 대", "노란 우산 여섯 개", Client())
    for entry in (PARK | {"password_hash": HASH, "role": "owner"}, PARK | {"role": "owner"}):
        write(settings.users_file, [KIM, entry])
        await users_file.sync()
        assert (await accounts.login("2024003", None, "노란 우산 여섯 개", Client())).user.role == "owner"


async def test_two_admins_at_once(directory: UserDirectory) -> None:
    """The second one is told which version there is now, and nothing of the first one's change is lost."""
    results = await asyncio.gather(
        directory.change("2024003", {"role": "owner"}, 1, "2024001", ACTOR),
        directory.change("2024003", {"department": "총무팀"}, 1, "2024002", ACTOR),
        return_exceptions=True,
    )
    (refused,) = [result for result in results if isinstance(result, Conflict)]
    assert refused.details == {"version": 2}
    assert (await stored(directory))[2] == 2


async def test_the_last_admin_stays(directory: UserDirectory) -> None:
    """Neither demoted nor removed: somebody must be able to let people in."""
    with pytest.raises(Conflict, match="마지막 관리자"):
        await directory.change("2024001", {"role": "user"}, 1, "2024001", ACTOR)
    with pytest.raises(Conflict, match="마지막 관리자"):
        await directory.remove("2024001", 1, "2024001", ACTOR)
    await directory.change("2024003", {"role": "admin"}, 1, "2024001", ACTOR)
    await directory.remove("2024001", 1, "2024003", ACTOR)
    with pytest.raises(NotFound):
        await directory.get("2024001")
