"""What can be asked: categories, starter questions, autocomplete and the FAQ list, per audience."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from endy.ask import wording
from endy.errors import NotFound
from endy.retrieval.analysis import compact
from endy.retrieval.hangul import decompose, from_english_keyboard
from endy.retrieval.passages import plain
from endy.retrieval.search import SectionSearcher
from endy.retrieval.section import Section

_NOWHERE = 10_000

Letters = tuple[str, str]
"""Of a section's question, and of its keywords and headings."""


@dataclass(frozen=True, slots=True)
class CategoryCount:
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    question: str
    category: str


class Catalog(Protocol):
    """What there is to ask; every list holds only what the audience may see."""

    async def categories(self, audiences: frozenset[str]) -> list[CategoryCount]:
        """Categories with their number of sections, the largest first."""
        ...

    async def starter_questions(self, category: str, limit: int, audiences: frozenset[str]) -> list[str]:
        """Questions to begin with, FAQs first. Raises NotFound for a category that this audience has not."""
        ...

    async def suggest(self, text: str, limit: int, audiences: frozenset[str]) -> list[Suggestion]:
        """Questions that hold what has been typed so far; half-typed syllables and the wrong keyboard count."""
        ...

    async def faqs(self, category: str | None, audiences: frozenset[str]) -> list[Section]: ...

    async def section(self, section_id: str, audiences: frozenset[str]) -> Section:
        """One section; NotFound alike for a missing one and one that this audience may not see."""
        ...


class SectionCatalog:
    """A `Catalog` of the current snapshot in memory."""

    def __init__(self, searcher: Callable[[], SectionSearcher]) -> None:
        self._searcher = searcher
        self._read: tuple[SectionSearcher, list[Letters]] | None = None

    async def categories(self, audiences: frozenset[str]) -> list[CategoryCount]:
        counts = Counter(section.category for section in self._visible(audiences))
        return [CategoryCount(name, count) for name, count in counts.most_common()]

    async def starter_questions(self, category: str, limit: int, audiences: frozenset[str]) -> list[str]:
        sections = [section for section in self._visible(audiences) if section.category == category]
        if not sections:
            raise NoSuchCategory
        sections.sort(key=lambda section: section.kind != "faq")
        return questions(sections, limit)

    async def suggest(self, text: str, limit: int, audiences: frozenset[str]) -> list[Suggestion]:
        searcher = self._searcher()
        if self._read is None or self._read[0] is not searcher:
            self._read = searcher, list(map(letters, searcher.sections))
        each = zip(searcher.sections, self._read[1], strict=True)
        return suggestions((pair for pair in each if pair[0].visible_to(audiences)), typed_ways(text), limit)

    async def faqs(self, category: str | None, audiences: frozenset[str]) -> list[Section]:
        return [
            section
            for section in self._visible(audiences)
            if section.kind == "faq" and category in (None, section.category)
        ]

    async def section(self, section_id: str, audiences: frozenset[str]) -> Section:
        searcher = self._searcher()
        number = searcher.numbers.get(section_id)
        if number is None or not searcher.sections[number].visible_to(audiences):
            raise NoSuchSection
        return searcher.sections[number]

    def _visible(self, audiences: frozenset[str]) -> list[Section]:
        return [section for section in self._searcher().sections if section.visible_to(audiences)]


class NoSuchCategory(NotFound):
    """Or this audience may see nothing in it."""

    def __init__(self) -> None:
        super().__init__("그런 분류가 없어요. 분류 목록에서 골라 주세요.")


class NoSuchSection(NotFound):
    """Or this audience may not see it."""

    def __init__(self) -> None:
        super().__init__("그 내용을 찾을 수 없어요. 지워졌거나 볼 수 없는 내용이에요.")


def typed_ways(text: str) -> set[str]:
    """The letters that somebody who types this may mean."""
    return {decompose(compact(way)) for way in (text, from_english_keyboard(text))} - {""}


def letters(section: Section) -> Letters:
    texts = (_question(section), " ".join((*section.keywords, *section.heading_path)))
    return decompose(compact(texts[0])), decompose(compact(texts[1]))


def questions(sections: Iterable[Section], limit: int) -> list[str]:
    """The sections as different questions."""
    return list(dict.fromkeys(map(_question, sections)))[:limit]


def suggestions(sections: Iterable[tuple[Section, Letters]], wanted: set[str], limit: int) -> list[Suggestion]:
    """Of the sections those that hold any of the typed letters, the nearest to the beginning first."""
    ranked: list[tuple[int, int, Suggestion]] = []
    for number, (section, texts) in enumerate(sections):
        place = min((_place(texts, way) for way in wanted), default=_NOWHERE)
        if place < _NOWHERE:
            ranked.append((place, number, Suggestion(_question(section), section.category)))
    ranked.sort(key=lambda row: row[:2])
    return list(dict.fromkeys(row[2] for row in ranked))[:limit]


def _question(section: Section) -> str:
    return wording.about(plain(section.title), korean=True)


def _place(texts: Letters, typed: str) -> int:
    """Where the typed letters stand: 0 at the question's beginning, then inside, then among the keywords."""
    for rank, text in enumerate(texts):
        position = text.find(typed)
        if position >= 0:
            return rank * 1000 + position
    return _NOWHERE
