"""How many calls may be under way at once, and how many may wait for their turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from endy.llm.models import LlmUnavailable

QUEUE_PER_SLOT = 4
"""Waiting calls per running one; whoever comes later would not get a turn in time anyway."""


class Slots:
    """A cap with a short, bounded queue, first come first served."""

    def __init__(self, size: int, wait_seconds: float) -> None:
        self._free = asyncio.Semaphore(size)
        self._wait_seconds = wait_seconds
        self._longest = size * QUEUE_PER_SLOT
        self._waiting = 0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Hold one slot; LlmUnavailable("busy") when none comes free in time."""
        await self._take()
        try:
            yield
        finally:
            self._free.release()

    async def _take(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        if self._waiting >= self._longest:
            raise LlmUnavailable("busy", "queue full")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise LlmUnavailable("busy", "queue") from None
        finally:
            self._waiting -= 1
