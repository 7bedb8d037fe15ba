"""The chat page and its static files over ASGI, and the rules that its scripts, styles and texts keep."""

import gzip
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from endy.settings import Settings
from endy.web import pages

SCRIPTS = sorted((pages.STATIC / "js").rglob("*.js"))
STYLES = sorted((pages.STATIC / "css").glob("*.css"))
TEMPLATES = sorted((pages.HERE / "templates").rglob("*.html"))


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    app.state.services = SimpleNamespace(settings=Settings(_env_file=None))
    app.include_router(pages.router)
    pages.mount_static(app)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://endy.example") as opened:
        yield opened


async def test_page_speaks_korean_unless_told_otherwise(client: AsyncClient) -> None:
    """Korean by default, English by cookie, and nonsense in a cookie changes nothing."""
    assert '<html lang="ko">' in (await client.get("/")).text
    english = await client.get("/", headers={"Cookie": "endy_lang=en; endy_theme=dark"})
    assert '<html lang="en" data-theme="dark">' in english.text
    strange = await client.get("/", headers={"Cookie": 'endy_lang="><script>; endy_theme=pink'})
    assert '<html lang="ko">' in strange.text


async def test_page_is_never_stored_for_others(client: AsyncClient) -> None:
    """The page depends on cookies, so a shared cache must not keep it."""
    assert (await client.get("/")).headers["cache-control"] == "private, no-cache"


async def test_every_address_in_the_page_exists_and_stays_fresh(client: AsyncClient) -> None:
    """Each style, script and image of the page loads, is immutable and carries an ETag."""
    page = (await client.get("/")).text
    addresses = set(re.findall(r'(?:href|src)="(/static/[^"#]+)"', page))
    assert len(addresses) > 20
    for address in addresses:
        answer = await client.get(address)
        assert answer.status_code == 200, address
        assert answer.headers["cache-control"] == pages.KEEP_FOREVER
        assert (await client.get(address, headers={"If-None-Match": answer.headers["etag"]})).status_code == 304


async def test_other_versions_are_served_but_not_kept(client: AsyncClient) -> None:
    """A page from before an upgrade still works, without keeping new files under the old address."""
    answer = await client.get("/static/0123456789ab/css/base.css")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == pages.ASK_EACH_TIME


@pytest.mark.parametrize(
    "path", ["/static/nothing.css", "/static/../pages.py", "/static/%2e%2e/pages.py", "/static/0123456789ab/"]
)
async def test_nothing_else_is_served(client: AsyncClient, path: str) -> None:
    """Only files under static/ have an address."""
    assert (await client.get(path)).status_code == 404


async def test_first_paint_is_light(client: AsyncClient) -> None:
    """Page, styles, scripts and mark together stay under 100 KB over the wire."""
    page = (await client.get("/")).text
    total = len(gzip.compress(page.encode()))
    for address in set(re.findall(r'(?:href|src)="(/static/[^"#]+)"', page)):
        total += len(gzip.compress((await client.get(address)).content))
    assert total < 100_000


async def test_page_needs_no_inline_script_or_style(client: AsyncClient) -> None:
    """The CSP has no unsafe-inline; the only script element with content is data."""
    page = (await client.get("/")).text
    assert re.search(r"\sstyle=|<style|\son\w+=|javascript:", page) is None
    with_content = re.findall(r"<script([^>]*)>[^<]", page)
    assert with_content == [' type="application/json" id="strings"']
    assert re.search(r'(?:href|src)="(?:https?:)?//', page) is None


def test_both_languages_have_the_same_texts() -> None:
    """No text exists in one language only, and placeholders agree."""
    korean, english = pages.texts("ko"), pages.texts("en")
    assert korean.keys() == english.keys()
    # The particle exists in Korean only.
    for key, text in english.items():
        assert _placeholders(text) == _placeholders(korean[key]) - {"ro"}, key


def test_every_text_is_used_and_every_used_text_exists() -> None:
    """Scripts and templates name texts that exist, and none is left over."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in [*SCRIPTS, *TEMPLATES])
    named = set(re.findall(r"""["'`]([a-z]+(?:\.[a-z_]+)*)["'`]""", sources))
    built = set(re.findall(r"""["'`]([a-z]+(?:\.[a-z]+)*\.)(?:\$\{|["'] ~)""", sources))
    texts = pages.texts("ko")
    asked_for = set(re.findall(r"""\bt(?:\(|\[)["']([a-z._]+)["']""", sources))
    assert asked_for - texts.keys() - built == set()
    assert [key for key in texts if key not in named and not key.startswith(tuple(built))] == []


def test_html_enters_the_page_at_one_place() -> None:
    """Only `insertSanitised` sets HTML; everything else is text."""
    risky = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc")
    found = [(path.name, line.strip()) for path in SCRIPTS for line in _lines(path) if risky.search(line)]
    assert found == [("dom.js", "target.innerHTML = policy ? policy.createHTML(html) : html;")]


@pytest.mark.parametrize("path", [*SCRIPTS, *STYLES], ids=lambda path: path.name)
def test_scripts_and_styles_stay_small_and_say_what_they_are(path: Path) -> None:
    """At most 300 lines, with one opening sentence about the file."""
    lines = _lines(path)
    assert len(lines) <= 300
    assert lines[0].startswith(("// ", "/* "))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_texts_are_valid_json_without_repeated_keys() -> None:
    """A key written twice would silently win over the first."""
    for language in pages.LANGUAGES:
        raw = (pages.STATIC / "strings" / f"{language}.json").read_text(encoding="utf-8")
        keys = [key for key, _ in json.loads(raw, object_pairs_hook=list)]
        assert len(keys) == len(set(keys))
