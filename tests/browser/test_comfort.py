"""Suggestions, drafts, history, shared links and preferences."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from .conftest import DESKTOP, Site, Visit, ask_and_wait

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_suggestions_follow_the_combobox_pattern(page: Page, site: Site) -> None:
    """Arrows move a virtual focus through the options, Escape closes, Enter asks the chosen one."""
    field = page.locator("#question")
    await field.press_sequentially("신청하나", delay=20)
    await expect(page.locator("[role=option]")).to_have_count(2)
    await expect(field).to_have_attribute("aria-expanded", "true")
    await field.press("ArrowDown")
    await expect(field).to_have_attribute("aria-activedescendant", "suggestion-0")
    await field.press("ArrowUp")
    assert await field.get_attribute("aria-activedescendant") is None
    await field.press("ArrowUp")
    await expect(page.locator("[aria-selected=true]")).to_contain_text("명함은")
    await field.press("Escape")
    await expect(field).to_have_attribute("aria-expanded", "false")
    assert await field.input_value() == "신청하나"
    await field.press_sequentially("요", delay=20)
    await page.wait_for_selector("[role=option]")
    await field.press("ArrowDown")
    await field.press("Enter")
    await page.wait_for_selector(".tools")
    assert [body["question"] for body in site.memory.asked] == ["반차는 어떻게 신청하나요?"]


async def test_suggestion_can_be_pressed(page: Page, site: Site) -> None:
    """A press on an option asks it at once, and the list is gone."""
    await page.locator("#question").press_sequentially("노트북", delay=20)
    await page.click("[role=option]")
    await page.wait_for_selector(".tools")
    await expect(page.locator("#suggestions")).to_be_hidden()
    assert site.memory.asked[0]["question"] == "노트북이 고장 났어요"


async def test_enter_without_a_choice_sends_what_was_typed(page: Page, site: Site) -> None:
    """An open list never replaces the person's own words."""
    await page.locator("#question").press_sequentially("신청하나", delay=20)
    await page.wait_for_selector("[role=option]")
    await page.press("#question", "Enter")
    await page.wait_for_selector(".tools")
    assert site.memory.asked[0]["question"] == "신청하나"


async def test_arrows_while_composing_stay_with_the_input_method(page: Page) -> None:
    """Arrow keys that choose a Hanja or end a syllable do not move the suggestions."""
    await page.locator("#question").press_sequentially("신청하나", delay=20)
    await page.wait_for_selector("[role=option]")
    await page.evaluate("""() => document.getElementById("question").dispatchEvent(
      new KeyboardEvent("keydown", { key: "ArrowDown", isComposing: true, bubbles: true, cancelable: true }))""")
    await expect(page.locator("[aria-selected=true]")).to_have_count(0)


async def test_draft_and_conversation_survive_a_reload(page: Page) -> None:
    """A reload, by accident or for a new language, loses neither the draft nor the thread."""
    await ask_and_wait(page)
    await page.fill("#question", "쓰다 만 질문")
    await page.reload()
    await expect(page.locator("#question")).to_have_value("쓰다 만 질문")
    await expect(page.locator(".question")).to_have_text(["연차는 며칠이야?"])
    await expect(page.locator(".card")).to_have_count(2)


async def test_question_interrupted_by_a_reload_can_be_asked_again(page: Page) -> None:
    """A question whose answer never came is still there with a retry."""
    await page.fill("#question", "아주느림 연차?")
    await page.press("#question", "Enter")
    await page.wait_for_timeout(200)
    await page.reload()
    await expect(page.locator(".notice")).to_contain_text("여기서 멈췄어요")
    async with page.expect_request("**/api/ask/stream"):
        await page.click(".notice button")


async def test_too_long_question_is_kept_and_explained(page: Page, site: Site) -> None:
    """Pasted text is never cut; the field says how much to remove."""
    await page.fill("#question", "가" * 512)
    await expect(page.locator("#question-count")).to_have_text("500자까지 보낼 수 있어요. 12자를 줄여 주세요.")
    await expect(page.locator("#send")).to_be_disabled()
    await page.press("#question", "Enter")
    assert site.memory.asked == []
    assert len(await page.input_value("#question")) == 512


async def test_history_asks_again_and_can_be_cleared(page: Page) -> None:
    """Past questions are kept without answers, newest first, and go away when told to."""
    await ask_and_wait(page, "연차는 며칠이야?")
    await ask_and_wait(page, "VPN은 어떻게 연결하나요?")
    await page.click("[data-do=new]")
    await expect(page.locator(".turn")).to_have_count(0)
    await expect(page.locator("#welcome")).to_be_visible()
    await page.click("[data-do=history]")
    await expect(page.locator("#history-list .question-link")).to_have_text(
        ["VPN은 어떻게 연결하나요?", "연차는 며칠이야?"]
    )
    await page.click("#history-clear")
    await page.click("[data-do=history]")
    await expect(page.locator("#history-note")).to_have_text("아직 지난 질문이 없어요.")
    assert await page.evaluate("JSON.stringify(localStorage)") == "{}"


async def test_new_conversation_starts_without_the_old_id(page: Page, site: Site) -> None:
    """A follow-up belongs to the conversation, a new chat does not."""
    await ask_and_wait(page, "연차는 며칠이야?")
    await ask_and_wait(page, "그럼 반차는?")
    await page.click("[data-do=new]")
    await ask_and_wait(page, "명함은?")
    assert [body.get("conversation_id") for body in site.memory.asked] == [None, "c-1", None]


async def test_shared_link_fills_the_field_and_waits(visit: Callable[..., Awaitable[Visit]], site: Site) -> None:
    """`/?q=` never asks by itself, and a reload keeps what was changed since."""
    page = await (await visit()).page(f"{site.url}/?q=%EC%97%B0%EC%B0%A8%20%3Cb%3E")
    await expect(page.locator("#question")).to_have_value("연차 <b>")
    assert page.url == f"{site.url}/"
    assert site.memory.asked == []
    await page.fill("#question", "바꾼 질문")
    await page.reload()
    await expect(page.locator("#question")).to_have_value("바꾼 질문")


async def test_copy_and_share(visit: Callable[..., Awaitable[Visit]], site: Site) -> None:
    """The copied answer is plain text with its sources; sharing copies a link that asks the same."""
    opened = await visit(**DESKTOP, permissions=["clipboard-read", "clipboard-write"])
    page = await opened.page(site.url)
    await ask_and_wait(page)
    await page.click("[aria-label='답 복사']")
    await expect(page.locator("#toast")).to_have_text("복사했어요")
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert "15일이 생기고" in copied
    assert copied.endswith("출처: 연차휴가, 연차는 며칠 생겨요?")
    await page.click("[aria-label='질문 공유']")
    await expect(page.locator("#toast")).to_have_text("링크를 복사했어요")
    assert (await page.evaluate("navigator.clipboard.readText()")).startswith(f"{site.url}/?q=%EC%97%B0")


async def test_language_and_theme_are_remembered(page: Page) -> None:
    """English and dark stay after a reload, rendered by the server without a flash."""
    await page.click("[popovertarget=menu]")
    await page.check("input[value=dark]", force=True)
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    async with page.expect_navigation():
        await page.check("input[value=en]", force=True)
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await expect(page.locator("#welcome-title")).to_have_text("What would you like to know?")
    assert await page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
