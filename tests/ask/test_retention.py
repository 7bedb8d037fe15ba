"""Retention: what is older than the setting goes, with what was said about it; nothing younger does."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.ask import retention
from endy.ask.repository import AskedQuestion, add_questions
from endy.ask.retention import QuestionRetention
from endy.settings import Settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from endy.storage.tables import conversations, feedback, questions
from endy.storage.transaction import reading, transaction


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(Settings(_env_file=None, database_url=database_url))
    await upgrade(engine)
    yield engine
    await engine.dispose()


async def ask(engine: AsyncEngine, name: str, days_ago: float, conversation: str, *, opens: bool = True) -> None:
    at = datetime.now(UTC) - timedelta(days=days_ago)
    row = AskedQuestion(
        name, conversation, "anonymous", "질문", "answered", "extractive", "", "", 0.5, [], 0.1, 1, at, opens
    )
    async with transaction(engine) as connection:
        await add_questions(connection, [row])
        await connection.execute(
            insert(feedback).values(
                question_id=name,
                asker="anonymous",
                is_helpful=True,
                reasons=[],
                comment="",
                created_at=at,
                updated_at=at,
            )
        )


async def left(engine: AsyncEngine) -> tuple[set[str], set[str], int]:
    async with reading(engine) as connection:
        ids = {row.id for row in (await connection.execute(select(questions.c.id))).all()}
        threads = {row.id for row in (await connection.execute(select(conversations.c.id))).all()}
        return ids, threads, int((await connection.execute(select(func.count()).select_from(feedback))).scalar_one())


async def test_old_questions_go_with_what_was_said_about_them(engine: AsyncEngine) -> None:
    """A thread that still has a young question stays; one that has none goes."""
    await ask(engine, "old", 31, "a")
    await ask(engine, "just young", 29.99, "b")
    await ask(engine, "old start", 40, "c")
    await ask(engine, "young end", 1, "c", opens=False)
    assert await QuestionRetention(engine, 30).clean() == 2
    assert await left(engine) == ({"just young", "young end"}, {"b", "c"}, 2)
    assert await QuestionRetention(engine, 30).clean() == 0


async def test_zero_days_keep_everything(engine: AsyncEngine) -> None:
    """Keeping for ever is a decision that can be made."""
    await ask(engine, "old", 4000, "a")
    assert await QuestionRetention(engine, 0).clean() == 0
    assert (await left(engine))[0] == {"old"}


async def test_many_go_in_batches(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in a transaction of its own, so that somebody who asks meanwhile is not kept waiting."""
    monkeypatch.setattr(retention, "BATCH", 3)
    for number in range(10):
        await ask(engine, f"old {number}", 31, f"{number}")
    assert await QuestionRetention(engine, 30).clean() == 10
    assert await left(engine) == (set(), set(), 0)
