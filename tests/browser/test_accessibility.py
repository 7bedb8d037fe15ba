"""axe-core over every state of the page, light and dark, phone and desktop; plus zoom and reduced motion."""

import json
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

import pytest
from playwright.async_api import Page, expect

from .conftest import DESKTOP, PHONE, Site, Visit, ask, ask_and_wait

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GRAVE = {"serious", "critical"}


async def _first(page: Page) -> None:
    await page.wait_for_selector("#topics .question-link")


async def _answer(page: Page) -> None:
    await ask_and_wait(page)


async def _source(page: Page) -> None:
    await ask_and_wait(page)
    await page.click(".card >> nth=0")
    await page.wait_for_selector("#source mark")


async def _no_answer(page: Page) -> None:
    await ask_and_wait(page, "우주여행 휴가도 있어?")


async def _clarify(page: Page) -> None:
    await ask_and_wait(page, "신청서 어디 내요?")


async def _error(page: Page) -> None:
    await ask(page, "오류 나는 질문")
    await page.wait_for_selector(".notice")


async def _limit(page: Page) -> None:
    await ask(page, "한도 질문")
    await page.wait_for_selector(".notice")


async def _waiting(page: Page) -> None:
    await ask(page, "아주느림 연차?")
    await page.wait_for_selector(".answer .skeleton")


async def _suggestions(page: Page) -> None:
    await page.locator("#question").press_sequentially("신청하나", delay=20)
    await page.wait_for_selector("[role=option]")
    await page.press("#question", "ArrowDown")


async def _feedback(page: Page) -> None:
    await ask_and_wait(page)
    await page.click("[aria-label='도움이 안 됐어요']")
    await page.wait_for_selector(".feedback-form")


async def _menu(page: Page) -> None:
    await page.click("[popovertarget=menu]")


async def _login(page: Page) -> None:
    await _menu(page)
    await page.click("#menu [data-do=login]")
    await page.click("#login [type=submit]")


async def _history(page: Page) -> None:
    await ask_and_wait(page)
    await page.click("[data-do=history]")


STATES = [
    _first,
    _answer,
    _source,
    _no_answer,
    _clarify,
    _error,
    _limit,
    _waiting,
    _suggestions,
    _feedback,
    _menu,
    _login,
    _history,
]


@pytest.mark.parametrize(
    ("device", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")], ids=["phone-dark", "desktop-light"]
)
@pytest.mark.parametrize("reach", STATES, ids=lambda state: state.__name__.strip("_"))
async def test_axe_finds_nothing_grave(
    visit: Callable[..., Awaitable[Visit]],
    site: Site,
    reach: Callable[[Page], Awaitable[None]],
    device: dict[str, Any],
    scheme: str,
) -> None:
    """No serious or critical violation of WCAG 2.2 AA in any state; both schemes and both devices have their turn."""
    opened = await visit(**device, color_scheme=scheme, reduced_motion="reduce")
    page = await opened.page(site.url)
    await reach(page)
    # So tall that nothing lies half under the fixed parts; what focus does there has its own test below.
    await page.set_viewport_size({"width": device["viewport"]["width"], "height": 2400})
    found = await _violations(page)
    assert [item for item in found if item[0] in GRAVE] == []


async def _violations(page: Page) -> list[tuple[str, str, str]]:
    # `evaluate` runs outside the page's CSP, which rightly refuses an injected script element.
    await page.evaluate(AXE)
    answer = await page.evaluate(f"axe.run({{ runOnly: {json.dumps(RULES)} }})")
    return [(item["impact"], item["id"], node["html"][:160]) for item in answer["violations"] for node in item["nodes"]]


async def test_page_works_at_twice_the_size(visit: Callable[..., Awaitable[Visit]], site: Site) -> None:
    """At 200 % of a 1280 x 800 screen (640 x 400 CSS pixels) the answer can be read and nothing sticks out."""
    page = await (await visit(viewport={"width": 640, "height": 400})).page(site.url)
    await ask_and_wait(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 640
    free = await page.evaluate("""() => document.querySelector(".composer").getBoundingClientRect().top
      - Math.max(0, document.querySelector(".top").getBoundingClientRect().bottom)""")
    assert free > 200


async def test_focused_controls_are_not_hidden_by_the_composer(page: Page) -> None:
    """Tabbing through a long answer keeps each focused control clear of the fixed parts (WCAG 2.4.11)."""
    await ask_and_wait(page)
    await page.evaluate("scrollTo(0, 0)")
    await page.locator(".cite").first.focus()
    for _ in range(12):
        await page.keyboard.press("Tab")
        hidden = await page.evaluate("""() => {
          const box = document.activeElement.getBoundingClientRect();
          if (document.activeElement.closest(".composer, .top")) return false;
          return box.top >= document.querySelector(".composer").getBoundingClientRect().top
            || box.bottom <= document.querySelector(".top").getBoundingClientRect().bottom;
        }""")
        assert not hidden, await page.evaluate("document.activeElement.outerHTML.slice(0, 100)")


async def test_reduced_motion_stops_every_animation(visit: Callable[..., Awaitable[Visit]], site: Site) -> None:
    """With reduced motion even the skeleton stands still."""
    page = await (await visit(**DESKTOP, reduced_motion="reduce")).page(site.url)
    await _waiting(page)
    assert await page.evaluate("document.getAnimations().length") == 0


async def test_dark_follows_the_device(visit: Callable[..., Awaitable[Visit]], site: Site) -> None:
    """Without a choice of their own people get their device's scheme."""
    page = await (await visit(**PHONE, color_scheme="dark")).page(site.url)
    await expect(page.locator("html")).to_have_css("background-color", "rgb(23, 24, 27)")
