"""Opinions about answers, as stored; all SQL of this folder."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, case, cast, func, insert, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from endy.storage.tables import feedback, questions

Owned = Collection[str] | None
"""Categories and departments whose feedback is meant; None stands for all."""

Place = tuple[datetime, str, str]
"""Where a page ends: when the last opinion was first given, about which answer, by whom."""


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
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class FeedbackCounts:
    total: int
    helpful: int
    unhelpful: int


async def asked_by(connection: AsyncConnection, question_id: str) -> str | None:
    """Who asked the question; None if there is no such question. Opinions about it wait for each other from here on."""
    query = select(questions.c.asker).where(questions.c.id == question_id).with_for_update()
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


async def counts(connection: AsyncConnection, owned: Owned) -> FeedbackCounts:
    query = _of(select(feedback.c.is_helpful, func.count()), owned).group_by(feedback.c.is_helpful)
    return _counted((await connection.execute(query)).all())


async def counts_by_category(connection: AsyncConnection, owned: Owned) -> dict[str, FeedbackCounts]:
    query = _of(select(questions.c.category, feedback.c.is_helpful, func.count()), owned)
    rows = (await connection.execute(query.group_by(questions.c.category, feedback.c.is_helpful))).all()
    return _counted_by(rows)


async def counts_by_day(connection: AsyncConnection, since: datetime, owned: Owned) -> dict[str, FeedbackCounts]:
    """By the day (UTC, `2026-11-23`) on which the opinion was first given."""
    day = func.date(feedback.c.created_at)
    query = _of(select(day, feedback.c.is_helpful, func.count()), owned).where(feedback.c.created_at >= since)
    return _counted_by((await connection.execute(query.group_by(day, feedback.c.is_helpful).order_by(day))).all())


async def count_reasons(connection: AsyncConnection, reasons: Sequence[str], owned: Owned) -> dict[str, int]:
    """How often each reason was given; a reason is a short word that is no part of another."""
    written = cast(feedback.c.reasons, Text)
    columns = [func.sum(case((written.contains(f'"{reason}"'), 1), else_=0)) for reason in reasons]
    row = (await connection.execute(_of(select(*columns), owned))).one()
    return {reason: int(count or 0) for reason, count in zip(reasons, row, strict=True)}


async def list_feedback(
    connection: AsyncConnection, limit: int, before: Place | None, owned: Owned, *, negative: bool
) -> Sequence[tuple[FeedbackRow, Place]]:
    """Newest first, each with the place from which the list continues."""
    columns = (questions.c.question, questions.c.status, questions.c.category, questions.c.department)
    query = _of(select(feedback, *columns), owned)
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
        row.created_at,
        row.updated_at,
    )


def _of(query: Select[Any], owned: Owned) -> Select[Any]:
    """Opinions with their questions, as far as somebody owns them."""
    joined = query.select_from(feedback.join(questions, questions.c.id == feedback.c.question_id))
    return joined.where(_owned(owned))


def _owned(owned: Owned) -> ColumnElement[bool]:
    if owned is None:
        return true()
    return or_(questions.c.category.in_(owned), questions.c.department.in_(owned))


def _counted(rows: Sequence[Any]) -> FeedbackCounts:
    by_opinion = {row[-2]: int(row[-1]) for row in rows}
    return FeedbackCounts(sum(by_opinion.values()), by_opinion.get(True, 0), by_opinion.get(False, 0))


def _counted_by(rows: Sequence[Any]) -> dict[str, FeedbackCounts]:
    names = dict.fromkeys(str(row[0]) for row in rows)
    return {name: _counted([row for row in rows if str(row[0]) == name]) for name in names}
