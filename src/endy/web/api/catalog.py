"""What can be asked: autocomplete, categories, starter questions, FAQs and a section's text."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from endy.ask.render import to_html
from endy.retrieval.passages import plain
from endy.web.deps import AnyAsker, Services
from endy.web.documented import errors

router = APIRouter(prefix="/api", tags=["둘러보기"], responses=errors(401, 404))


@router.get("/questions")
async def suggest(
    services: Services,
    asker: AnyAsker,
    q: Annotated[str, Query(max_length=500)] = "",
    limit: Annotated[int, Query(ge=1, le=20)] = 8,
) -> dict[str, Any]:
    """적는 동안 이어질 만한 질문을 보여 줍니다."""
    return {"questions": await services.catalog.suggest(q, limit, asker.audiences) if q.strip() else []}


@router.get("/categories")
async def categories(services: Services, asker: AnyAsker) -> dict[str, Any]:
    """볼 수 있는 분류와 내용 수입니다."""
    return {"categories": await services.catalog.categories(asker.audiences)}


@router.get("/category/{category}/questions")
async def starter_questions(
    category: str, services: Services, asker: AnyAsker, limit: Annotated[int, Query(ge=1, le=50)] = 5
) -> dict[str, Any]:
    """분류마다 먼저 물어볼 만한 질문입니다."""
    found = await services.catalog.starter_questions(category, limit, asker.audiences)
    return {"category": category, "questions": found}


@router.get("/faqs")
async def faqs(
    services: Services, asker: AnyAsker, category: Annotated[str | None, Query(max_length=200)] = None
) -> dict[str, Any]:
    """FAQ 목록입니다."""
    return {
        "faqs": [
            {
                "id": section.id,
                "category": section.category,
                "question": section.title,
                "main_answer": section.text,
                "keywords": section.keywords,
                "department": section.department,
                "contact": section.contact,
                "link": section.link,
                "updated_at": section.updated_at,
            }
            for section in await services.catalog.faqs(category, asker.audiences)
        ]
    }


@router.get("/sections")
async def section(
    services: Services, asker: AnyAsker, section_id: Annotated[str, Query(alias="id", min_length=1, max_length=1000)]
) -> dict[str, Any]:
    """출처로 나온 섹션의 전체 내용입니다."""
    found = await services.catalog.section(section_id, asker.audiences)
    return {
        "id": found.id,
        "title": plain(found.title),
        "heading_path": found.heading_path,
        "document": found.document,
        "html": to_html(found.text),
        "department": found.department,
        "contact": found.contact,
        "link": found.link,
        "updated_at": found.updated_at,
    }
