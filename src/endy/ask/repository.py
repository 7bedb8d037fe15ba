"""Conversations and answered questions, as stored; all SQL of this folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from endy.storage.insert import added
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
    model: str = ""
    """The model that was called for this answer; empty if none was."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_krw: float = 0.0


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
    """Store answered questions, and the conversations that they open; what is stored already stays as it is."""
    opened = [
        {"id": one.conversation_id, "asker": one.asker, "created_at": one.asked_at}
        for one in asked
        if one.opens_conversation
    ]
    if opened:
        await connection.execute(added(connection, conversations), opened)
    rows = [{name: getattr(one, name) for name in _COLUMNS} | {"source_ids": list(one.source_ids)} for one in asked]
    await connection.execute(added(connection, questions), rows)


async def delete_before(connection: AsyncConnection, oldest: datetime, limit: int) -> int:
    """Delete at most so many questions that were asked before `oldest`, and what was said about them."""
    found = select(questions.c.id).where(questions.c.asked_at < oldest).limit(limit)
    return (await connection.execute(delete(questions).where(questions.c.id.in_(found)))).rowcount


async def delete_empty_conversations(connection: AsyncConnection, oldest: datetime) -> int:
    """Delete conversations from before `oldest` that hold no question any more."""
    held = exists().where(questions.c.conversation_id == conversations.c.id)
    query = delete(conversations).where(conversations.c.created_at < oldest, ~held)
    return (await connection.execute(query)).rowcount
