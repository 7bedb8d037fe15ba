"""Answers that a model writes, in a real browser: sentences with live citations, and what is said without the model."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from playwright.async_api import expect

from tests.llm.characters import faithful, saying
from tests.llm.scripted import Scripted, failing, scripted_server

from .conftest import DESKTOP, PHONE, Visit, ask, ask_and_wait
from .test_accessibility import AXE, GRAVE, RULES
from .test_people import House, open_house

__all__ = ["open_house"]
pytestmark = pytest.mark.asyncio(loop_scope="session")

QUESTION = "연차 이월 언제까지 신청해?"
Visiting = Callable[..., Awaitable[Visit]]


@pytest.fixture
def model() -> Iterator[Scripted]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def house(open_house: Callable[..., House], model: Scripted) -> House:
    values: dict[str, Any] = {"openai_api_key": "sk-test", "openai_base_url": model.url, "anonymous_access": True}
    return open_house(**values, llm_between_tokens_seconds=20, llm_total_seconds=60, llm_retries=0)


async def test_citations_can_be_pressed_while_the_answer_is_written(
    visit: Visiting, house: House, model: Scripted
) -> None:
    """The first sentence stands there with its citation before the last is written; the citation opens its source."""
    model.play(saying(faithful, between=0.4))
    page = await (await visit()).page(house.url)
    await ask(page, QUESTION)
    cite = page.locator(".draft .cite").first
    await expect(cite).to_have_text("1", timeout=20_000)
    await expect(page.locator(".answer[aria-busy]")).to_have_count(1)
    await cite.click()
    await expect(page.locator("dialog[open]")).to_contain_text("연차 이월")
    await page.keyboard.press("Escape")
    await expect(page.locator(".answer[aria-busy]")).to_have_count(0, timeout=30_000)
    await expect(page.locator(".answer .prose")).to_contain_text("12월 10일까지 신청해 주세요")
    await expect(page.locator(".answer .tools")).to_contain_text("AI가 자료를 읽고 정리")


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_without_the_model_the_reader_is_told(
    visit: Visiting, house: House, model: Scripted, screen: dict[str, Any], scheme: str
) -> None:
    """The section's own words stand there, with one quiet line about it, and nothing is in anybody's way."""
    model.play(failing(500))
    page = await (await visit(color_scheme=scheme, **screen)).page(house.url)
    await ask_and_wait(page, QUESTION)
    await expect(page.locator(".answer .aside")).to_contain_text("그대로 보여 드려요")
    await expect(page.locator(".answer .prose")).to_contain_text("12월 10일")
    await expect(page.locator(".answer .tools")).to_contain_text("자료에서 그대로")
    await page.evaluate(AXE)
    found = await page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    assert [one["id"] for one in found["violations"] if one["impact"] in GRAVE] == []
