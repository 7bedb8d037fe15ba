"""The log of answered questions: everything that waits is stored in one transaction, and then acknowledged."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.ask import repository
from endy.ask.repository import AskedQuestion
from endy.errors import ServiceUnavailable
from endy.storage.transaction import reading, retried, transaction

MOST_WAITING = 1000
BATCH = 200

_Waiting = tuple[AskedQuestion, asyncio.Future[None]]


class QuestionLog:
    """Group commit: one disk sync serves all questions that were answered while the last one ran."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._waiting: list[_Waiting] = []
        self._alone: list[_Waiting] = []
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
        while self._waiting or self._alone:
            if self._alone:
                batch = [self._alone.pop(0)]
            else:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            try:
                await self._store([asked for asked, _ in batch])
            except Exception as error:  # noqa: BLE001  each caller gets the fault that hit its row
                if len(batch) > 1 and isinstance(error, IntegrityError):
                    # One conversation was erased meanwhile: the others' rows are fine.
                    self._alone += batch
                    continue
                _settle(batch, error)
            else:
                _settle(batch, None)

    @partial(retried, twice=True)
    async def _store(self, asked: Sequence[AskedQuestion]) -> None:
        async with transaction(self._engine) as connection:
            await repository.add_questions(connection, asked)


def _settle(batch: Sequence[_Waiting], error: Exception | None) -> None:
    for _, stored in batch:
        if stored.done():
            continue
        if error is None:
            stored.set_result(None)
        else:
            stored.set_exception(error)
