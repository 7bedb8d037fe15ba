"""A section cut into passages: sentences, list items and table rows, the units that are matched and shown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

_SENTENCE_END = re.compile(r"(?<=[^\d\s][.!?。])\s+(?=\S)|(?<=\d[.!?])\s+(?=[가-힣A-Z'\"“‘(])")
# What may be more than a paragraph of plain words, if only because it is rare; the parser decides.
_MARKED = re.compile(r"[`*_\[\]<>&\\|~#!=]|[^\S \n]|\0|^ *[-+:]|^ *\d+[.)]|^ {4}", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n *(?:\n *)+")
_parser = MarkdownIt("commonmark").enable("table")

Kind = Literal["sentence", "item", "row"]


@dataclass(frozen=True, slots=True)
class Passage:
    """One unit of a section. `block` tells which paragraph, list or table it came from.

    `text` is plain; `markdown` is the source form of the unit. For a table row `header` holds
    the column names and `cells` the row, so that the row can be shown alone.
    """

    kind: Kind
    text: str
    markdown: str
    block: int
    ordered: bool = False
    header: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def split_passages(markdown: str) -> tuple[Passage, ...]:
    """The passages of a section's body, in reading order."""
    if not _MARKED.search(markdown):
        return tuple(_prose(markdown))
    return tuple(_blocks(SyntaxTreeNode(_parser.parse(markdown))))


def plain(markdown: str) -> str:
    """The words of inline Markdown without its signs; links keep their text."""
    if "\n" not in markdown and not _MARKED.search(markdown):
        return " ".join(markdown.split())
    return _inline_text(_parser.parseInline(markdown)[0])


def _inline_text(token: Token) -> str:
    parts: list[str] = []
    for child in token.children or ():
        if child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
    return " ".join("".join(parts).split())


def sentences(text: str) -> list[str]:
    """Split at sentence ends; decimals, dates and abbreviations inside stay whole."""
    return [part for part in (piece.strip() for piece in _SENTENCE_END.split(text)) if part]


def _prose(text: str) -> Iterator[Passage]:
    """What the parser would make of paragraphs without any signs, twenty times faster."""
    for block, paragraph in enumerate(_BLANK_LINES.split(text.strip())):
        for sentence in sentences(" ".join(paragraph.split())):
            yield Passage("sentence", sentence, sentence, block)


def _blocks(root: SyntaxTreeNode) -> Iterator[Passage]:
    for block, node in enumerate(root.children):
        if node.type == "table":
            yield from _rows(node, block)
        elif node.type in ("bullet_list", "ordered_list"):
            yield from _items(node, block)
        elif node.type in ("fence", "code_block"):
            code = node.content.strip()
            yield Passage("sentence", code, f"```\n{code}\n```", block)
        else:
            yield from _sentences(node, block)


def _sentences(node: SyntaxTreeNode, block: int) -> Iterator[Passage]:
    for inline in _inlines(node):
        for sentence in sentences(" ".join(inline.split())):
            yield Passage("sentence", plain(sentence), sentence, block)


def _items(node: SyntaxTreeNode, block: int) -> Iterator[Passage]:
    for item in node.children:
        for child in item.children:
            if child.type in ("bullet_list", "ordered_list"):
                yield from _items(child, block)
                continue
            source = " ".join(" ".join(_inlines(child)).split())
            yield Passage("item", plain(source), source, block, ordered=node.type == "ordered_list")


def _rows(node: SyntaxTreeNode, block: int) -> Iterator[Passage]:
    head, *bodies = node.children
    header = tuple(plain(cell) for cell in _cells(head.children[0]))
    for row in (row for body in bodies for row in body.children):
        sources = _cells(row)
        cells = tuple(plain(cell) for cell in sources)
        pairs = [f"{name} {cell}".strip() for name, cell in zip(header, cells, strict=False) if cell]
        markdown = " | ".join(source.replace("|", "\\|") for source in sources)
        yield Passage("row", ", ".join(pairs), markdown, block, header=header, cells=cells)


def _cells(row: SyntaxTreeNode) -> list[str]:
    return [" ".join(_inlines(cell)) for cell in row.children]


def _inlines(node: SyntaxTreeNode) -> list[str]:
    return [child.content for child in node.walk() if child.type == "inline"]
