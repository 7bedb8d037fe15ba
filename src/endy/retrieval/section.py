"""The unit that is searched: one leaf section of a document, or one FAQ."""

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

EVERYONE = "everyone"

_HANGUL_WORDS = re.compile(r"[가-힣]{2,}")


@dataclass(frozen=True, slots=True)
class Section:
    """One leaf section or FAQ, as stored, searched and cited.

    `id` is `<document>#<H2> > <H3>[ > <H4>]` or `faq:<id>`; a second section with the same path
    in one document gets ` (2)` appended. `text` is the Markdown body without its heading.
    `audience` holds who may see it: `everyone`, department names, or `admin`.
    """

    id: str
    kind: Literal["section", "faq"]
    document: str
    document_title: str
    heading_path: tuple[str, ...]
    title: str
    text: str
    category: str
    department: str = ""
    contact: str = ""
    link: str = ""
    keywords: tuple[str, ...] = ()
    audience: frozenset[str] = field(default_factory=lambda: frozenset({EVERYONE}))
    effective_from: date | None = None
    review_by: date | None = None
    updated_at: str = ""
    content_hash: str = ""
    questions: tuple[str, ...] = ()
    """What a model thinks employees ask about it: searched, never shown as content, and no part of the hash."""

    def visible_to(self, audiences: frozenset[str]) -> bool:
        return EVERYONE in self.audience or bool(self.audience & audiences)


def named_words(section: Section) -> set[str]:
    """The Hangul words of a section's headings and keywords, as they are written."""
    texts = (*section.heading_path, section.title, *section.keywords)
    return {word for text in texts for word in _HANGUL_WORDS.findall(text)}
