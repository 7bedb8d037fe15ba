"""Markdown to sections: headings give the structure, the text between them stays as it was written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

from markdown_it import MarkdownIt
from markdown_it.token import Token

from endy.knowledge.contact import find_contact
from endy.knowledge.problems import Problem
from endy.knowledge.readers.front_matter import read_head
from endy.knowledge.readers.parsed import FrontMatter, ParsedDocument
from endy.knowledge.readers.tables import table_problems
from endy.knowledge.readers.text import decode
from endy.knowledge.sections import unique_id, with_hash
from endy.retrieval.passages import plain
from endy.retrieval.section import Section

LONG_SECTION = 8000
LONG_INTRO = 400
_LEAF_LEVELS = ("h1", "h2", "h3", "h4")

# Blocks are all that structure needs; leaving inline parsing out is several times faster.
_blocks = MarkdownIt("commonmark").enable("table")
_blocks.core.ruler.enableOnly(["normalize", "block"])


@dataclass(frozen=True, slots=True)
class _Part:
    """A heading with its own body. `path` holds the headings from `##` down, itself last."""

    path: tuple[str, ...]
    body: str
    line: int


@dataclass(frozen=True, slots=True)
class _Heading:
    level: int
    text: str
    start: int
    end: int


def read_markdown(name: str, content: bytes) -> ParsedDocument:
    """The sections of a Markdown file; never raises."""
    fallback = PurePosixPath(name).stem
    text, problems = decode(name, content)
    if text is None:
        return ParsedDocument(fallback, problems=tuple(problems), refused=True)
    lines = text.split("\n")
    head = read_head(name, lines)
    # Blank lines in place of the head keep every line number true.
    lines[: head.length] = [""] * head.length
    tokens = _blocks.parse("\n".join(lines))
    problems += [*head.problems, *_fence_problems(name, lines, tokens), *table_problems(name, lines, tokens)]
    outline = _Outline(name, lines, tokens)
    title = head.front_matter.title or outline.title or fallback
    parts = outline.parts(title)
    problems += outline.problems
    if not parts:
        problems.append(Problem(name, "본문이 없어요. 제목 아래에 내용을 적어 주세요.", severity="error"))
    sections = _sections(name, title, head.front_matter, parts, problems)
    in_order = tuple(sorted(problems, key=lambda problem: problem.line or 0))
    if any(problem.severity == "error" for problem in in_order):
        return ParsedDocument(title, head.front_matter, problems=in_order, refused=True)
    return ParsedDocument(title, head.front_matter, sections, in_order)


class _Outline:
    """The headings of a document and the text that each one holds itself."""

    def __init__(self, name: str, lines: list[str], tokens: Sequence[Token]) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self._headings = list(_headings(tokens))
        self._lines = _without_comments(lines, tokens)
        first = next((heading for heading in self._headings if heading.level == 1), None)
        self._title = first
        self.title = first.text if first else ""

    def parts(self, title: str) -> list[_Part]:
        below = [heading for heading in self._headings if heading is not self._title]
        if not below:
            body = "\n".join(self._lines[: self._title.start] if self._title else self._lines)
            after = "\n".join(self._lines[self._title.end :]) if self._title else ""
            whole = f"{body}\n{after}".strip()
            return [_Part((title,), whole, 1)] if _says_something(whole) else []
        self._check_intro(below[0])
        return list(self._walk())

    def _walk(self) -> Iterator[_Part]:
        """A second `#` stands for a `##`: nothing under it may get lost."""
        stack: list[_Heading] = []
        deepest = 1
        for number, heading in enumerate(self._headings):
            if heading is self._title:
                stack, deepest = [], 1
                continue
            level = max(heading.level, 2)
            self._check_level(heading, deepest)
            deepest = level
            stack = [above for above in stack if max(above.level, 2) < level]
            stack.append(heading)
            end = self._headings[number + 1].start if number + 1 < len(self._headings) else len(self._lines)
            body = "\n".join(self._lines[heading.end : end]).strip("\n").rstrip()
            if _says_something(body):
                yield _Part(tuple(above.text for above in stack), body, heading.start + 1)

    def _check_level(self, heading: _Heading, above: int) -> None:
        if heading.level == 1:
            self._warn("`#` 제목이 또 나와요. 대분류라면 `##`로 적어 주세요.", heading.start + 1)
        elif heading.level > above + 1:
            signs = "#" * (above + 1)
            self._warn(f"제목 단계를 건너뛰었어요. `{signs}` 제목을 먼저 적어 주세요.", heading.start + 1)
        if not heading.text:
            self._warn("제목이 비어 있어요. 찾을 수 있게 제목을 적어 주세요.", heading.start + 1)

    def _check_intro(self, first: _Heading) -> None:
        start = self._title.end if self._title else 0
        intro = "\n".join(self._lines[start : first.start]).strip()
        if len(intro) > LONG_INTRO or "\n|" in intro:
            self._warn("첫 `##` 제목 앞의 글은 검색되지 않아요. `##` 제목 아래로 옮겨 주세요.", start + 1)

    def _warn(self, message: str, line: int) -> None:
        self.problems.append(Problem(self.name, message, line))


def _headings(tokens: Sequence[Token]) -> Iterator[_Heading]:
    """Top-level headings of levels 1-4; deeper ones, and those in quotes and lists, belong to the body."""
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.tag in _LEAF_LEVELS and token.map:
            yield _Heading(int(token.tag[1]), plain(inline.content), *token.map)


def _without_comments(lines: list[str], tokens: Sequence[Token]) -> list[str]:
    """Notes to oneself (`<!-- … -->`) are not for readers."""
    kept = list(lines)
    for token in tokens:
        note = token.content.strip() if token.type == "html_block" and token.map and not token.level else ""
        if token.map and note.startswith("<!--") and note.endswith("-->"):
            kept[slice(*token.map)] = [""] * (token.map[1] - token.map[0])
    return kept


def _says_something(body: str) -> bool:
    return any(char.isalnum() for char in body)


def _fence_problems(name: str, lines: Sequence[str], tokens: Sequence[Token]) -> Iterator[Problem]:
    for token in tokens:
        if token.type != "fence" or token.level or token.map is None:
            continue
        start, end = token.map
        last = lines[end - 1].strip() if end - 1 > start else ""
        if not (last.startswith(token.markup) and not last.strip(token.markup[0])):
            message = f"코드 블록이 닫히지 않았어요. 끝에 `{token.markup}` 줄을 넣어 주세요."
            yield Problem(name, message, start + 1, "error")


def _sections(
    name: str, title: str, front: FrontMatter, parts: Sequence[_Part], problems: list[Problem]
) -> tuple[Section, ...]:
    sections: dict[str, Section] = {}
    for part in parts:
        wanted = f"{name}#{' > '.join(part.path)}"
        unique = unique_id(wanted, sections)
        if unique != wanted:
            message = f"'{part.path[-1][:60]}' 제목이 겹치거나 너무 길어요. 다르게 적으면 출처가 또렷해져요."
            problems.append(Problem(name, message, part.line))
        if len(part.body) > LONG_SECTION:
            problems.append(Problem(name, "본문이 길어요. `###` 제목으로 나누면 더 잘 찾아요.", part.line))
        sections[unique] = _section(unique, name, title, front, part)
    return tuple(sections.values())


def _section(unique: str, name: str, title: str, front: FrontMatter, part: _Part) -> Section:
    found = find_contact(part.body)
    department = (found.department if found else "") or front.department
    contact = found.contact if found else front.contact
    section = Section(
        id=unique,
        kind="section",
        document=name,
        document_title=title,
        heading_path=part.path,
        title=part.path[-1],
        text=part.body,
        category=(front.category or part.path[0])[:200],
        department=department,
        contact=contact,
        link=front.link,
        keywords=front.keywords,
        audience=front.audience,
        effective_from=front.effective_from,
        review_by=front.review_by,
    )
    return with_hash(section)
