"""Opinions about answers: given by askers, read by admins."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, Field

from endy.feedback.reasons import Reason
from endy.web.deps import AnyAsker, FeedbackReader, Services
from endy.web.documented import errors
from endy.web.typed import readable

router = APIRouter(prefix="/api/feedback", tags=["평가"], responses=errors(401, 404))

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
async def stats(services: Services, _reader: FeedbackReader) -> dict[str, Any]:
    """평가를 모아 보여 줍니다. 관리자만 볼 수 있습니다."""
    return {"stats": await services.feedback.stats()}


@router.get("/detailed")
async def detailed(
    services: Services,
    _reader: FeedbackReader,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> dict[str, Any]:
    """평가를 최근 것부터 보여 줍니다. 관리자만 볼 수 있습니다."""
    page = await services.feedback.page(limit, cursor)
    return {"feedback": page.items, "next_cursor": page.next_cursor}


@router.get("/negative")
async def negative(
    services: Services,
    _reader: FeedbackReader,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> dict[str, Any]:
    """도움이 안 된 답변을 최근 것부터 보여 줍니다. 관리자만 볼 수 있습니다."""
    page = await services.feedback.page(limit, cursor, negative=True)
    return {"feedback": page.items, "next_cursor": page.next_cursor}
