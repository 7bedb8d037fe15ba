"""Sessions: how long they last, what ends them, where the token is, and who may use the cookie."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event

from endy.accounts.passwords import _NOBODY, _hasher
from endy.web.deps import SESSION_COOKIE
from tests.databases import READ_ONLY, execute
from tests.web.conftest import PEOPLE, Client, sign_in

LOGIN = {"employee_id": "2024003", "name": "박민수"}


@pytest.fixture
async def http(client: Client) -> AsyncIterator[httpx.AsyncClient]:
    async with client(rate_limit_per_minute=1000) as opened:
        yield opened


def pass_time(database_url: str, **span: float) -> None:
    """Move all sessions into the past by so much, which is what a moved clock comes to."""
    for token_hash, *times in execute(
        database_url, "SELECT token_hash, created_at, last_seen_at, expires_at FROM sessions"
    ):
        created, seen, ends = [str(datetime.fromisoformat(str(at)) - timedelta(**span)) for at in times]
        moved = f"created_at='{created}', last_seen_at='{seen}', expires_at='{ends}'"
        execute(database_url, f"UPDATE sessions SET {moved} WHERE token_hash='{token_hash}'")  # noqa: S608


def cookie_of(response: httpx.Response, name: str = SESSION_COOKIE) -> Morsel[str]:
    given = [line for line in response.headers.get_list("set-cookie") if f"{name}=" in line]
    return SimpleCookie(given[0])[name]


async def who(http: httpx.AsyncClient, headers: dict[str, str]) -> int:
    return (await http.get("/api/me", headers=headers)).status_code


async def test_a_session_lasts_eight_hours_from_its_last_use(http: httpx.AsyncClient, database_url: str) -> None:
    """Used every seven hours it lasts for days; unused for eight it is over for good."""
    me = await sign_in(http, "2024003", "박민수")
    for _ in range(10):
        pass_time(database_url, hours=7)
        assert await who(http, me) == 200
    pass_time(database_url, hours=8, seconds=1)
    assert await who(http, me) == 401
    assert await who(http, me) == 401


async def test_just_under_eight_hours_is_not_over(http: httpx.AsyncClient, database_url: str) -> None:
    """The last minute still counts, and asking prolongs as any other call does."""
    me = await sign_in(http, "2024003", "박민수")
    pass_time(database_url, hours=7, minutes=59)
    assert (await http.post("/api/ask", json={"question": "주차"}, headers=me)).status_code == 200
    pass_time(database_url, hours=7, minutes=59)
    assert await who(http, me) == 200


async def test_even_a_session_in_use_ends_one_day(client: Client, database_url: str) -> None:
    """SESSION_MAX_HOURS counts from the login, whatever happened since, and the list does not show what is over."""
    async with client(session_max_hours=24) as http:
        me = await sign_in(http, "2024003", "박민수")
        for _ in range(3):
            pass_time(database_url, hours=7)
            assert await who(http, me) == 200
        pass_time(database_url, hours=3, seconds=1)
        assert await who(http, me) == 401
        me = await sign_in(http, "2024003", "박민수")
        assert len((await http.get("/api/sessions", headers=me)).json()["sessions"]) == 1


async def test_the_operator_sets_how_long(client: Client, database_url: str) -> None:
    """SESSION_TIMEOUT_HOURS=1 ends a session after an hour."""
    async with client(session_timeout_hours=1) as http:
        me = await sign_in(http, "2024003", "박민수")
        pass_time(database_url, minutes=59)
        assert await who(http, me) == 200
        pass_time(database_url, minutes=61)
        assert await who(http, me) == 401


async def test_sessions_that_are_over_are_cleared_away(http: httpx.AsyncClient, database_url: str) -> None:
    """The next login deletes what has expired, so the table does not grow for ever."""
    for _ in range(3):
        await sign_in(http, "2024003", "박민수")
    pass_time(database_url, hours=9)
    await sign_in(http, "2024001", "김철수")
    assert execute(database_url, "SELECT count(*) FROM sessions") == [(1,)]


async def test_logout_ends_this_session_and_no_other(http: httpx.AsyncClient) -> None:
    """Twice is as good as once, without a session it succeeds, and the phone stays signed in."""
    desk, phone = [await sign_in(http, "2024003", "박민수") for _ in range(2)]
    for _ in range(2):
        assert (await http.post("/api/logout", headers=desk)).status_code == 200
    assert (await http.post("/api/logout")).status_code == 200
    assert (await who(http, desk), await who(http, phone)) == (401, 200)


async def test_a_deleted_user_is_out_with_the_next_call(http: httpx.AsyncClient, tmp_path: Path) -> None:
    """Who is no longer in users.json has no session, sees nothing of the department and cannot come back."""
    me, admin = await sign_in(http, "2024003", "박민수"), await sign_in(http, "2024001", "김철수")
    (tmp_path / "users.json").write_text(json.dumps({"users": PEOPLE[:1]}), encoding="utf-8")
    await http.app.state.services.users_file.sync()  # type: ignore[attr-defined]
    assert (await who(http, me), await who(http, admin)) == (401, 200)
    assert (await http.post("/api/login", json=LOGIN)).status_code == 401
    (tmp_path / "users.json").write_text(json.dumps({"users": PEOPLE}), encoding="utf-8")
    await http.app.state.services.users_file.sync()  # type: ignore[attr-defined]
    assert await who(http, me) == 401, "an old session must not come back with its user"


async def test_the_file_is_followed_while_endy_runs(http: httpx.AsyncClient, tmp_path: Path) -> None:
    """Nobody has to call anything: a saved users.json counts within seconds."""
    me = await sign_in(http, "2024003", "박민수")
    (tmp_path / "users.json").write_text(json.dumps({"users": PEOPLE[:1]}), encoding="utf-8")
    for _ in range(60):
        if await who(http, me) == 401:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the deleted user is still signed in after six seconds")


def files_with(folder: Path, text: str) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_file() and text.encode() in path.read_bytes()]


async def test_the_token_is_nowhere_in_clear(http: httpx.AsyncClient, tmp_path: Path) -> None:
    """Not in the database or its log files, not in Endy's log: only its hash is stored."""
    me = await sign_in(http, "2024003", "박민수")
    token = me["Authorization"].removeprefix("Bearer ")
    assert len(token) >= 43
    assert files_with(tmp_path, "2024003"), "the search itself must find what is there"
    await who(http, me)
    await http.post("/api/logout", headers=me)
    await sign_in(http, "2024003", "박민수")
    assert not files_with(tmp_path, token)


