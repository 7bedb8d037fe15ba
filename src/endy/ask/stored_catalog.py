"""What can be asked, read from the search index in PostgreSQL."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from endy.ask.catalog import (
    CategoryCount,
    NoSuchCategory,
    NoSuchSection,
    Suggestion,
    letters,
    questions,
    suggestions,
    typed_ways,
)
from endy.knowledge.postgresql import repository
from endy.knowledge.postgresql.index import PostgresSearcher
from endy.knowledge.postgresql.repository import Question
from endy.retrieval.section import Section

T = TypeVar("T")

LOOKED_AT = 200
"""Sections that typed letters are looked for in more exactly."""


class StoredCatalog:
    """A `Catalog` of the indexed knowledge, asked of the database each time."""

    def __init__(self, searcher: Callable[[], PostgresSearcher]) -> None:
        self._searcher = searcher

    async def categories(self, audiences: frozenset[str]) -> list[CategoryCount]:
        counts = await self._ask(repository.sections_by_category, audiences)
        return [CategoryCount(name, count) for name, count in counts.items()]

    async def starter_questions(self, category: str, limit: int, audiences: frozenset[str]) -> list[str]:
        sections = await self._ask(partial(repository.first_contents, category=category, most=limit * 2), audiences)
        if not sections:
            raise NoSuchCategory
        return questions(sections, limit)

    async def suggest(self, text: str, limit: int, audiences: frozenset[str]) -> list[Suggestion]:
        ways = typed_ways(text)
        found = await self._ask(partial(repository.contents_with_letters, ways=ways, most=LOOKED_AT), audiences)
        return suggestions(((section, letters(section)) for section in found), ways, limit)

    async def faqs(self, category: str | None, audiences: frozenset[str]) -> list[Section]:
        return await self._ask(partial(repository.faq_contents, category=category), audiences)

    async def section(self, section_id: str, audiences: frozenset[str]) -> Section:
        found = await self._ask(partial(repository.content_of, section_id=section_id), audiences)
        if found is None:
            raise NoSuchSection
        return found

    async def _ask(self, question: Question[T], audiences: frozenset[str]) -> T:
        return await asyncio.to_thread(self._searcher().ask, question, audiences)
