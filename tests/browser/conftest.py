"""A real Chromium and a real uvicorn for the page tests."""

import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from .stub import Memory, create_stub

CHROMIUM = Path("/usr/bin/chromium")
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}


@dataclass
class Site:
    url: str
    memory: Memory


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if not _installed(CHROMIUM):
        pytest.fail("브라우저 시험에는 Chromium이 필요해요: apt-get install -y chromium fonts-noto-cjk", pytrace=False)
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield running
        await running.close()


def _installed(program: Path) -> bool:
    return program.exists()


@pytest.fixture
def serve() -> Iterator[Callable[..., Site]]:
    """Start the stub with the given settings; every server stops with its test."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(**settings: Any) -> Site:
        app = create_stub(**settings)
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread))
        return Site(_address(server), app.state.memory)

    yield start
    for server, thread in running:
        server.force_exit = server.should_exit = True
        thread.join(timeout=5)


def _address(server: uvicorn.Server) -> str:
    deadline = time.monotonic() + 10
    while not server.started:
        if time.monotonic() > deadline:
            pytest.fail("the stub server did not start within 10 s")
        time.sleep(0.01)
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    return serve()


@dataclass
class Visit:
    """A browser context with what went wrong in it: script errors and refused content."""

    context: BrowserContext
    faults: list[str]

    async def page(self, url: str) -> Page:
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda message: self._console(message.text))
        await page.goto(url)
        return page

    def _console(self, text: str) -> None:
        if "Content Security Policy" in text or "Uncaught" in text:
            self.faults.append(text)


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser) -> AsyncIterator[Callable[..., Awaitable[Visit]]]:
    """Open a context; at the end no script may have failed and nothing may have hit the CSP."""
    visits: list[Visit] = []

    async def start(**options: Any) -> Visit:
        visits.append(Visit(await browser.new_context(locale="ko-KR", **(options or DESKTOP)), []))
        return visits[-1]

    yield start
    for each in visits:
        await each.context.close()
    assert [fault for each in visits for fault in each.faults] == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(visit: Callable[..., Awaitable[Visit]], site: Site) -> Page:
    return await (await visit()).page(site.url)


async def ask(page: Page, question: str) -> None:
    await page.fill("#question", question)
    await page.press("#question", "Enter")


async def ask_and_wait(page: Page, question: str = "연차는 며칠이야?") -> None:
    await ask(page, question)
    await page.wait_for_selector(".turn:last-child .tools, .turn:last-child .choices")
