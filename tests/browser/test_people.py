"""Signing in and out in a real browser, against the real application and a real identity provider."""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from argon2 import PasswordHasher
from playwright.async_api import Page, expect

from endy.bootstrap import running_services
from endy.settings import Settings
from endy.web.app import create_app
from endy.web.server import _config
from tests.accounts.lying import CLIENT, SECRET
from tests.web.conftest import DOCUMENT, FAQS, PEOPLE
from tests.web.test_sso import provider

from .conftest import DESKTOP, PHONE, Visit, ask, ask_and_wait
from .test_accessibility import AXE, GRAVE, RULES

__all__ = ["provider"]
pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "파란 자전거 일곱 대"
NEW = "노란 우산 여섯 개"
PARK = "2024003"
QUESTION = "병가 서류 언제까지 올려?"
Visiting = Callable[..., Awaitable[Visit]]


@dataclass
class House:
    """The application behind its real server, and the folder that holds its database."""

    url: str
    folder: Path

    async def query(self, statement: str) -> list[Any]:
        def work() -> list[Any]:
            with closing(sqlite3.connect(self.folder / "endy.db", timeout=10)) as database, database:
                return database.execute(statement).fetchall()

        return await asyncio.to_thread(work)

    async def link(self) -> str:
        """A one-time link for Park, as an admin makes it."""
        async with httpx.AsyncClient(base_url=self.url) as http:
            await http.post("/api/login", json={"employee_id": "2024001", "password": PASSWORD})
            answer = await http.post(f"/api/admin/users/{PARK}/password-link")
            return f"{self.url}{answer.json()['path']}"


