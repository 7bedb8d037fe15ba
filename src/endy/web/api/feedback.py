"""Opinions about answers: given by askers, read by admins and by the owners of what they are about."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, BaseModel, Field

from endy.accounts.roles import owned_by
from endy.audit.service import Event
from endy.feedback.reasons import Reason
from endy.feedback.repository import FeedbackRow
from endy.web.csv import csv_response
from endy.web.deps import AnyAsker, Caller, FeedbackReader, Services
from endy.web.documented import errors
from endy.web.typed import readable

COLUMNS = (
    "created_at", "question_id", "question", "status", "category", "department", "is_helpful", "reasons", "comment",
    "updated_at",
)  # fmt: skip

router = APIRouter(prefix="/api/feedback", tags=["평가"], responses=errors(401, 404))

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=500)]
Comment = Annotated[str, Field(max_length=1000), AfterValidator(readable)] | None


class FeedbackBody(BaseModel):
    question_id: Annotated[str, Field(min_length=1, max_length=64)]
    is_helpful: bool
    comment: Comment = None


class DetailedBody(BaseModel):
    question_id: Annotated[str, Field(min_length=1, max_length=64)]
    reasons: Annotated[list[Reason], Field(min_length=1, max_length=10)]
    comment: Comment = None


@router.post("")
async def rate(body: FeedbackBody, services: Services, asker: AnyAsker) -> dict[str, Any]:
    """답변이 도움이 됐는지 알려 줍니다. 다시 보내면 바뀝니다."""
    await services.feedback.rate(body.question_id, asker.key, body.is_helpful, body.comment)
    return {"success": True, "message": "알려 주셔서 고마워요."}


@router.post("/detailed")
async def explain(body: DetailedBody, services: Services, asker: AnyAsker) -> dict[str, Any]:
    """무엇이 아쉬웠는지 알려 줍니다."""
    await services.feedback.explain(body.question_id, asker.key, body.reasons, body.comment)
    return {"success": True, "message": "알려 주셔서 고마워요. 답변을 고치는 데 쓸게요."}


@router.get("/stats")
async def stats(services: Services, reader: FeedbackReader) -> dict[str, Any]:
    """평가를 모아 보여 줍니다. 관리자는 전체를, 지식 담당자는 맡은 것만 봅니다."""
    return {"stats": await services.feedback.stats(owned_by(reader))}


@router.get("/detailed")
async def detailed(
    services: Services, reader: FeedbackReader, limit: Limit = 50, cursor: Cursor = None
) -> dict[str, Any]:
    """평가를 최근 것부터 보여 줍니다. 관리자는 전체를, 지식 담당자는 맡은 것만 봅니다."""
    page = await services.feedback.page(limit, cursor, owned=owned_by(reader))
    return {"feedback": page.items, "next_cursor": page.next_cursor}


@router.get("/negative")
async def negative(
    services: Services, reader: FeedbackReader, limit: Limit = 50, cursor: Cursor = None
) -> dict[str, Any]:
    """도움이 안 된 답변을 최근 것부터 보여 줍니다. 관리자는 전체를, 지식 담당자는 맡은 것만 봅니다."""
    page = await services.feedback.page(limit, cursor, negative=True, owned=owned_by(reader))
    return {"feedback": page.items, "next_cursor": page.next_cursor}


@router.get("/export", response_class=StreamingResponse)
async def export(services: Services, reader: FeedbackReader, caller: Caller) -> StreamingResponse:
    """볼 수 있는 평가를 모두 CSV로 내려받습니다. 내려받은 것은 감사 기록에 남습니다."""
    event = Event("feedback_exported", reader.employee_id, address=caller.address, request_id=caller.request_id)
    await services.audit.add(event)
    return csv_response("feedback.csv", COLUMNS, _table(services.feedback.rows(owned_by(reader))))


async def _table(rows: AsyncIterator[FeedbackRow]) -> AsyncIterator[list[object]]:
    async for row in rows:
        values = asdict(row) | {"reasons": ", ".join(row.reasons)}
        yield [values[name] for name in COLUMNS]
