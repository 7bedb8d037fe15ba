"""Conversations and answered questions, as stored; all SQL of this folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from endy.storage.tables import conversations, questions


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """One row of `questions`; `question` is already masked."""

    id: str
    conversation_id: str
    asker: str
    question: str
    status: str
    mode: str
    category: str
    department: str
    confidence: float
    source_ids: Sequence[str]
    response_seconds: float
    knowledge_version: int
    asked_at: datetime
    opens_conversation: bool


_COLUMNS = tuple(column.name for column in questions.c)


async def earlier_questions(
    connection: AsyncConnection, conversation_id: str, asker: str, limit: int
) -> list[str] | None:
    """The conversation's last questions, oldest first; None if it does not exist or is another asker's."""
    owned = select(conversations.c.id).where(conversations.c.id == conversation_id, conversations.c.asker == asker)
    if (await connection.execute(owned)).first() is None:
        return None
    recent = (
        select(questions.c.question)
        .where(questions.c.conversation_id == conversation_id)
        .order_by(questions.c.asked_at.desc())
        .limit(limit)
    )
    return [row.question for row in (await connection.execute(recent)).all()][::-1]


async def add_questions(connection: AsyncConnection, asked: Sequence[AskedQuestion]) -> None:
    """Store answered questions, and the conversations that they open, in two statements."""
    opened = [
        {"id": one.conversation_id, "asker": one.asker, "created_at": one.asked_at}
        for one in asked
        if one.opens_conversation
    ]
    if opened:
        await connection.execute(insert(conversations), opened)
    rows = [{name: getattr(one, name) for name in _COLUMNS} | {"source_ids": list(one.source_ids)} for one in asked]
    await connection.execute(insert(questions), rows)
