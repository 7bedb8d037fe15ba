"""The Markdown reader: headings to sections, and everything a person can get wrong."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endy.knowledge.readers.markdown import read_markdown
from endy.knowledge.readers.parsed import ParsedDocument
from endy.retrieval.section import Section


def read(text: str) -> ParsedDocument:
    return read_markdown("guide.md", text.encode())


def sections(text: str) -> dict[str, Section]:
    parsed = read(text)
    assert not parsed.refused, parsed.problems
    return {section.id.removeprefix("guide.md#"): section for section in parsed.sections}


def complaints(text: str) -> list[tuple[int | None, str, str]]:
    return [(problem.line, problem.severity, problem.message) for problem in read(text).problems]


def only_complaint(text: str) -> tuple[int | None, str, str]:
    (complaint,) = complaints(text)
    return complaint


def test_ids_are_the_path_below_the_document_title() -> None:
    """`<file>#<H2> > <H3> > <H4>`, a section for every heading with its own text."""
    found = sections(
        "# 문서\n머리말\n## 휴가\n### 연차\n소개\n#### 신청\n올려요\n#### 취소\n내려요\n## 급여\n25일이에요\n"
    )
    assert list(found) == ["휴가 > 연차", "휴가 > 연차 > 신청", "휴가 > 연차 > 취소", "급여"]
    apply = found["휴가 > 연차 > 신청"]
    assert (apply.title, apply.text, apply.heading_path) == ("신청", "올려요", ("휴가", "연차", "신청"))
    assert (apply.document, apply.document_title, apply.kind) == ("guide.md", "문서", "section")


def test_a_document_without_lower_headings_is_one_section() -> None:
    """It has the document's title, or the file's name when there is no heading at all."""
    assert sections("# 안내\n본문이에요\n")["안내"].text == "본문이에요"
    assert sections("그냥 글이에요\n")["guide"].text == "그냥 글이에요"


def test_the_category_is_the_front_matter_or_the_h2() -> None:
    """Content says its category; the `##` heading is the fallback."""
    assert sections("# 가\n## 휴가\n### 연차\n글\n")["휴가 > 연차"].category == "휴가"
    assert sections("---\ncategory: HR\n---\n# 가\n## 휴가\n### 연차\n글\n")["휴가 > 연차"].category == "HR"


def test_the_body_is_kept_as_it_was_written() -> None:
    """Tables, lists, code and deeper headings stay source text."""
    blocks = [
        "앞글",
        "| 가 | 나 |\n|---|---|\n| 1 | 2 |",
        "- 하나\n  - 둘",
        "```sh\n# 주석\n## 또\n```",
        "##### 깊은 제목\n끝",
    ]
    body = "\n\n".join(blocks)
    assert sections(f"# 문서\n## 분류\n{body}\n")["분류"].text == body


@pytest.mark.parametrize(
    "body",
    [
        "```\n# 제목 아님\n```",
        "    # 들여쓴 코드",
        "> ## 인용 속",
        "- ## 목록 속",
        "~~~\n## 물결\n~~~",
        "#띄어쓰기 없음",
    ],
)
def test_what_only_looks_like_a_heading_is_none(body: str) -> None:
    """Code, quotes and lists do not cut a section in two."""
    assert list(sections(f"# 문서\n## 분류\n글\n\n{body}\n")) == ["분류"]


def test_underlined_headings_count() -> None:
    """Setext headings are `#` and `##`."""
    assert list(sections("문서\n===\n\n휴가\n---\n\n본문\n")) == ["휴가"]


def test_heading_signs_are_not_part_of_the_title() -> None:
    """Emphasis, code and links in a heading leave their words."""
    assert list(sections("# 문서\n## **휴가** `연차` [안내](https://x.example)\n글\n")) == ["휴가 연차 안내"]


def test_line_ends_and_decomposed_hangul_do_not_matter() -> None:
    """Windows line ends and the letters that macOS takes apart give the same section."""
    plain = sections("# 문서\n## 휴가\n본문\n둘째 줄\n")
    assert sections("# 문서\r\n## 휴가\r\n본문\r\n둘째 줄\r\n") == plain
    assert sections(unicodedata.normalize("NFD", "# 문서\n## 휴가\n본문\n둘째 줄\n")) == plain


def test_notes_to_oneself_are_not_shown() -> None:
    """An HTML comment is no content, alone or beside text."""
    assert sections("# 문서\n## 휴가\n<!-- 확인 필요 -->\n\n본문\n")["휴가"].text == "본문"
    assert list(sections("# 문서\n## 휴가\n<!-- 나중에 -->\n## 급여\n글\n")) == ["급여"]


def test_a_repeated_heading_gets_a_number_and_is_reported() -> None:
    """The second of two equal paths gets ` (2)`, the third ` (3)`."""
    text = "# 문서\n## 휴가\n하나\n## 휴가\n둘\n## 휴가\n셋\n"
    assert list(sections(text)) == ["휴가", "휴가 (2)", "휴가 (3)"]
    assert [line for line, *_ in complaints(text)] == [4, 6]


def test_a_skipped_level_is_reported_and_kept() -> None:
    """`##` to `####` is a slip of form, not of content."""
    text = "# 문서\n## 휴가\n#### 연차\n글\n"
    assert list(sections(text)) == ["휴가 > 연차"]
    line, severity, message = only_complaint(text)
    assert (line, severity) == (3, "warning")
    assert "`###`" in message


def test_a_second_document_title_loses_nothing() -> None:
    """A `#` further down is taken as a `##` and reported."""
    text = "# 문서\n## 휴가\n글\n# 급여\n또 글\n## 수당\n글\n"
    assert list(sections(text)) == ["휴가", "급여", "수당"]
    assert only_complaint(text)[0] == 4


def test_a_long_text_before_the_first_heading_is_reported() -> None:
    """The introduction is not searched, so a long one is pointed out."""
    line, severity, message = only_complaint(f"# 문서\n{'긴 머리말이에요. ' * 60}\n## 휴가\n글\n")
    assert (line, severity) == (2, "warning")
    assert "검색되지 않아요" in message


@pytest.mark.parametrize("text", ["# 문서\n", "# 문서\n## 휴가\n### 연차\n", "---\ntitle: 가\n---\n"])
def test_headings_without_text_are_refused(text: str) -> None:
    """A file that says nothing is an error: its last good version goes on."""
    assert read(text).refused
    assert "본문이 없어요" in complaints(text)[-1][2]


def test_an_unclosed_code_fence_is_refused() -> None:
    """Everything after it would disappear into the code."""
    line, severity, message = only_complaint("# 문서\n## 가\n글\n```sh\nls\n## 나\n글\n")
    assert (line, severity) == (4, "error")
    assert "닫히지" in message


def test_closed_fences_of_every_kind_are_fine() -> None:
    """Longer fences, tildes and a fence at the very end."""
    assert complaints("# 문서\n## 가\n````\n```\n````\n\n~~~py\nx\n~~~\n\n```\n끝\n```") == []


def test_rows_of_another_width_are_reported_by_line() -> None:
    """A cell too few or too many moves numbers under the wrong column."""
    text = "# 문서\n## 가\n| 직급 | 일수 |\n|---|---|\n| 사원 |\n| 대리 | 2 | 3 |\n| a \\| b | 4 |\n\n끝\n"
    assert [(line, severity) for line, severity, _ in complaints(text)] == [(5, "warning"), (6, "warning")]


def test_text_glued_to_a_table_is_reported() -> None:
    """Without a blank line Markdown takes the next line for a row."""
    text = "# 문서\n## 가\n| 직급 | 일수 |\n|---|---|\n| 사원 | 1 |\n문의: 총무팀 (내선 3300)\n\n끝\n"
    assert only_complaint(text)[0] == 6


@pytest.mark.parametrize(
    ("tail", "line"),
    [
        ("| 직급 | 일수 |\n|---|---|\n", 3),
        ("| 직급 | 일수 |\n|---|---|\n| 사원 | 1 |\n| 대리", 6),
        ("| 직급 | 일수 |\n|---|---|\n| 사원 | 1 |\n| 대리 | 1", 6),
        ("| 직급 | 일수 |", 3),
    ],
)
def test_a_table_cut_off_at_the_end_of_the_file_is_refused(tail: str, line: int) -> None:
    """A copy that stopped half-way must not replace the whole document."""
    assert read(f"# 문서\n## 가\n{tail}").refused
    assert only_complaint(f"# 문서\n## 가\n{tail}")[:2] == (line, "error")


def test_an_empty_table_and_a_failed_one_are_reported() -> None:
    """In the middle of a document they are slips, not cuts."""
    text = "# 문서\n## 가\n| 직급 |일수|\n|---|---|\n\n글\n\n| 직급 | 일수 |\n|---|\n| 사원 | 1 |\n\n끝\n"
    assert [(line, severity) for line, severity, _ in complaints(text)] == [(3, "warning"), (8, "warning")]


def test_a_very_long_section_is_reported() -> None:
    """It is kept; smaller sections are found better."""
    assert only_complaint(f"# 문서\n## 가\n{'글' * 9000}\n")[1] == "warning"


def test_an_endless_heading_still_fits_the_database() -> None:
    """Ids are at most 1,000 characters and stay distinct."""
    found = read(f"# 문서\n## {'가' * 3000}\n하나\n## {'가' * 3000}\n둘\n").sections
    assert len({section.id for section in found}) == 2
    assert all(len(section.id) <= 1000 and len(section.category) <= 200 for section in found)


def test_hashes_notice_what_is_shown_and_nothing_else() -> None:
    """Text, title, contact and audience change the hash; the place in the file does not."""
    base = sections("# 문서\n## 가\n글\n")["가"]
    assert sections("# 문서\n## 앞\n앞글\n## 가\n글\n")["가"].content_hash == base.content_hash
    others = [
        "# 문서\n## 가\n다른 글\n",
        "# 다른 문서\n## 가\n글\n",
        "---\ncontact: 내선 1\n---\n# 문서\n## 가\n글\n",
        "---\naudience: 관리자\n---\n# 문서\n## 가\n글\n",
        "---\nreview_by: 2027-01-01\n---\n# 문서\n## 가\n글\n",
        "---\nkeywords: 나\n---\n# 문서\n## 가\n글\n",
    ]
    hashes = {sections(other)["가"].content_hash for other in others}
    assert len(hashes | {base.content_hash}) == len(others) + 1


SIGNS = ["#", "##", "####", "```", "~~~", ">", "-", "|", "|---|", "<!--", "-->", "===", "[", "](", "&", "*", "*a", "&a"]
LINES = ["\n", "---\n", "...\n", "title: ", "audience: ", "effective_from: 2026-02-30\n", "문의: 팀 (내선 1)"]
SPACES = ["\t", "\r", "\u2028", "\x0b", "\ufeff"]
MARKDOWN_PIECES = st.sampled_from([*SIGNS, *LINES, *SPACES])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(MARKDOWN_PIECES, st.text(max_size=8)), max_size=40).map("".join))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    """Whatever is typed gives sections or a reason; ids are distinct and everything can be stored."""
    parsed = read_markdown("guide.md", text.encode("utf-8", "surrogatepass"))
    assert parsed.sections or parsed.refused
    assert len({section.id for section in parsed.sections}) == len(parsed.sections)
    assert all(problem.message and problem.document == "guide.md" for problem in parsed.problems)
    "".join(section.id + section.text + section.title for section in parsed.sections).encode()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_raise(content: bytes) -> None:
    """Not even bytes that are no text."""
    parsed = read_markdown("guide.md", content)
    assert parsed.sections or parsed.refused
