"""The log of answered questions: everything that waits is stored in one transaction, and then acknowledged."""

import asyncio
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncEngine

from endy.ask import repository
from endy.ask.repository import AskedQuestion
from endy.errors import ServiceUnavailable
from endy.storage.transaction import reading, transaction

MOST_WAITING = 1000
BATCH = 200


class QuestionLog:
    """Group commit: one disk sync serves all questions that were answered while the last one ran."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._waiting: list[tuple[AskedQuestion, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, asked: AskedQuestion) -> None:
        """Return once the row is stored. Raises ServiceUnavailable if the database is away or too slow."""
        if len(self._waiting) >= MOST_WAITING:
            raise ServiceUnavailable
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, stored))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await stored

    async def earlier(self, conversation_id: str, asker: str, limit: int) -> list[str] | None:
        """The conversation's last questions, oldest first; None if it is unknown or another asker's."""
        async with reading(self._engine) as connection:
            return await repository.earlier_questions(connection, conversation_id, asker, limit)

    async def close(self) -> None:
        """Wait for what has been accepted."""
        if self._writer is not None:
            with suppress(Exception):
                await self._writer

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            try:
                async with transaction(self._engine) as connection:
                    await repository.add_questions(connection, [asked for asked, _ in batch])
            except Exception as error:  # noqa: BLE001  each caller gets the fault that hit its row
                for _, stored in batch:
                    if not stored.done():
                        stored.set_exception(error)
            else:
                for _, stored in batch:
                    if not stored.done():
                        stored.set_result(None)
