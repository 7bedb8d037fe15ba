"""What every reader returns, whatever the file format."""

from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from endy.knowledge.problems import Problem
from endy.retrieval.section import EVERYONE, Section


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What the head of a document says about all its sections."""

    title: str = ""
    category: str = ""
    department: str = ""
    contact: str = ""
    audience: frozenset[str] = frozenset({EVERYONE})
    effective_from: date | None = None
    review_by: date | None = None
    link: str = ""
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A file as read. When it is `refused`, it has no sections and the last good ones stay.

    `kept_ids` are sections that could not be read this time while the rest of the file could.
    """

    title: str
    front_matter: FrontMatter = field(default_factory=FrontMatter)
    sections: tuple[Section, ...] = ()
    problems: tuple[Problem, ...] = ()
    kept_ids: frozenset[str] = frozenset()
    refused: bool = False


class Reader(Protocol):
    """Reads a file's bytes; never raises, whatever the bytes are. `name` is the path below KNOWLEDGE_DIR."""

    def __call__(self, name: str, content: bytes) -> ParsedDocument: ...
