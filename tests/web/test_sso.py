"""Sign-in with the company's account over HTTP, against a real provider process and a lying one."""

import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from endy.settings import Settings
from endy.web.api.sso import SLOTS
from endy.web.app import create_app
from tests.accounts.lying import CLIENT, SECRET, LyingProvider, provider_server, reply, signed
from tests.web.conftest import Client

KIM = {"email": "a@encar.example", "email_verified": True, "name": "김철수"}
Application = AbstractAsyncContextManager[httpx.AsyncClient]


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The issuer of `oidc-provider-mock`, running as a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "oidc_provider_mock",
        "--port",
        str(port),
        "--require-nonce",
        "true",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    issuer = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{issuer}/.well-known/openid-configuration", process)
        yield issuer
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        assert process.poll() is None, "the provider did not start"
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the provider does not answer")


@pytest.fixture
def open_app(provider: str, client: Client) -> Callable[..., Application]:
    def run(**values: Any) -> Application:
        given = {"oidc_issuer": provider, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET, "auth_mode": "oidc"}
        return client(**(given | values))

    return run


async def agree(start: httpx.Response, claims: dict[str, Any], **form: str) -> str:
    """What the provider sends the browser back to, once somebody with these claims has agreed there."""
    url = start.headers["location"]
    subject = form.get("sub") or secrets.token_hex(4)
    async with httpx.AsyncClient() as browser:
        issuer = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        await browser.put(f"{issuer}/users/{subject}", json=claims)
        answer = await browser.post(url, data={"sub": subject} | form)
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


async def come_in(http: httpx.AsyncClient, claims: dict[str, Any], *, wanted: str = "/", **form: str) -> httpx.Response:
    start = await http.get("/api/sso/login", params={"next": wanted})
    return await http.get(await agree(start, claims, **form))


def code_of(answer: httpx.Response) -> str:
    """Why somebody was sent back to the front page without a session."""
    assert answer.status_code == 302, answer.text
    assert "endy_session" not in answer.headers.get("set-cookie", "")
    return parse_qs(urlsplit(answer.headers["location"]).query)["sso_error"][0]


async def test_somebody_signs_in(open_app: Callable[..., Application]) -> None:
    """To the provider and back: the session is open, the page that was wanted comes, the way's cookie is gone."""
    async with open_app() as http:
        answer = await come_in(http, KIM, wanted="/?q=연차")
        assert (answer.status_code, answer.headers["location"]) == (302, "/?q=%EC%97%B0%EC%B0%A8")
        me = (await http.get("/api/me")).json()["user"]
        assert (me["employee_id"], me["name"]) == ("2024001", "김철수")
        sessions = (await http.get("/api/sessions")).json()["sessions"]
        assert [session["method"] for session in sessions] == ["sso"]
        assert not [name for name in http.cookies if name.startswith("endy_sso")]
        assert 'sso_sign_ins_total{result="ok"} 1.0' in (await http.get("/metrics")).text


async def test_the_cookie_of_the_way(open_app: Callable[..., Application]) -> None:
    """No script reads it, no other site and no other path gets it, and it is over in ten minutes."""
    async with open_app() as http:
        cookie = (await http.get("/api/sso/login")).headers["set-cookie"]
    assert re.fullmatch(r"endy_sso_\d=[\w.-]+; HttpOnly; Max-Age=600; Path=/api/sso; SameSite=lax", cookie)


async def test_production_sends_the_cookie_by_https_only(provider: str, make_settings: Callable[..., Settings]) -> None:
    """The flag is there as soon as the environment says so; what production demands besides is left out here."""
    settings = make_settings(oidc_issuer=provider, oidc_client_id=CLIENT, oidc_client_secret=SECRET)
    app = create_app(settings.model_copy(update={"environment": "production"}))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://endy.test") as http,
    ):
        start = await http.get("/api/sso/login")
        assert start.headers["set-cookie"].endswith("; Secure")
        back = await http.get(await agree(start, KIM))
    assert back.headers["location"] == "/"
    assert all(cookie.endswith("; Secure") for cookie in back.headers.get_list("set-cookie"))


