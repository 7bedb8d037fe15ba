"""Generated questions beside the sections that they were written for, as knowledge owners read them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from endy.knowledge import repository
from endy.retrieval.section import EVERYONE
from endy.storage.transaction import reading


@dataclass(frozen=True, slots=True)
class GeneratedForSection:
    """`kept` are searched and never shown as content; `rejected` holds {"question", "reason"}."""

    section: str
    title: str
    category: str
    department: str
    audience: frozenset[str]
    kept: list[str]
    rejected: list[dict[str, str]]
    model: str
    created_at: datetime

    def visible_to(self, audiences: frozenset[str]) -> bool:
        return EVERYONE in self.audience or bool(self.audience & audiences)


async def list_generated(engine: AsyncEngine, part: str = "") -> list[GeneratedForSection]:
    """Of the sections whose id contains `part`, in the order of their documents."""
    async with reading(engine) as connection:
        _, sections = await repository.load_sections(connection)
        rows = await repository.generated(connection)
    return [
        GeneratedForSection(
            section=section.id,
            title=section.title,
            category=section.category,
            department=section.department,
            audience=section.audience,
            kept=row.kept,
            rejected=row.rejected,
            model=row.model,
            created_at=row.created_at,
        )
        for section in sections
        if part in section.id and (row := rows.get(section.content_hash)) is not None
    ]
