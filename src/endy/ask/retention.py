"""Retention: questions, with their opinions, are forgotten after QUESTION_RETENTION_DAYS."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.ask import repository
from endy.storage.transaction import transaction

BATCH = 500
"""Rows per transaction, so that nobody who asks waits for the cleaning."""

PAUSE = 0.05

_log = structlog.get_logger(__name__)


class QuestionRetention:
    """Deletes what is too old; 0 days keep everything."""

    def __init__(self, engine: AsyncEngine, days: int) -> None:
        self._engine = engine
        self._days = days

    async def clean(self) -> int:
        """Delete what is too old, batch by batch; how many questions that were."""
        if not self._days:
            return 0
        oldest, deleted = datetime.now(UTC) - timedelta(days=self._days), 0
        while True:
            async with transaction(self._engine) as connection:
                found = await repository.delete_before(connection, oldest, BATCH)
            deleted += found
            if found < BATCH:
                break
            await asyncio.sleep(PAUSE)
        async with transaction(self._engine) as connection:
            await repository.delete_empty_conversations(connection, oldest)
        if deleted:
            _log.info("questions_forgotten", questions=deleted, older_than_days=self._days)
        return deleted