async def test_a_person_is_known_again(open_app: Callable[..., Application]) -> None:
    """By who they are, not by their address: it may change, or stop being verified."""
    async with open_app() as http:
        await come_in(http, KIM, sub="kim")
        http.cookies.clear()
        await come_in(http, {"email": "new@encar.example", "email_verified": False}, sub="kim")
        assert (await http.get("/api/me")).json()["user"]["employee_id"] == "2024001"


async def test_an_unverified_address_takes_no_account(open_app: Callable[..., Application]) -> None:
    """Whoever writes an admin's address into their profile becomes somebody new, or nobody."""
    claims = KIM | {"email_verified": False}
    async with open_app() as http:
        await come_in(http, claims)
        me = (await http.get("/api/me")).json()["user"]
        assert (me["employee_id"][:4], me["role"]) == ("sso-", "user")
    async with open_app(oidc_create_users=False) as http:
        assert code_of(await come_in(http, claims)) == "not_allowed"
        assert (await http.get("/api/me")).status_code == 401


async def test_a_provider_that_verifies_nothing_can_be_trusted(open_app: Callable[..., Application]) -> None:
    """Some never say whether an address is verified; then a setting decides."""
    claims = {"email": "a@encar.example"}
    async with open_app(oidc_create_users=False) as http:
        assert code_of(await come_in(http, claims)) == "not_allowed"
    async with open_app(oidc_create_users=False, oidc_trust_email=True) as http:
        assert (await come_in(http, claims)).headers["location"] == "/"


async def test_roles_come_from_groups(open_app: Callable[..., Application]) -> None:
    """An admin by group reads what admins read, and no longer once the group is gone."""
    async with open_app(oidc_admin_groups="endy-admins", oidc_role_claim="roles") as http:
        park = {"email": "b@encar.example", "email_verified": True}
        await come_in(http, park | {"roles": ["endy-admins"]}, sub="park")
        assert (await http.get("/api/admin/users")).status_code == 200
        await come_in(http, park | {"roles": []}, sub="park")
        assert (await http.get("/api/admin/users")).status_code == 403


async def test_the_employee_number_leads_to_the_account(open_app: Callable[..., Application]) -> None:
    """With the claim that holds it, whatever the address."""
    async with open_app(oidc_employee_claim="empno") as http:
        await come_in(http, {"email": "other@encar.example", "empno": "2024003"})
        assert (await http.get("/api/me")).json()["user"]["name"] == "박민수"


async def test_other_domains_stay_outside(open_app: Callable[..., Application]) -> None:
    """Of all whom the provider knows, only the company's."""
    async with open_app(oidc_allowed_domains="encar.example") as http:
        assert code_of(await come_in(http, KIM | {"email": "a@gmail.example"})) == "not_allowed"
        assert (await come_in(http, KIM)).headers["location"] == "/"


async def test_somebody_changes_their_mind(open_app: Callable[..., Application]) -> None:
    """Cancelling at the provider leads back to the page, and another try works."""
    async with open_app() as http:
        start = await http.get("/api/sso/login")
        back = await agree(start, KIM, action="deny")
        state = parse_qs(urlsplit(start.headers["location"]).query)["state"][0]
        back = back if "state=" in back else f"{back}&state={state}"
        assert code_of(await http.get(back)) == "cancelled"
        assert (await come_in(http, KIM)).headers["location"] == "/"
        metrics = (await http.get("/metrics")).text
    assert 'sso_sign_ins_total{result="cancelled"} 1.0' in metrics


async def test_a_callback_works_once_and_in_one_browser(open_app: Callable[..., Application]) -> None:
    """Repeated, opened elsewhere, or with the state of another: no session."""
    async with open_app() as http:
        back = await agree(await http.get("/api/sso/login"), KIM)
        cookies = dict(http.cookies)
        http.cookies.clear()
        assert code_of(await http.get(back)) == "expired"
        http.cookies.update(cookies)
        assert (await http.get(back)).headers["location"] == "/"
        http.cookies.clear()
        assert code_of(await http.get(back)) == "expired"
        http.cookies.update(cookies)
        assert code_of(await http.get(back)) == "failed"
        http.cookies.clear()
        names = {name: next(iter(cookies.values())) for name in (f"endy_sso_{slot}" for slot in range(SLOTS))}
        http.cookies.update(names)
        other = re.sub(r"state=[^&]*", "state=another", back)
        assert code_of(await http.get(other)) == "failed"
        assert (await http.get("/api/me")).status_code == 401


