"""What knowledge owners see of their content: the questions that a model has written for it."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from endy.accounts.roles import audiences_of, owned_by
from endy.knowledge.generated import list_generated
from endy.web.deps import KnowledgeReader, Services
from endy.web.documented import errors

router = APIRouter(prefix="/api/admin/knowledge", tags=["지식"], responses=errors(401))


@router.get("/generated-questions")
async def generated_questions(
    services: Services,
    reader: KnowledgeReader,
    section: Annotated[str, Query(max_length=1000)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> dict[str, Any]:
    """LLM이 섹션마다 만든 질문과, 버린 질문의 까닭입니다. 관리자는 전체를, 지식 담당자는 맡은 것만 봅니다."""
    owned = owned_by(reader)
    rows = [
        row
        for row in await list_generated(services.engine, section)
        if (owned is None or {row.category, row.department} & owned) and row.visible_to(audiences_of(reader))
    ]
    shown = [asdict(row) | {"audience": sorted(row.audience)} for row in rows[offset : offset + limit]]
    return {"sections": shown, "total": len(rows), "generated": True}
