"""Passwords, one-time links and own sessions, over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher

from endy.web.deps import DEVICE_COOKIE
from tests.databases import execute
from tests.web.conftest import PEOPLE, Client, sign_in
from tests.web.test_sessions import files_with

PASSWORD = "파란 자전거 일곱 대"
NEW = "노란 우산 여섯 개"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
async def http(client: Client, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a password and an admin."""
    async with client(rate_limit_per_minute=1000) as opened:
        people = [PEOPLE[0], PEOPLE[1] | {"password_hash": CHEAP.hash(PASSWORD)}]
        (tmp_path / "users.json").write_text(json.dumps({"users": people}), encoding="utf-8")
        await opened.app.state.services.users_file.sync()  # type: ignore[attr-defined]
        yield opened


async def enter(http: httpx.AsyncClient, password: str = PASSWORD, **headers: str) -> httpx.Response:
    body = {"employee_id": "2024003", "password": password}
    answer = await http.post("/api/login", json=body, headers=headers)
    http.cookies.clear()
    return answer


def bearer(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['session_token']}"}


async def who(http: httpx.AsyncClient, headers: dict[str, str]) -> int:
    return (await http.get("/api/me", headers=headers)).status_code


async def make_link(http: httpx.AsyncClient, number: str = "2024003") -> str:
    admin = await sign_in(http, "2024001", "김철수")
    answer = await http.post(f"/api/admin/users/{number}/password-link", headers=admin)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["path"]).removeprefix("/set-password#")


async def test_a_changed_password_ends_every_other_session(http: httpx.AsyncClient) -> None:
    """The one who changed it goes on with a new token; every token from before is worth nothing."""
    desk, phone = bearer(await enter(http)), bearer(await enter(http))
    body = {"current_password": PASSWORD, "new_password": NEW}
    changed = bearer(await http.post("/api/password", json=body, headers=desk))
    assert [await who(http, token) for token in (desk, phone, changed)] == [401, 401, 200]
    assert (await enter(http)).status_code == 401
    assert (await enter(http, NEW)).status_code == 200


