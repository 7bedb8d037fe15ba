"""Following: files that change are synced in, and every new version is told, whoever wrote it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from watchfiles import awatch

from endy.background import cancelled
from endy.knowledge import repository
from endy.knowledge.files import signature
from endy.knowledge.sync import KnowledgeSync, SyncReport
from endy.storage.notices import listen

POLL_SECONDS = 2.0
SETTLE_SECONDS = 0.3
RETRY_SECONDS = 60.0
PATIENCE = 3.0
"""Seconds of embedding that a change may wait for; what is left goes live by words alone and is embedded after."""

_log = structlog.get_logger(__name__)


class KnowledgeWatcher:
    """Syncs when files change and tells `on_change` about every new version, whoever wrote it.

    The file system's own notices make it quick; a look every two seconds makes it sure (network
    folders send none). A fault is logged, counted in `failures`, and tried again later. `on_look` is called after every
    look that went well.
    """

    def __init__(
        self,
        sync: KnowledgeSync,
        on_change: Callable[[int], Awaitable[object]],
        version: int | None = None,
        on_failure: Callable[[Exception], object] | None = None,
    ) -> None:
        self.failures = 0
        self.on_look: Callable[[], object] = lambda: None
        self._sync = sync
        self._on_change = on_change
        self._on_failure = on_failure
        self._told = version
        self._seen: int | None = None
        self._due = 0.0
        self._quiet_until = 0.0
        self._faults_in_a_row = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self.run(), name="knowledge-watcher")

    async def stop(self) -> None:
        if self._task is not None:
            await cancelled(self._task)

    async def run(self) -> None:
        """Until cancelled."""
        noticed = asyncio.Event()
        notices = [
            asyncio.create_task(self._listen(noticed)),
            asyncio.create_task(listen(self._sync.engine, noticed.set)),
        ]
        try:
            while True:
                await self._step_safely()
                goes_on = max(self._due, self._quiet_until) <= _now()
                # `asyncio.wait_for` loses a cancellation that comes together with a notice (Python 3.11).
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.0 if goes_on else POLL_SECONDS):
                        await noticed.wait()
                if noticed.is_set():
                    await asyncio.sleep(SETTLE_SECONDS)
                noticed.clear()
        finally:
            for listening in notices:
                listening.cancel()
            await asyncio.gather(*notices, return_exceptions=True)

    async def _step_safely(self) -> None:
        try:
            await self._step()
            self._faults_in_a_row = 0
        except Exception as error:  # noqa: BLE001  the watcher must outlive any fault
            self.failures += 1
            self._faults_in_a_row += 1
            self._due = 0.0
            self._quiet_until = _now() + min(RETRY_SECONDS, 2.0**self._faults_in_a_row)
            _log.exception("knowledge_watch_failed")
            if self._on_failure:
                self._on_failure(error)

    async def _step(self) -> None:
        files = await asyncio.to_thread(signature, self._sync.settings)
        moved = files != self._seen
        if not moved and _now() < self._quiet_until:
            return
        if moved or _now() >= self._due:
            self._seen, self._due = files, float("inf")
            report = await self._sync.sync(patience=PATIENCE)
            if report.unembedded:
                self._due = _now() + _wait(report)
        version = await repository.knowledge_version(self._sync.engine)
        if version != self._told:
            await self._on_change(version)
            self._told = version
        self.on_look()

    async def _listen(self, noticed: asyncio.Event) -> None:
        settings = self._sync.settings
        while True:
            paths = [path for path in (settings.knowledge_dir, settings.faq_file) if path.exists()]
            try:
                async for _ in awatch(*paths, debounce=200, rust_timeout=1000):
                    noticed.set()
            except (OSError, RuntimeError) as error:
                _log.warning("file_notices_unavailable", reason=str(error))
            await asyncio.sleep(RETRY_SECONDS)


def _wait(report: SyncReport) -> float:
    """Seconds until a sync that left sections without vectors is worth another one."""
    if report.elsewhere:
        return POLL_SECONDS
    return 0.0 if report.unfinished else RETRY_SECONDS


def _now() -> float:
    return asyncio.get_running_loop().time()
