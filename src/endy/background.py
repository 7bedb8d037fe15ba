"""Work that repeats itself beside the serving, and outlives its own faults."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

CANCEL_EVERY = 1.0

_log = structlog.get_logger(__name__)


class Repeating:
    """Does `work` every so many seconds, the first time after `first`; a fault is logged and tried again next time."""

    def __init__(self, name: str, work: Callable[[], Awaitable[object]], every: float, first: float = 0.0) -> None:
        self._name = name
        self._work = work
        self._every = every
        self._first = first
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Cancel what is under way, and wait for it to end."""
        if self._task is not None:
            await cancelled(self._task)

    async def _run(self) -> None:
        await asyncio.sleep(self._first)
        while True:
            try:
                await self._work()
            except Exception:  # noqa: BLE001  a database fault must not end the task that will see it recover
                _log.exception("background_work_failed", work=self._name)
            await asyncio.sleep(self._every)


async def cancelled(task: "asyncio.Task[None]") -> None:
    """Cancel a task and wait for its end; again and again, since a library may lose a cancellation on its way."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=CANCEL_EVERY)
