"""What happens when the network, the server, the limit or the session gets in the way."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from .conftest import Site, Visit, ask, ask_and_wait

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_offline_keeps_the_question_and_offers_a_retry(page: Page, site: Site) -> None:
    """Nothing is lost offline; the same question goes out once the connection is back."""
    await page.wait_for_selector(".question-link")
    await page.context.set_offline(True)
    await expect(page.locator("#banner")).to_contain_text("연결되어 있지 않아요")
    await ask(page, "연차는 며칠이야?")
    await expect(page.locator(".notice")).to_contain_text("적은 내용은 그대로 있으니")
    await expect(page.locator(".question")).to_have_text("연차는 며칠이야?")
    await page.context.set_offline(False)
    await expect(page.locator("#banner")).to_be_empty()
    await page.click(".notice button")
    await page.wait_for_selector(".tools")
    assert len(site.memory.asked) == 1


async def test_limit_counts_down_and_opens_again(page: Page) -> None:
    """After 429 the wait is shown second by second; the next question can be written meanwhile."""
    await ask(page, "한도 질문")
    await expect(page.locator(".notice")).to_contain_text("3초 뒤에 다시 보낼 수 있어요")
    await expect(page.locator("#send")).to_be_disabled()
    await page.fill("#question", "미리 적는 질문")
    await page.press("#question", "Enter")
    assert await page.input_value("#question") == "미리 적는 질문"
    await expect(page.locator(".notice")).to_contain_text("2초 뒤")
    await expect(page.locator(".notice")).to_contain_text("이제 다시 보낼 수 있어요", timeout=5000)
    await expect(page.locator("#send")).to_be_enabled()
    await page.click(".notice button")
    await page.wait_for_selector(".tools")


async def test_server_error_shows_the_request_id_and_a_retry(page: Page) -> None:
    """What to quote to the operator stands in the message."""
    await ask(page, "오류 나는 질문")
    await expect(page.locator(".notice")).to_contain_text("req-7f3a91")
    await expect(page.locator(".notice button")).to_have_text("다시 시도")


async def test_cut_stream_keeps_what_arrived(page: Page) -> None:
    """An answer without its end is marked as cut, never shown as finished."""
    await ask(page, "끊김 질문")
    await expect(page.locator(".notice")).to_contain_text("답이 오다가 끊겼어요")
    await expect(page.locator(".draft.cut")).to_contain_text("연차는 1년 이상")
    await expect(page.locator(".tools")).to_have_count(0)


async def test_waiting_shows_a_skeleton_then_says_what_is_done(page: Page) -> None:
    """Nothing flashes before 300 ms, then a skeleton, and after 3 s a sentence."""
    await ask(page, "느림 연차?")
    await page.wait_for_timeout(100)
    await expect(page.locator(".answer .skeleton")).to_have_count(0)
    await expect(page.locator(".answer .skeleton")).to_be_visible(timeout=1000)
    await expect(page.locator(".progress")).to_be_empty()
    await expect(page.locator(".progress")).to_contain_text("회사 자료를 찾아보고", timeout=4000)
    await expect(page.locator(".progress")).to_contain_text("자료 2건을 찾았어요", timeout=4000)
    await page.wait_for_selector(".tools")


async def test_missing_session_asks_to_sign_in_and_sends_what_was_typed(
    serve: Callable[..., Site], visit: Callable[..., Awaitable[Visit]]
) -> None:
    """With ANONYMOUS_ACCESS=false the question waits behind the login and goes out after it."""
    site = serve(anonymous_access=False)
    page = await (await visit()).page(site.url)
    await expect(page.locator("#welcome-login")).to_be_visible()
    await ask(page, "연차는 며칠이야?")
    await expect(page.locator("#login-why")).to_contain_text("적으신 질문은 그대로")
    await page.fill("#login-number", "2024003")
    await page.fill("#login-secret", "틀린 이름")
    await page.keyboard.press("Enter")
    await expect(page.locator("#login-error")).to_contain_text("사번이나 이름이 맞지 않아요")
    await page.fill("#login-secret", "박민수")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".tools")
    assert [body["question"] for body in site.memory.asked] == ["연차는 며칠이야?"] * 2
    await expect(page.locator("#who")).to_have_text("박민수")
    await expect(page.locator(".chip")).to_have_count(6)


async def test_expired_session_keeps_the_text_when_login_is_cancelled(page: Page, site: Site) -> None:
    """Cancelling the login leaves the question with a button that signs in and sends it."""
    await _sign_in(page, "2024003", "박민수")
    site.memory.sessions_expired = True
    await ask(page, "연차는 며칠이야?")
    await expect(page.locator("#login-why")).to_contain_text("로그인 시간이 지났어요")
    await page.keyboard.press("Escape")
    await expect(page.locator(".notice button")).to_have_text("로그인하고 보내기")
    await page.click(".notice button")
    await page.fill("#login-number", "2024003")
    await page.fill("#login-secret", "박민수")
    await page.click("#login [type=submit]")
    await page.wait_for_selector(".tools")
    await expect(page.locator(".turn")).to_have_count(1)


async def test_another_person_does_not_see_the_conversation(page: Page, site: Site) -> None:
    """After a session ends, somebody else's sign-in starts with an empty thread and their own question."""
    await _sign_in(page, "2024002", "이영희")
    await ask_and_wait(page, "연차는 며칠이야?")
    site.memory.sessions_expired = True
    await ask(page, "VPN은 어떻게 연결하나요?")
    await page.fill("#login-number", "2024003")
    await page.fill("#login-secret", "박민수")
    await page.click("#login [type=submit]")
    await page.wait_for_selector(".tools")
    await expect(page.locator(".question")).to_have_text(["VPN은 어떻게 연결하나요?"])


async def test_logout_clears_the_thread(page: Page) -> None:
    """Answers of a signed-in person do not stay on a shared screen, nor come back with a reload."""
    await _sign_in(page, "2024002", "이영희")
    await ask_and_wait(page)
    await page.click("[popovertarget=menu]")
    await expect(page.locator("#menu-admin")).to_be_visible()
    await page.click("[data-do=logout]")
    await expect(page.locator(".turn")).to_have_count(0)
    await page.reload()
    await page.wait_for_selector(".question-link")
    await expect(page.locator(".turn")).to_have_count(0)


async def test_production_asks_for_a_password(
    serve: Callable[..., Site], visit: Callable[..., Awaitable[Visit]]
) -> None:
    """Where name-only login is refused the second field is a password."""
    site = serve(auth_mode="password")
    page = await (await visit()).page(site.url)
    await page.click("[popovertarget=menu]")
    await page.click("#menu [data-do=login]")
    await expect(page.locator("#login-secret")).to_have_attribute("type", "password")


async def test_failing_catalog_does_not_stop_asking(page: Page, site: Site) -> None:
    """Without categories the first screen says so and a question still works."""
    site.memory.catalog_fails = True
    await page.reload()
    await expect(page.locator("#topics")).to_contain_text("예시 질문을 불러오지 못했어요")
    await ask_and_wait(page)


async def _sign_in(page: Page, number: str, name: str) -> None:
    await page.click("[popovertarget=menu]")
    await page.click("#menu [data-do=login]")
    await page.fill("#login-number", number)
    await page.fill("#login-secret", name)
    await page.click("#login [type=submit]")
    await expect(page.locator("#who")).to_have_text(name)