async def test_the_stored_hash_does_not_sign_in(http: httpx.AsyncClient, database_url: str) -> None:
    """Whoever reads the database gets nobody's session; nor do made-up, long or strange tokens."""
    await sign_in(http, "2024003", "박민수")
    ((stored,),) = execute(database_url, "SELECT token_hash FROM sessions")
    for token in (stored, "x", "' OR 1=1 --", "a" * 8000, "", "\xff\xfe"):
        answer = await http.get("/api/me", headers=[(b"Authorization", b"Bearer " + token.encode("latin-1"))])
        assert answer.status_code == 401, token[:20]
        answer = await http.get("/api/me", headers=[(b"Cookie", f"{SESSION_COOKIE}={token}".encode("latin-1"))])
        assert answer.status_code == 401, token[:20]


async def test_the_cookie_is_safe_and_outlives_every_session_in_use(client: Client) -> None:
    """No script reads it, other sites do not send it, production keeps it to HTTPS; the server decides its end."""
    async with client() as http:
        cookie = cookie_of(await http.post("/api/login", json=LOGIN))
        away = cookie_of(await http.post("/api/logout"))
    assert cookie["httponly"]
    assert cookie["samesite"].lower() == "lax"
    assert cookie["path"] == "/"
    assert not cookie["secure"]
    assert int(cookie["max-age"]) > 8 * 3600
    assert (away.value, away["max-age"]) == ("", "0")