async def test_a_wrong_current_password_changes_nothing(http: httpx.AsyncClient) -> None:
    """Who finds an open browser cannot take the account, nor guess on: five tries a minute, as at the door."""
    me = bearer(await enter(http))
    body = {"current_password": "틀린 비밀번호예요", "new_password": NEW}
    statuses = [(await http.post("/api/password", json=body, headers=me)).status_code for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    assert await who(http, me) == 200


@pytest.mark.parametrize("new", ["짧아요", "password123!", "2024003박민수!"])
async def test_a_weak_new_password_is_explained(http: httpx.AsyncClient, new: str) -> None:
    """422 with the field and a sentence; the old password and the session go on."""
    me = bearer(await enter(http))
    body = {"current_password": PASSWORD, "new_password": new}
    refused = await http.post("/api/password", json=body, headers=me)
    assert (refused.status_code, refused.json()["error"]) == (422, "validation_error")
    assert refused.json()["details"]["fields"][0]["field"] == "new_password"
    assert new not in refused.text
    assert await who(http, me) == 200


async def test_the_first_password_comes_by_a_link(http: httpx.AsyncClient) -> None:
    """Without a password there is no way in; the link sets one, once, and signs in."""
    token = await make_link(http, "2024001")
    body = {"token": token, "new_password": NEW}
    answer = await http.post("/api/password/link", json=body)
    assert await who(http, bearer(answer)) == 200
    again = await http.post("/api/password/link", json=body)
    assert (again.status_code, again.json()["error"]) == (404, "not_found")
    signed_in = await http.post("/api/login", json={"employee_id": "2024001", "password": NEW})
    assert signed_in.status_code == 200


async def test_a_link_used_twice_at_once_counts_once(http: httpx.AsyncClient) -> None:
    """Of two who hold the same link one sets the password; the other is refused."""
    token = await make_link(http)
    bodies = [{"token": token, "new_password": f"{NEW} {n}"} for n in range(4)]
    answers = await asyncio.gather(*(http.post("/api/password/link", json=body) for body in bodies))
    assert [answer.status_code for answer in answers].count(200) == 1


async def test_a_weak_password_does_not_use_the_link_up(http: httpx.AsyncClient) -> None:
    """One may try again with a better one."""
    token = await make_link(http)
    for new, status in (("password123!", 422), (NEW, 200)):
        answer = await http.post("/api/password/link", json={"token": token, "new_password": new})
        assert answer.status_code == status


async def test_old_replaced_and_made_up_links_answer_alike(http: httpx.AsyncClient, database_url: str) -> None:
    """A newer link, a day, a removed person and fantasy: the same 404 for all."""
    first = await make_link(http)
    await make_link(http)
    answers = [await http.post("/api/password/link", json={"token": first, "new_password": NEW})]
    late = await make_link(http)
    execute(database_url, "UPDATE password_links SET expires_at = '2020-01-01 00:00:00.000000'")
    bodies = [{"token": text, "new_password": NEW} for text in (late, "x")]
    answers += [await http.post("/api/password/link", json=body) for body in bodies]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1


async def test_the_token_of_a_link_is_stored_nowhere(http: httpx.AsyncClient, tmp_path: Path) -> None:
    """The database holds its hash, the log nothing."""
    token = await make_link(http)
    assert files_with(tmp_path, "2024003"), "the search itself must find what is there"
    assert not files_with(tmp_path, token)


async def test_own_sessions_are_listed_and_ended(http: httpx.AsyncClient) -> None:
    """Each with its device and address; the current one is marked; another's cannot be named."""
    desk = bearer(await enter(http, **{"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36"}))
    phone = bearer(await enter(http, **{"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19) Version/19 Safari/1"}))
    admin = await sign_in(http, "2024001", "김철수")
    shown = (await http.get("/api/sessions", headers=desk)).json()["sessions"]
    assert {session["device"]: session["current"] for session in shown} == {
        "Chrome · Windows": True,
        "Safari · iPhone": False,
    }
    assert {(session["method"], session["address"]) for session in shown} == {("password", "127.0.0.1")}
    other = next(session["id"] for session in shown if not session["current"])
    assert (await http.delete(f"/api/sessions/{other}", headers=admin)).status_code == 404
    assert (await http.delete(f"/api/sessions/{other}", headers=desk)).status_code == 200
    assert (await http.delete(f"/api/sessions/{other}", headers=desk)).status_code == 404
    assert [await who(http, token) for token in (desk, phone, admin)] == [200, 401, 200]


async def test_logging_out_everywhere(http: httpx.AsyncClient) -> None:
    """All own sessions end, this one too; nobody else's does."""
    tokens = [bearer(await enter(http)) for _ in range(3)]
    admin = await sign_in(http, "2024001", "김철수")
    answer = await http.delete("/api/sessions", headers=tokens[0])
    assert answer.json()["ended"] == 3
    assert [await who(http, token) for token in (*tokens, admin)] == [401, 401, 401, 200]


async def test_an_admin_ends_somebodys_sessions(http: httpx.AsyncClient) -> None:
    """For a lost phone; of somebody who does not exist there is nothing to end."""
    me, admin = bearer(await enter(http)), await sign_in(http, "2024001", "김철수")
    assert (await http.delete("/api/admin/users/2024003/sessions", headers=admin)).json()["ended"] == 1
    assert [await who(http, token) for token in (me, admin)] == [401, 200]
    assert (await http.delete("/api/admin/users/nobody/sessions", headers=admin)).status_code == 404


async def test_a_new_role_counts_with_the_next_call(http: httpx.AsyncClient) -> None:
    """A demoted admin's session ends; what it could read before is closed at once."""
    admin, me = await sign_in(http, "2024001", "김철수"), bearer(await enter(http))
    changed = await http.patch("/api/admin/users/2024003", json={"version": 2, "role": "admin"}, headers=admin)
    assert changed.status_code == 200, changed.text
    assert await who(http, me) == 401
    me = bearer(await enter(http))
    assert (await http.get("/api/feedback/stats", headers=me)).status_code == 200
    version = changed.json()["user"]["version"]
    await http.patch("/api/admin/users/2024003", json={"version": version, "role": "user"}, headers=admin)
    assert (await http.get("/api/feedback/stats", headers=me)).status_code == 401


async def test_an_old_hash_is_renewed_at_login(http: httpx.AsyncClient, database_url: str) -> None:
    """Nobody notices: the session stays, the password stays, the stored hash is today's kind."""
    me = bearer(await enter(http))
    ((stored,),) = execute(database_url, "SELECT password_hash FROM users WHERE employee_id='2024003'")
    assert "m=19456,t=2,p=1" in stored
    assert await who(http, me) == 200
    assert (await enter(http)).status_code == 200


async def test_guessing_is_slowed_and_the_owner_gets_in(http: httpx.AsyncClient) -> None:
    """The sixth wrong password of a minute is a 429 with the wait; a browser that knows the account is not kept out."""
    good = await http.post("/api/login", json={"employee_id": "2024003", "password": PASSWORD})
    device = good.cookies[DEVICE_COOKIE]
    http.cookies.clear()
    answers = [await enter(http, "틀린 비밀번호예요") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[-1].json()["error"] == "rate_limit_exceeded"
    assert (await enter(http)).status_code == 429
    assert (await enter(http, Cookie=f"{DEVICE_COOKIE}={device}")).status_code == 200


async def test_users_are_managed_by_admins(http: httpx.AsyncClient) -> None:
    """Added, found, changed, removed; the answers never hold a hash."""
    admin = await sign_in(http, "2024001", "김철수")
    new = {"employee_id": "2024010", "name": "최하나", "department": "총무팀", "role": "owner", "owns": ["총무"]}
    added = await http.post("/api/admin/users", json=new, headers=admin)
    assert (added.status_code, added.json()["user"]["owns"]) == (201, ["총무"])
    assert (await http.post("/api/admin/users", json=new, headers=admin)).status_code == 409
    found = (await http.get("/api/admin/users?q=하나", headers=admin)).json()
    assert [user["employee_id"] for user in found["users"]] == ["2024010"]
    first = (await http.get("/api/admin/users?limit=2", headers=admin)).json()
    rest = (await http.get(f"/api/admin/users?limit=2&cursor={first['next_cursor']}", headers=admin)).json()
    numbers = [user["employee_id"] for user in first["users"] + rest["users"]]
    assert numbers == ["2024001", "2024003", "2024010"]
    stale = await http.patch("/api/admin/users/2024010", json={"version": 9, "name": "최두나"}, headers=admin)
    assert (stale.status_code, stale.json()["details"]) == (409, {"version": 1})
    assert (await http.delete("/api/admin/users/2024010?version=1", headers=admin)).status_code == 200
    assert (await http.delete("/api/admin/users/2024010?version=1", headers=admin)).status_code == 404
    assert "argon2" not in (await http.get("/api/admin/users", headers=admin)).text


@pytest.mark.parametrize(
    "body",
    [
        {"employee_id": "a b", "name": "x"},
        {"employee_id": "1/2", "name": "x"},
        {"employee_id": "1|2", "name": "x"},
        {"employee_id": "", "name": "x"},
        {"employee_id": "1", "name": " "},
        {"employee_id": "1", "name": "x", "role": "root"},
        {"employee_id": "1", "name": "x", "password_hash": "$argon2id$"},
        {"employee_id": "1", "name": "\x00"},
        {"employee_id": "1", "name": "x", "owns": ["y"] * 101},
    ],
)
async def test_a_user_that_cannot_be_is_refused(http: httpx.AsyncClient, body: dict[str, object]) -> None:
    """Before anything is stored, with the field that is wrong."""
    admin = await sign_in(http, "2024001", "김철수")
    assert (await http.post("/api/admin/users", json=body, headers=admin)).status_code == 422


async def test_a_house_that_nobody_can_enter_says_how(client: Client, tmp_path: Path) -> None:
    """Before any admin has a password, the log names the command that makes a link; afterwards it is quiet."""
    for passwords, warned in (({}, True), ({"password_hash": CHEAP.hash(PASSWORD)}, False)):
        people = [PEOPLE[0] | passwords, PEOPLE[1]]
        (tmp_path / "users.json").write_text(json.dumps({"users": people}), encoding="utf-8")
        (tmp_path / "endy.log").unlink(missing_ok=True)
        async with client(environment="production", secret_key="k" * 40):
            pass
        assert ("endy users link" in (tmp_path / "endy.log").read_text(encoding="utf-8")) is warned
