"""Opinions about answers, as stored; all SQL of this folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from endy.storage.tables import feedback, questions


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """One opinion with the (masked) question it is about."""

    question_id: str
    question: str
    status: str
    category: str
    department: str
    is_helpful: bool | None
    reasons: tuple[str, ...]
    comment: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class FeedbackCounts:
    total: int
    helpful: int
    unhelpful: int


async def asked_by(connection: AsyncConnection, question_id: str) -> str | None:
    """Who asked the question; None if there is no such question."""
    query = select(questions.c.asker).where(questions.c.id == question_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def put_feedback(connection: AsyncConnection, question_id: str, asker: str, values: dict[str, Any]) -> bool:
    """Add an opinion or change the given fields of an earlier one; True if it is the first."""
    now = datetime.now(UTC)
    mine = (feedback.c.question_id == question_id, feedback.c.asker == asker)
    done = await connection.execute(update(feedback).where(*mine).values(**values, updated_at=now))
    if done.rowcount:
        return False
    row = {"is_helpful": None, "reasons": [], "comment": ""} | values
    await connection.execute(
        insert(feedback).values(question_id=question_id, asker=asker, created_at=now, updated_at=now, **row)
    )
    return True


async def counts(connection: AsyncConnection) -> FeedbackCounts:
    query = select(feedback.c.is_helpful, func.count()).group_by(feedback.c.is_helpful)
    by_opinion = {row[0]: int(row[1]) for row in (await connection.execute(query)).all()}
    return FeedbackCounts(sum(by_opinion.values()), by_opinion.get(True, 0), by_opinion.get(False, 0))


async def count_reasons(connection: AsyncConnection) -> dict[str, int]:
    counted: dict[str, int] = {}
    for reasons in (await connection.execute(select(feedback.c.reasons))).scalars():
        for reason in reasons:
            counted[reason] = counted.get(reason, 0) + 1
    return counted


async def list_feedback(
    connection: AsyncConnection, limit: int, before: tuple[datetime, str, str] | None, *, negative: bool
) -> Sequence[tuple[FeedbackRow, tuple[datetime, str, str]]]:
    """Newest first, each with the cursor that continues after it."""
    query = select(
        feedback, questions.c.question, questions.c.status, questions.c.category, questions.c.department
    ).join(questions, questions.c.id == feedback.c.question_id)
    if negative:
        query = query.where(feedback.c.is_helpful.is_(False))
    if before is not None:
        at, question_id, asker = before
        query = query.where(
            or_(
                feedback.c.created_at < at,
                (feedback.c.created_at == at) & (feedback.c.question_id < question_id),
                (feedback.c.created_at == at) & (feedback.c.question_id == question_id) & (feedback.c.asker < asker),
            )
        )
    order = (feedback.c.created_at.desc(), feedback.c.question_id.desc(), feedback.c.asker.desc())
    rows = (await connection.execute(query.order_by(*order).limit(limit))).all()
    return [(_row(row), (row.created_at, row.question_id, row.asker)) for row in rows]


def _row(row: Any) -> FeedbackRow:
    return FeedbackRow(
        row.question_id,
        row.question,
        row.status,
        row.category,
        row.department,
        row.is_helpful,
        tuple(row.reasons),
        row.comment,
        row.updated_at,
    )