async def test_production_keeps_the_cookie_to_https(client: Client, tmp_path: Path) -> None:
    """Password login in production sets a Secure cookie; a wrong password and a missing one are refused alike."""
    people = [PEOPLE[0], PEOPLE[1] | {"password_hash": _hasher.hash("맞는 비밀번호")}]
    async with client(environment="production", secret_key="k" * 40) as http:
        (tmp_path / "users.json").write_text(json.dumps({"users": people}), encoding="utf-8")
        await http.app.state.services.users_file.sync()  # type: ignore[attr-defined]
        good = await http.post("/api/login", json={"employee_id": "2024003", "password": "맞는 비밀번호"})
        bad = [
            await http.post("/api/login", json={"employee_id": number, "password": "틀린 비밀번호"})
            for number in ("2024003", "2024001", "9999999")
        ]
    cookie = cookie_of(good, f"__Host-{SESSION_COOKIE}")
    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
    assert {answer.status_code for answer in bad} == {401}
    assert len({answer.text for answer in bad}) == 1


def test_an_unknown_number_takes_as_long_as_a_wrong_password() -> None:
    """The hash that is verified for nobody is a real one of the same cost, so time tells nothing."""
    mine = _hasher.hash("x").split("$")[1:4]
    assert _NOBODY.split("$")[1:4] == mine
    with pytest.raises(Exception, match="does not match"):
        _hasher.verify(_NOBODY, "x")


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.test"},
    {"Origin": "null"},
    {"Origin": "http://endy.test.evil.test"},
    {"Origin": "http://endy.test:8080"},
    {"Origin": "http://endy.test@evil.test"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://endy.test"},
    {"Origin": "https://evil.test", "Authorization": "Basic eDp5"},
]
OWN = [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://endy.test"}]


async def test_other_origins_cannot_use_the_cookie(http: httpx.AsyncClient) -> None:
    """Every door that changes something refuses a cookie sent from elsewhere, before it does anything."""
    await http.post("/api/login", json=LOGIN)
    asked = (await http.post("/api/ask", json={"question": "주차"})).json()["question_id"]
    doors: dict[tuple[str, str], object] = {
        ("POST", "/api/ask"): {"question": "주차"},
        ("POST", "/api/ask/stream"): {"question": "주차"},
        ("POST", "/api/feedback"): {"question_id": asked, "is_helpful": False},
        ("POST", "/api/feedback/detailed"): {"question_id": asked, "reasons": ["wrong"]},
        ("POST", "/api/password"): {"current_password": "x", "new_password": "y"},
        ("POST", "/api/admin/users"): {"employee_id": "1", "name": "x"},
        ("PATCH", "/api/admin/users/2024001"): {"version": 1, "role": "user"},
        ("DELETE", "/api/admin/users/2024001?version=1"): None,
        ("POST", "/api/admin/users/2024001/password-link"): None,
        ("DELETE", "/api/sessions/0"): None,
        ("DELETE", "/api/sessions"): None,
        ("POST", "/api/logout"): None,
    }
    for (method, path), body in doors.items():
        for headers in FOREIGN:
            answer = await http.request(method, path, json=body, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_permissions"), (path, headers)
    metrics = (await http.get("/metrics")).text
    assert "feedback_total{" not in metrics
    assert (await http.get("/api/me")).status_code == 200, "the foreign logout must not have counted"


async def test_ones_own_page_and_programs_may(http: httpx.AsyncClient) -> None:
    """The page itself, curl, and a Bearer token from anywhere, which no foreign page could know."""
    me = await sign_in(http, "2024003", "박민수")
    for headers in FOREIGN[:8]:
        assert (await http.post("/api/ask", json={"question": "주차"}, headers=headers | me)).status_code == 200
    await http.post("/api/login", json=LOGIN)
    for headers in OWN:
        assert (await http.post("/api/ask", json={"question": "주차"}, headers=headers)).status_code == 200
    for headers in FOREIGN:
        assert (await http.get("/api/me", headers=headers)).status_code == 200, "reading is CORS's business"


async def test_a_database_that_cannot_be_written_turns_nobody_away(
    http: httpx.AsyncClient, tmp_path: Path, database_url: str
) -> None:
    """Prolonging a session is a write; when it fails, the session still counts as long as it would have."""
    me = await sign_in(http, "2024003", "박민수")
    pass_time(database_url, hours=1)
    engine = http.app.state.services.engine.sync_engine  # type: ignore[attr-defined]
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(READ_ONLY[connection.dialect.name]))
    assert await who(http, me) == 200
    assert "session_not_prolonged" in (tmp_path / "endy.log").read_text(encoding="utf-8")
    pass_time(database_url, hours=7, seconds=1)
    assert await who(http, me) == 401
