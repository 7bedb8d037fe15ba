"""Sources, the passage in its section, and feedback."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, Route, expect

from .conftest import PHONE, Site, Visit, ask_and_wait

pytestmark = pytest.mark.asyncio(loop_scope="session")

HIGHLIGHT = """async ([html, passage]) => {
  const { highlight } = await import(document.querySelector("link[href$='chat/highlight.js']").href);
  const root = document.createElement("div");
  root.innerHTML = html;
  return highlight(root, passage).map((mark) => mark.textContent);
}"""


async def test_source_opens_beside_the_chat_with_its_passage_marked(page: Page) -> None:
    """The passage is marked across bold words and list items although it came as Markdown."""
    await ask_and_wait(page)
    await page.click(".card >> nth=0")
    await expect(page.locator("#source-title")).to_have_text("연차휴가")
    await page.wait_for_selector("#source mark")
    marked = "".join(await page.locator("#source mark").all_text_contents())
    expected = "사내 포털에서 근태 > 휴가 신청을 눌러요.날짜와 종류를 고르고 저장해요.팀장이 승인하면 알림이 와요."
    assert marked == expected
    await expect(page.locator("#source mark").first).to_be_in_viewport()
    assert not await page.evaluate("document.getElementById('source').matches(':modal')")
    await page.click("#question")
    await expect(page.locator("#source")).to_be_visible()


async def test_source_is_a_modal_sheet_on_a_phone(visit: Callable[..., Awaitable[Visit]], site: Site) -> None:
    """On a phone the sheet takes the focus and gives it back on closing."""
    page = await (await visit(**PHONE)).page(site.url)
    await ask_and_wait(page)
    await page.click(".card >> nth=1")
    await page.wait_for_selector("#source mark")
    assert await page.evaluate("document.getElementById('source').matches(':modal')")
    await page.click("#source [data-close]")
    await expect(page.locator(".card").nth(1)).to_be_focused()


async def test_citation_in_the_text_opens_its_source(page: Page) -> None:
    """[2] in the answer leads to the second source, and another source replaces it in place."""
    await ask_and_wait(page)
    await page.click(".cite >> nth=1")
    await expect(page.locator("#source-title")).to_have_text("연차는 며칠 생겨요?")
    await page.click(".card >> nth=0")
    await expect(page.locator("#source-title")).to_have_text("연차휴가")
    await expect(page.locator("#source .prose")).to_contain_text("근속 기간에 따라")


async def test_unreachable_section_still_shows_the_passage(page: Page) -> None:
    """When the section cannot be loaded the passage that came with the answer stands in."""

    async def refuse(route: Route) -> None:
        await route.fulfill(status=404, json={"error": "not_found", "message": "찾을 수 없어요.", "details": {}})

    await page.route("**/api/sections*", refuse)
    await ask_and_wait(page)
    await page.click(".card >> nth=0")
    await expect(page.locator("#source .passage blockquote")).to_contain_text("날짜와 종류를 고르고")


@pytest.mark.parametrize(
    ("html", "passage", "marked"),
    [
        ("<p>가격은  <b>1,200</b>원이에요.</p>", "가격은 **1,200**원이에요.", ["가격은  ", "1,200", "원이에요."]),
        ("<p>첫째 줄이에요. 그 뒤에 <i>둘째</i> 줄.</p>", "그 뒤에 *둘째* 줄.", ["그 뒤에 ", "둘째", " 줄."]),
        ("<table><tr><td>본인 결혼</td><td>5일</td></tr></table>", "| 본인 결혼 | 5일 |", ["본인 결혼", "5일"]),
        (
            "<p><a href='/x'>사내 포털</a>로 가요</p>",
            "[사내 포털](https://a.example/x)로 가요",
            ["사내 포털", "로 가요"],
        ),
        ("<p>하나 둘 셋 넷 다섯</p><p>여섯 일곱 여덟</p>", "여섯 일곱 여덟\n다른 곳의 줄이에요", ["여섯 일곱 여덟"]),
        (
            "<p>가나다라 마바사. 아자차카 타파하.</p>",
            "아자차카 타파하.\n가나다라 마바사.",
            ["가나다라 마바사. 아자차카 타파하."],
        ),
        ("<p>전혀 다른 내용이에요.</p>", "여기에 없는 문장이에요.", []),
        ("<p>내용</p>", "", []),
    ],
)
async def test_highlight_tolerates_spacing_and_markdown(page: Page, html: str, passage: str, marked: list[str]) -> None:
    """Spaces, bold, links, table bars and reordered lines do not hide a passage; absence marks nothing."""
    assert await page.evaluate(HIGHLIGHT, [html, passage]) == marked


async def test_thumbs_up_can_be_changed_to_a_reasoned_no(page: Page, site: Site) -> None:
    """👍 is sent at once; 👎 replaces it and asks why, with the documented reason codes."""
    await ask_and_wait(page)
    await page.click("[aria-label='도움이 됐어요']")
    await expect(page.locator(".thanks")).to_have_text("알려 주셔서 고마워요.")
    await page.click("[aria-label='도움이 안 됐어요']")
    await expect(page.locator("[aria-label='도움이 됐어요']")).to_have_attribute("aria-pressed", "false")
    await page.click("text=의견 보내기")
    await expect(page.locator(".feedback .field-error")).to_contain_text("이유를 하나 고르거나")
    await page.check("text=예전 내용이에요")
    await page.fill(".feedback textarea", "작년 기준이에요")
    await page.click("text=의견 보내기")
    await expect(page.locator(".thanks")).to_contain_text("의견을 전했어요")
    assert [body["is_helpful"] for body in site.memory.feedback] == [True, False]
    assert site.memory.detailed == [{"question_id": "q-1", "reasons": ["outdated"], "comment": "작년 기준이에요"}]


async def test_failed_feedback_keeps_the_comment(page: Page) -> None:
    """A comment that could not be sent stays in the form, also over a reload."""
    await page.route("**/api/feedback/detailed", lambda route: route.abort())
    await ask_and_wait(page)
    await page.click("[aria-label='도움이 안 됐어요']")
    await page.fill(".feedback textarea", "길게 쓴 의견")
    await page.click("text=의견 보내기")
    await expect(page.locator(".feedback .field-error")).to_contain_text("보내지 못했어요")
    await expect(page.locator(".feedback textarea")).to_have_value("길게 쓴 의견")
    await page.reload()
    await page.click("[aria-label='도움이 안 됐어요']")
    await expect(page.locator(".feedback textarea")).to_have_value("길게 쓴 의견")