async def test_two_tabs_at_once(open_app: Callable[..., Application]) -> None:
    """Both come in, as each sign-in under way has its own cookie."""
    async with open_app() as http:
        for _ in range(20):
            # Both anew each time: two that share a cookie by chance leave only the later one.
            first = await http.get("/api/sso/login", params={"next": "/?q=1"})
            second = await http.get("/api/sso/login", params={"next": "/?q=2"})
            if second.headers["set-cookie"][:10] != first.headers["set-cookie"][:10]:
                break
        for start, wanted in ((first, "/?q=1"), (second, "/?q=2")):
            assert (await http.get(await agree(start, KIM, sub="two-tabs"))).headers["location"] == wanted


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example"])
async def test_nobody_is_sent_elsewhere(open_app: Callable[..., Application], wanted: str) -> None:
    """A link to the sign-in that names another site ends on our own front page."""
    async with open_app() as http:
        assert (await come_in(http, KIM, wanted=wanted)).headers["location"] == "/"


async def test_only_the_provider_signs_in(open_app: Callable[..., Application]) -> None:
    """With AUTH_MODE=oidc neither number and name nor a password opens a session."""
    async with open_app() as http:
        for body in ({"name": "김철수"}, {"password": "x" * 12}):
            answer = await http.post("/api/login", json={"employee_id": "2024001"} | body)
            assert (answer.status_code, answer.json()["error"]) == (401, "authentication_failed")


async def test_without_a_provider_there_is_no_such_door(client: Client) -> None:
    """404 in the usual format."""
    async with client() as http:
        for path in ("/api/sso/login", "/api/sso/callback"):
            assert (await http.get(path)).json()["error"] == "not_found"


@pytest.fixture(scope="module")
def new_liar() -> Iterator[Callable[[], LyingProvider]]:
    with provider_server() as fresh:
        yield fresh


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "down": ({"replies": {"/token": reply("", 503)}}, "provider_unavailable"),
    "html": ({"replies": {"/token": reply("<html>")}}, "provider_unavailable"),
    "issuer": ({"claims": {"iss": "https://evil.example"}}, "failed"),
    "nonce": ({"claims": {"nonce": "0"}}, "failed"),
    "audience": ({"claims": {"aud": "other"}}, "failed"),
    "expired": ({"claims": {"exp": 1}}, "failed"),
    "unknown-key": ({"sign": signed(kid="unknown")}, "failed"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lying_provider_is_told_and_counted(
    new_liar: Callable[[], LyingProvider], client: Client, tmp_path: Path, lie: str
) -> None:
    """People land on the page with a code; the log says why without a word of the token; nobody gets a session."""
    liar, (lies, reason) = new_liar(), LIES[lie]
    liar.claims = {"email": "secret-address@encar.example"}
    async with client(oidc_issuer=liar.issuer, oidc_client_id=CLIENT, oidc_client_secret=SECRET) as http:
        start = await http.get("/api/sso/login")
        answer = liar.consent(start.headers["location"])
        for name, value in lies.items():
            setattr(liar, name, value)
        back = await http.get("/api/sso/callback", params={"code": answer.code or "", "state": answer.state or ""})
        assert code_of(back) == reason
        assert f'sso_sign_ins_total{{result="{reason}"}} 1.0' in (await http.get("/metrics")).text
    log = (tmp_path / "endy.log").read_text(encoding="utf-8")
    assert "sso_refused" in log
    assert not [word for word in (answer.code, answer.state, "secret-address", SECRET, "eyJ") if str(word) in log]


async def test_a_provider_that_is_away_at_the_start(client: Client) -> None:
    """The click leads back to the page with a code, and costs nobody a stack trace."""
    async with client(oidc_issuer="http://127.0.0.1:9", oidc_client_id=CLIENT) as http:
        assert code_of(await http.get("/api/sso/login")) == "provider_unavailable"
        assert (await http.get("/")).status_code == 200
