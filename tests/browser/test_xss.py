"""The corpus of attacks in a real Chromium: nothing runs, nothing is fetched, nothing waits to be clicked."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route
from playwright.async_api import Error as PlaywrightError

from endy.ask.render import to_html
from endy.settings import Settings
from tests.ask.xss import VECTORS
from tests.web.conftest import DOCUMENT
from tests.web.serving import serving

from .conftest import Site, ask_and_wait

pytestmark = pytest.mark.asyncio(loop_scope="session")

ORIGIN = "http://bare.example/"
BLANK = "<!doctype html><meta charset=utf-8><body>"
WATCH = "globalThis.alert = globalThis.msgbox = () => { top.__hit = (top.__hit ?? 0) + 1; };"
INSERT = """async (htmls) => {
  const inserted = htmls.map((html) => {
    const box = document.body.appendChild(document.createElement("div"));
    box.innerHTML = html;
    return box;
  });
  await new Promise((done) => setTimeout(done, 1500));
  const links = inserted.flatMap((box) => [...box.querySelectorAll("a")]);
  for (const node of inserted.flatMap((box) => [...box.querySelectorAll("*")])) {
    for (const type of ["mouseover", "focus", "pointerenter", "animationstart"]) node.dispatchEvent(new Event(type));
  }
  return [...new Set(links.filter((link) => link.href).map((link) => link.protocol))].sort();
}"""
PREVIEW = """async (vectors) => {
  const { preview } = await import(document.querySelector("link[href$='chat/markdown.js']").href);
  const found = new Set();
  for (const vector of vectors) {
    const box = document.body.appendChild(document.createElement("div"));
    box.append(preview(vector));
    for (const node of box.querySelectorAll("*")) {
      found.add(node.localName);
      for (const { name } of node.attributes) found.add(`@${name}`);
    }
  }
  await new Promise((done) => setTimeout(done, 500));
  return [...found];
}"""


INJECT = """async () => {
  const script = document.createElement("script");
  script.textContent = "alert(1)";
  document.body.append(script);
  const loaded = document.createElement("script");
  loaded.src = document.querySelector("link[href$='chat/markdown.js']").href;
  const ran = new Promise((done) => { loaded.onload = () => done(true); loaded.onerror = () => done(false); });
  document.body.append(loaded);
  const box = document.body.appendChild(document.createElement("div"));
  box.innerHTML = `<img src=x onerror=alert(1)><svg onload=alert(1)></svg><a href="javascript:alert(1)">x</a>
    <img src="https://evil.example/pixel.png"><iframe src="https://evil.example/"></iframe>
    <form action="https://evil.example/"></form><p style="position:fixed">x</p>`;
  box.querySelector("a").click();
  box.querySelector("form").submit();
  const base = document.head.appendChild(document.createElement("base"));
  base.href = "https://evil.example/";
  await new Promise((done) => setTimeout(done, 500));
  const reached = await fetch("https://evil.example/").then(() => true, () => false);
  return [await ran, reached, document.baseURI === base.href, getComputedStyle(box.querySelector("p")).position];
}"""


@dataclass
class Bare:
    """A page without any policy, in which whatever can run does, and what went out from it."""

    page: Page
    asked: list[str] = field(default_factory=list)

    async def hits(self) -> int:
        return int(await self.page.evaluate("globalThis.__hit ?? 0"))


@pytest_asyncio.fixture(loop_scope="session")
async def bare(browser: Browser) -> AsyncIterator[Bare]:
    context = await browser.new_context()
    await context.add_init_script(WATCH)
    opened = Bare(await context.new_page())

    async def answer(route: Route) -> None:
        if route.request.url == ORIGIN:
            await route.fulfill(content_type="text/html", body=BLANK)
            return
        opened.asked.append(route.request.url)
        await route.abort()

    await context.route("**/*", answer)
    await opened.page.goto(ORIGIN)
    yield opened
    await context.close()


async def test_the_attacks_are_real(bare: Bare) -> None:
    """Without sanitising, many of them run, load something, or wait for a click: the page would notice."""
    protocols = await bare.page.evaluate(INSERT, [vector for vector in VECTORS if "refresh" not in vector])
    assert await bare.hits() > 50
    assert len([url for url in bare.asked if "evil.example" in url]) > 10
    assert "javascript:" in protocols


async def test_nothing_of_them_is_left(bare: Bare) -> None:
    """Sanitised, none runs, none asks anything of any server, and links lead to the web or to mail alone."""
    protocols = await bare.page.evaluate(INSERT, [to_html(vector) for vector in VECTORS])
    assert await bare.hits() == 0
    assert bare.asked == []
    assert set(protocols) <= {"http:", "https:", "mailto:"}
    assert bare.page.url == ORIGIN


async def test_nothing_of_them_is_left_as_a_document(bare: Bare) -> None:
    """Also when a browser reads all of them as one document, where scripts in the text would run at once."""
    await bare.page.set_content(BLANK + "\n".join(to_html(vector) for vector in VECTORS))
    await bare.page.wait_for_timeout(1000)
    assert await bare.hits() == 0
    assert bare.asked == []


async def test_what_is_shown_while_an_answer_comes_is_harmless(browser: Browser, serve: Callable[..., Site]) -> None:
    """The page's own preview makes plain elements of text; it knows no links, no images and no HTML."""
    context = await browser.new_context(bypass_csp=True)
    await context.add_init_script(WATCH)
    page = await context.new_page()
    url = serve().url
    await page.goto(url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    found = await page.evaluate(PREVIEW, VECTORS)
    hits = await page.evaluate("globalThis.__hit ?? 0")
    await context.close()
    assert hits == 0
    assert not [address for address in asked if not address.startswith(url)]
    plain = {
        "p",
        "ol",
        "ul",
        "li",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "code",
        "strong",
        "h3",
        "blockquote",
        "div",
    }
    assert set(found) <= plain | {"@start", "@class", "@tabindex", "@role", "@aria-label"}


async def _without_trusted_types(route: Route) -> None:
    """What older browsers make of the page: everything of its policy but this."""
    response = await route.fetch()
    policy = response.headers["content-security-policy"].split("; require-trusted-types-for")[0]
    await route.fulfill(response=response, headers={**response.headers, "content-security-policy": policy})


async def test_the_policy_holds_where_sanitising_fails(browser: Browser, tmp_path: Path) -> None:
    """The real page works under its own policy, and what is put into it all the same neither runs nor goes anywhere."""
    (tmp_path / "people.md").write_text(DOCUMENT, encoding="utf-8")
    (tmp_path / "faq.json").write_text('{"faqs": []}', encoding="utf-8")
    settings = Settings(
        _env_file=None, database_url=f"sqlite:///{tmp_path}/endy.db", knowledge_dir=tmp_path, embeddings="none",
        faq_file=tmp_path / "faq.json", users_file=tmp_path / "users.json", log_file=tmp_path / "endy.log",
    )  # fmt: skip
    context = await browser.new_context()
    await context.add_init_script(WATCH)
    page = await context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    async with serving(settings) as (_, port):
        await page.goto(f"http://127.0.0.1:{port}/")
        for sink in ("document.body.innerHTML = '<b>x</b>'", "document.createElement('script').src = '/x'"):
            with pytest.raises(PlaywrightError, match="requires 'Trusted"):
                await page.evaluate(f"() => {{ {sink} }}")
        refused.clear()
        await page.route(f"http://127.0.0.1:{port}/", _without_trusted_types)
        await page.reload()
        await ask_and_wait(page, "연차 이월 언제까지 신청해?")
        assert [text for text in refused if "Content Security Policy" in text] == []
        asked: list[str] = []
        page.on("requestfinished", lambda request: asked.append(request.url))
        ran, reached, moved, position = await page.evaluate(INJECT)
        hits = await page.evaluate("globalThis.__hit ?? 0")
        await context.close()
    assert (hits, ran, reached, moved, position) == (0, False, False, False, "static")
    assert [address for address in asked if "evil" in address] == []
    assert len([text for text in refused if "Content Security Policy" in text]) >= 8
