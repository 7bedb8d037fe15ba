"""Typing, sending and reading an answer."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from .conftest import PHONE, Site, Visit, ask, ask_and_wait

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMPOSE = """([key, composing]) => {
  const field = document.getElementById("question");
  field.dispatchEvent(new CompositionEvent("compositionstart"));
  field.value = "연차";
  field.dispatchEvent(new InputEvent("input", { bubbles: true, isComposing: true }));
  const enter = { key: "Enter", keyCode: key, isComposing: composing, bubbles: true, cancelable: true };
  field.dispatchEvent(new KeyboardEvent("keydown", enter));
}"""


async def test_first_screen_shows_what_can_be_asked(page: Page) -> None:
    """Before anything is typed there are categories and questions from all of them."""
    await expect(page.locator(".chip")).to_have_count(6)
    await expect(page.locator("#topics .question-link")).to_have_count(6)
    assert set(await page.locator("#topics .tag").all_inner_texts()) >= {"HR", "IT", "총무"}
    await expect(page.locator("h1")).to_have_count(1)


async def test_category_opens_its_questions_and_passes_itself_on(page: Page, site: Site) -> None:
    """A starter question is asked within its category."""
    await page.click(".chip:has-text('IT')")
    await expect(page.locator("#topics-title")).to_have_text("IT 질문")
    await page.click("text=VPN은 어떻게 연결하나요?")
    await page.wait_for_selector(".tools")
    assert site.memory.asked == [{"question": "VPN은 어떻게 연결하나요?", "category": "IT"}]


async def test_keyboard_alone_is_enough(page: Page) -> None:
    """The field is ready on arrival; skip link, question, answer, source and back again need no mouse."""
    await page.wait_for_selector(".question-link")
    await expect(page.locator("#question")).to_be_focused()
    await page.locator(".skip").focus()
    await expect(page.locator(".skip")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("#question")).to_be_focused()
    await page.keyboard.type("연차는 며칠이야?")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".tools")
    await page.locator(".card").first.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#source mark")
    await page.keyboard.press("Escape")
    await expect(page.locator("#source")).to_be_hidden()
    await expect(page.locator(".card").first).to_be_focused()


async def test_shift_enter_makes_a_new_line(page: Page, site: Site) -> None:
    """Only Enter alone sends."""
    await page.fill("#question", "첫 줄")
    await page.press("#question", "Shift+Enter")
    await page.keyboard.type("둘째 줄")
    assert await page.input_value("#question") == "첫 줄\n둘째 줄"
    assert site.memory.asked == []


@pytest.mark.parametrize(("key_code", "composing"), [(13, True), (229, False)])
async def test_enter_while_composing_hangul_does_not_send(
    page: Page, site: Site, key_code: int, composing: bool
) -> None:
    """The Enter that finishes a syllable (also Safari's late one, key code 229) is not a send."""
    await page.evaluate(COMPOSE, [key_code, composing])
    await page.wait_for_timeout(150)
    assert site.memory.asked == []
    assert await page.input_value("#question") == "연차"
    await page.press("#question", "Enter")
    await page.wait_for_selector(".tools")
    assert [body["question"] for body in site.memory.asked] == ["연차"]


async def test_answer_has_owner_sources_related_and_small_print(page: Page) -> None:
    """Everything an answer carries is on the page."""
    await ask_and_wait(page)
    await expect(page.locator(".prose table td")).to_have_count(6)
    await expect(page.locator(".owner")).to_contain_text("담당 · P&C팀 (내선 1201)")
    await expect(page.locator(".owner a")).to_have_attribute("href", "https://portal.encar.example/leave")
    await expect(page.locator(".card")).to_have_count(2)
    await expect(page.locator(".cite")).to_have_count(2)
    await expect(page.locator(".related .question-link")).to_have_count(3)
    await expect(page.locator(".tools .small")).to_have_text("0.4초 · 자료에서 그대로")


async def test_streaming_text_does_not_move(page: Page) -> None:
    """The question stays where it is from sending to the finished answer, and nothing shifts unasked."""
    await page.wait_for_selector(".question-link")
    await page.evaluate("""() => {
      window.tops = new Set(); window.shift = 0;
      const add = (entry) => { if (!entry.hadRecentInput) shift += entry.value; };
      new PerformanceObserver((list) => list.getEntries().forEach(add)).observe({ type: "layout-shift" });
      const look = () => {
        const draft = document.querySelector(".turn .answer > *");
        if (draft) tops.add(Math.round(document.querySelector(".question").getBoundingClientRect().top));
        requestAnimationFrame(look);
      };
      look();
    }""")
    await ask_and_wait(page, "느림 dusck 며칠이야?")
    assert await page.evaluate("tops.size") == 1
    assert await page.evaluate("shift") < 0.02


async def test_understood_question_is_said(page: Page) -> None:
    """A question typed on the English keyboard shows how it was read, with the right particle."""
    await ask_and_wait(page, "dusck 며칠이야?")
    await expect(page.locator(".understood")).to_have_text("‘연차 며칠’로 이해했어요.")


async def test_finished_answer_is_read_once(page: Page) -> None:
    """The live region stays silent while the answer streams and then speaks once."""
    await page.evaluate("""() => {
      window.said = [];
      new MutationObserver(() => { const text = announcer.textContent; if (text) said.push(text); })
        .observe(announcer, { childList: true, characterData: true, subtree: true });
    }""")
    await ask_and_wait(page)
    await page.wait_for_timeout(200)
    said = await page.evaluate("said")
    assert len(said) == 1
    assert said[0].startswith("엔디의 답. 연차는 1년 이상 일하면")


@pytest.mark.parametrize("attack", ["<img src=x onerror=alert(1)>", "<script>alert(1)</script>", '"><b>굵게</b>'])
async def test_question_is_text_wherever_it_appears(page: Page, attack: str) -> None:
    """Markup in a question is shown as typed: bubble, streamed draft, answer, history."""
    await ask_and_wait(page, attack)
    await expect(page.locator(".question")).to_have_text(attack)
    await page.click("[data-do=history]")
    await expect(page.locator("#history-list")).to_contain_text(attack)
    assert await page.locator("#thread img, #thread b, #thread script, #history-list b, #history-list img").count() == 0


async def test_clarify_offers_choices_as_buttons(page: Page, site: Site) -> None:
    """Pressing a choice asks the question that settles it, in the same conversation."""
    await ask_and_wait(page, "신청서 어디 내요?")
    await page.click(".choice:has-text('휴가 신청서')")
    await page.wait_for_selector(".turn:last-child .tools")
    assert site.memory.asked[-1] == {"question": "휴가 신청서는 어디에 내나요?", "conversation_id": "c-1"}


async def test_no_answer_names_whom_to_ask(page: Page) -> None:
    """What was understood, whom to ask with contact, and the nearest topics as links."""
    await ask_and_wait(page, "우주여행 휴가도 있어?")
    await expect(page.locator(".none")).to_contain_text("이렇게 이해했어요: “우주여행 휴가도 있어?”")
    await expect(page.locator(".whom")).to_contain_text("총무팀 내선 1301")
    await page.click(".related >> text=주차 등록은 어떻게 하나요?")
    await expect(page.locator(".turn")).to_have_count(2)


async def test_related_question_moves_the_focus_along(page: Page) -> None:
    """Whoever follows a link by keyboard lands at the new question."""
    await ask_and_wait(page)
    await page.locator(".related .question-link").first.press("Enter")
    await expect(page.locator(".turn:last-child .question")).to_be_focused()


async def test_stop_keeps_what_has_arrived(page: Page) -> None:
    """A running answer can be stopped and asked again."""
    await ask(page, "느림 연차?")
    await page.click("#send[aria-label='그만 찾기']")
    await expect(page.locator(".notice")).to_contain_text("여기서 멈췄어요")
    await expect(page.locator("#send")).to_have_attribute("aria-label", "보내기")


async def test_phone_has_no_sideways_scroll_and_large_targets(
    visit: Callable[..., Awaitable[Visit]], site: Site
) -> None:
    """At 360 px nothing sticks out, and every control outside running text is at least 44 px high."""
    page = await (await visit(**PHONE)).page(site.url)
    await ask_and_wait(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    heights = await page.evaluate("""() => [...document.querySelectorAll("button, a[href], textarea, input")]
      .filter((node) => node.offsetParent && !node.matches(".cite, .skip, .prose a"))
      .map((node) => [node.outerHTML.slice(0, 80), node.getBoundingClientRect().height])
      .filter(([, height]) => height < 43.5)""")
    assert heights == []