@pytest.fixture
def open_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Start the application with the given settings; it stops with the test."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    people = [person | {"password_hash": hasher.hash(PASSWORD)} for person in PEOPLE]
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "people.md").write_text(DOCUMENT, encoding="utf-8")
    (tmp_path / "faq.json").write_text(json.dumps({"faqs": FAQS}), encoding="utf-8")
    (tmp_path / "users.json").write_text(json.dumps({"users": people}), encoding="utf-8")

    def start(**values: Any) -> House:
        settings = _settings(tmp_path, **values)
        config = _config(settings, create_app(settings))
        config.app, config.port = (
            create_app(_settings(tmp_path, **values), partial(running_services, background=False)),
            0,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread))
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.02)
        return House(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", tmp_path)

    yield start
    for server, thread in running:
        server.force_exit = server.should_exit = True
        thread.join(timeout=10)


def _settings(folder: Path, **values: Any) -> Settings:
    given: dict[str, Any] = {
        "database_url": f"sqlite:///{folder}/endy.db",
        "knowledge_dir": folder / "docs",
        "faq_file": folder / "faq.json",
        "users_file": folder / "users.json",
        "words_file": folder / "words.txt",
        "vocabulary_file": folder / "vocabulary.txt",
        "log_file": folder / "endy.log",
        "embeddings": "none",
        "auth_mode": "password",
        "anonymous_access": False,
    }
    return Settings(_env_file=None, **(given | values))


@pytest.fixture
def house(open_house: Callable[..., House]) -> House:
    return open_house()


async def open_login(page: Page) -> None:
    await page.click("[popovertarget=menu]")
    await page.click("#menu [data-do=login]")


async def sign_in(page: Page, password: str = PASSWORD) -> None:
    await page.fill("#login-number", PARK)
    await page.fill("#login-secret", password)
    await page.click("#login [type=submit]")


async def signed_in(visit: Visiting, house: House) -> Page:
    page = await (await visit()).page(house.url)
    await open_login(page)
    await sign_in(page)
    await expect(page.locator("#who")).to_have_text("박민수")
    return page


async def test_a_password_lets_in_and_a_wrong_one_does_not(visit: Visiting, house: House) -> None:
    """One sentence for a wrong one; the number stays, the password goes; it can be looked at while it is typed."""
    page = await (await visit()).page(house.url)
    await open_login(page)
    await sign_in(page, "틀린 비밀번호예요")
    await expect(page.locator("#login-error")).to_contain_text("사번이나 비밀번호가 맞지 않아요")
    assert await page.input_value("#login-number") == PARK
    assert await page.input_value("#login-secret") == ""
    await page.fill("#login-secret", PASSWORD)
    await page.click("#login-reveal")
    await expect(page.locator("#login-secret")).to_have_attribute("type", "text")
    await expect(page.locator("#login-reveal")).to_have_attribute("aria-pressed", "true")
    await page.click("#login [type=submit]")
    await expect(page.locator("#who")).to_have_text("박민수")
    await page.reload()
    await expect(page.locator("#who")).to_have_text("박민수")


async def test_too_many_attempts_count_down(visit: Visiting, house: House) -> None:
    """The wait is shown second by second, the button waits, and nothing that was typed is lost."""
    page = await (await visit()).page(house.url)
    await open_login(page)
    for _ in range(6):
        async with page.expect_response("**/api/login"):
            await sign_in(page, "틀린 비밀번호예요")
    await expect(page.locator("#login-error")).to_contain_text("뒤에 다시 해 주세요")
    await expect(page.locator("#login [type=submit]")).to_be_disabled()
    assert await page.input_value("#login-number") == PARK
    assert await page.input_value("#login-secret") == "틀린 비밀번호예요"


async def test_a_one_time_link_sets_the_password(visit: Visiting, house: House) -> None:
    """The token leaves the address at once; a weak password is explained; then one is in; twice it does not work."""
    link = await house.link()
    page = await (await visit()).page(link)
    assert "#" not in page.url
    await page.fill("#password-new", "password123!")
    await page.click("[type=submit]")
    await expect(page.locator("#password-error")).to_contain_text("짐작하기 쉬운")
    await page.fill("#password-new", NEW)
    await page.click("[type=submit]")
    await expect(page.locator("#state-done h2")).to_be_focused()
    await page.click("#state-done a")
    await expect(page.locator("#who")).to_have_text("박민수")
    again = await (await visit()).page(link)
    await again.fill("#password-new", NEW)
    await again.click("[type=submit]")
    await expect(again.locator("#state-lost")).to_contain_text("관리자에게 새 링크를 요청")


async def test_a_cut_link_says_so(visit: Visiting, house: House) -> None:
    """An address without its token leads to whom to ask, and not to a form that cannot work."""
    page = await (await visit()).page(f"{house.url}/set-password")
    await expect(page.locator("#state-lost h2")).to_be_visible()
    await expect(page.locator("#password-new")).to_be_hidden()


async def agree(page: Page, subject: str, claims: dict[str, Any]) -> None:
    """Somebody with these claims signs in on the provider's page."""
    await page.wait_for_selector("input[name=sub]")
    issuer = page.url.split("/oauth2")[0]
    async with httpx.AsyncClient() as browser:
        await browser.put(f"{issuer}/users/{subject}", json=claims)
    await page.fill("input[name=sub]", subject)
    await page.locator("input[name=sub]").press("Enter")


async def test_the_company_account_leads_in_and_back_to_the_question(
    visit: Visiting, open_house: Callable[..., House], provider: str
) -> None:
    """No password form; to the provider and back; the question that was asked waits with a button that sends it."""
    house = open_house(
        auth_mode="oidc", oidc_issuer=provider, oidc_client_id=CLIENT, oidc_client_secret=SECRET, oidc_name="엔카 계정"
    )
    page = await (await visit()).page(house.url)
    await ask(page, QUESTION)
    await expect(page.locator("#login")).to_be_visible()
    await expect(page.locator("#login-number")).to_have_count(0)
    await expect(page.locator("#login-sso")).to_have_text("엔카 계정 로그인")
    await page.click("#login-sso")
    await agree(page, "park", {"email": "b@encar.example", "email_verified": True})
    await expect(page.locator("#who")).to_have_text("박민수")
    await expect(page.locator(".question")).to_have_text(QUESTION)
    await page.click(".notice button")
    await expect(page.locator(".answer").last).to_contain_text("14일")


async def test_a_stranger_s_company_account_is_refused_with_a_way_on(
    visit: Visiting, open_house: Callable[..., House], provider: str
) -> None:
    """Why, and what to do; the reason leaves the address, and what was typed is still there."""
    sso = {"oidc_issuer": provider, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET, "oidc_create_users": False}
    page = await (await visit()).page(open_house(**sso).url)
    await page.fill("#question", "나중에 물어볼 것")
    await open_login(page)
    await page.click("#login-sso")
    await agree(page, "stranger", {"email": "stranger@elsewhere.example", "email_verified": True})
    await expect(page.locator("#login-why")).to_contain_text("관리자에게 문의해 주세요")
    assert "sso_error" not in page.url
    await page.keyboard.press("Escape")
    assert await page.input_value("#question") == "나중에 물어볼 것"


async def test_an_expired_session_recovers_what_was_typed(visit: Visiting, house: House) -> None:
    """The session ends on the server; the next question asks for the password and then goes out by itself."""
    page = await signed_in(visit, house)
    await ask_and_wait(page, QUESTION)
    await house.query("UPDATE sessions SET expires_at = '2020-01-01 00:00:00.000000'")
    await ask(page, "연차 이월 언제까지 신청해?")
    await expect(page.locator("#login-why")).to_contain_text("로그인 시간이 지났어요")
    await sign_in(page)
    await expect(page.locator(".answer").last).to_contain_text("12월 10일")


async def test_an_opinion_can_be_changed(visit: Visiting, house: House) -> None:
    """👍, then 👎 with a reason: the page shows, and the server has, the last one."""
    page = await signed_in(visit, house)
    await ask_and_wait(page, QUESTION)
    await page.click("[aria-label='도움이 됐어요']")
    await expect(page.locator(".thanks")).to_be_visible()
    await page.click("[aria-label='도움이 안 됐어요']")
    await page.click(".reason >> nth=0")
    await page.click(".feedback-form [type=submit]")
    await expect(page.locator(".thanks")).to_be_visible()
    await expect(page.locator("[aria-label='도움이 안 됐어요']")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("[aria-label='도움이 됐어요']")).to_have_attribute("aria-pressed", "false")
    assert await house.query("SELECT asker, is_helpful, reasons FROM feedback") == [(f"user:{PARK}", 0, '["wrong"]')]


async def open_account(page: Page) -> None:
    await page.click("[popovertarget=menu]")
    await page.click("#menu [data-do=account]")
    await expect(page.locator("#account-sessions .session").first).to_be_visible()


async def test_sessions_are_seen_and_ended_one_by_one(visit: Visiting, house: House) -> None:
    """Two browsers; the one ends the other, which is asked to sign in with its next question."""
    desk, phone = await signed_in(visit, house), await signed_in(visit, house)
    await open_account(desk)
    rows = desk.locator("#account-sessions .session")
    await expect(rows).to_have_count(2)
    await expect(rows.filter(has_text="지금 이 기기")).to_have_count(1)
    await rows.get_by_role("button").click()
    await expect(rows).to_have_count(1)
    await ask(phone, QUESTION)
    await expect(phone.locator("#login-why")).to_contain_text("로그인 시간이 지났어요")


async def test_logging_out_everywhere_asks_first(visit: Visiting, house: House) -> None:
    """Then everybody is out, and nothing of the conversation stays on the screen."""
    desk, phone = await signed_in(visit, house), await signed_in(visit, house)
    await ask_and_wait(desk, QUESTION)
    await open_account(desk)
    await desk.click("#account-everywhere")
    await expect(desk.locator("#account-everywhere-yes")).to_be_focused()
    await desk.click("#account-everywhere-no")
    await desk.click("#account-everywhere")
    await desk.click("#account-everywhere-yes")
    await expect(desk.locator("#toast")).to_contain_text("모든 기기에서 로그아웃했어요")
    await expect(desk.locator(".turn")).to_have_count(0)
    assert await house.query("SELECT count(*) FROM sessions") == [(0,)]
    await phone.reload()
    await expect(phone.locator("#who")).to_be_hidden()


async def test_the_password_is_changed_in_my_account(visit: Visiting, house: House) -> None:
    """A wrong current one and a weak new one are told apart; afterwards one goes on, and others are out."""
    page, other = await signed_in(visit, house), await signed_in(visit, house)
    await open_account(page)
    await page.click("#password-box summary")
    for current, fresh, says in (("틀려요", NEW, "지금 비밀번호가"), (PASSWORD, "짧아요", "10자 이상")):
        await page.fill("#password-current", current)
        await page.fill("#password-new", fresh)
        await page.click("#password-form [type=submit]")
        await expect(page.locator("#password-error")).to_contain_text(says)
    await page.fill("#password-new", NEW)
    await page.click("#password-form [type=submit]")
    await expect(page.locator("#toast")).to_contain_text("비밀번호를 바꿨어요")
    await page.reload()
    await expect(page.locator("#who")).to_have_text("박민수")
    await other.reload()
    await expect(other.locator("#who")).to_be_hidden()


@pytest.mark.parametrize("shape", ["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_serious_stands_in_anybodys_way(
    visit: Visiting, open_house: Callable[..., House], scheme: str, shape: str, provider: str
) -> None:
    """axe-core over the login with both ways, my account with its forms open, and the page of a one-time link."""
    house = open_house(oidc_issuer=provider, oidc_client_id=CLIENT, oidc_client_secret=SECRET)
    options = (PHONE if shape == "phone" else DESKTOP) | {"color_scheme": scheme, "reduced_motion": "reduce"}
    context = await visit(**options)
    page = await context.page(house.url)
    await open_login(page)
    await sign_in(page, "틀린 비밀번호예요")
    await expect(page.locator("#login-error")).not_to_be_empty()
    await check(page)
    await sign_in(page)
    await open_account(page)
    await page.click("#password-box summary")
    await page.click("#account-everywhere")
    await check(page)
    await page.goto(await house.link())
    await check(page)


async def check(page: Page) -> None:
    await page.evaluate(AXE)
    found = await page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    grave = [
        (violation["id"], node["html"])
        for violation in found["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]
    assert grave == []
