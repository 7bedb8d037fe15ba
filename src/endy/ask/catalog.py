"""What can be asked: categories, starter questions, autocomplete and the FAQ list, per audience."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from endy.ask import wording
from endy.errors import NotFound
from endy.retrieval.analysis import compact
from endy.retrieval.hangul import decompose, from_english_keyboard
from endy.retrieval.passages import plain
from endy.retrieval.search import Searcher
from endy.retrieval.section import Section


@dataclass(frozen=True, slots=True)
class CategoryCount:
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    question: str
    category: str


class Catalog:
    """Reads the current snapshot; every list holds only what the audience may see."""

    def __init__(self, searcher: Callable[[], Searcher]) -> None:
        self._searcher = searcher

    def categories(self, audiences: frozenset[str]) -> list[CategoryCount]:
        """Categories with their number of sections, the largest first."""
        counts = Counter(section.category for section in self._visible(audiences))
        return [CategoryCount(name, count) for name, count in counts.most_common()]

    def starter_questions(self, category: str, limit: int, audiences: frozenset[str]) -> list[str]:
        """Questions to begin with, FAQs first. Raises NotFound for a category that this audience has not."""
        sections = [section for section in self._visible(audiences) if section.category == category]
        if not sections:
            raise NotFound("그런 분류가 없어요. 분류 목록에서 골라 주세요.")
        sections.sort(key=lambda section: section.kind != "faq")
        return list(dict.fromkeys(_question(section) for section in sections))[:limit]

    def suggest(self, text: str, limit: int, audiences: frozenset[str]) -> list[Suggestion]:
        """Questions that hold what has been typed so far; half-typed syllables and the wrong keyboard count."""
        wanted = {decompose(compact(way)) for way in (text, from_english_keyboard(text))} - {""}
        ranked: list[tuple[int, int, Suggestion]] = []
        for number, section in enumerate(self._visible(audiences)):
            question = _question(section)
            place = min((_place(section, question, way) for way in wanted), default=-1)
            if place >= 0:
                ranked.append((place, number, Suggestion(question, section.category)))
        ranked.sort(key=lambda row: row[:2])
        return list(dict.fromkeys(row[2] for row in ranked))[:limit]

    def faqs(self, category: str | None, audiences: frozenset[str]) -> list[Section]:
        return [
            section
            for section in self._visible(audiences)
            if section.kind == "faq" and category in (None, section.category)
        ]

    def section(self, section_id: str, audiences: frozenset[str]) -> Section:
        """One section; NotFound alike for a missing one and one that this audience may not see."""
        searcher = self._searcher()
        number = searcher.numbers.get(section_id)
        if number is None or not searcher.sections[number].visible_to(audiences):
            raise NotFound("그 내용을 찾을 수 없어요. 지워졌거나 볼 수 없는 내용이에요.")
        return searcher.sections[number]

    def _visible(self, audiences: frozenset[str]) -> list[Section]:
        return [section for section in self._searcher().sections if section.visible_to(audiences)]


def _question(section: Section) -> str:
    return wording.about(plain(section.title), korean=True)


def _place(section: Section, question: str, typed: str) -> int:
    """Where the typed letters stand: 0 at the question's beginning, then inside, then among the keywords."""
    for rank, text in enumerate((question, " ".join((*section.keywords, *section.heading_path)))):
        letters = decompose(compact(text))
        position = letters.find(typed)
        if position >= 0:
            return rank * 1000 + position
    return 10_000
