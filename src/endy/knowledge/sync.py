"""Sync: the files under KNOWLEDGE_DIR and FAQ_FILE into the database, once or whenever they change."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from watchfiles import awatch

from endy.audit.service import record
from endy.errors import ServiceUnavailable
from endy.knowledge import repository
from endy.knowledge.files import Listing, LoadedFile, list_files, load, signature
from endy.knowledge.plan import Plan
from endy.knowledge.problems import Problem
from endy.knowledge.vectors import Embed, Progress, VectorStore
from endy.settings import Settings
from endy.storage.transaction import reading, transaction

ATTEMPTS = 5
POLL_SECONDS = 2.0
SETTLE_SECONDS = 0.3
RETRY_SECONDS = 60.0
PATIENCE = 3.0
"""Seconds of embedding that a change may wait for; what is left goes live by words alone and is embedded after."""

FILES = "files"
"""The actor of changes that come out of KNOWLEDGE_DIR and FAQ_FILE."""

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SyncReport:
    """Counts are sections. `unembedded` sections are found by words alone until a later sync has their vectors."""

    added: int
    changed: int
    removed: int
    unchanged: int
    problems: tuple[Problem, ...]
    version: int
    unembedded: int = 0
    unfinished: bool = False
    """Embedding ran out of time, not out of order: sync again to go on."""


@dataclass(frozen=True, slots=True)
class _Vectors:
    """What became of the vectors: how many are left, and whether new ones are worth a version."""

    left: int = 0
    unfinished: bool = False
    complete: bool = False


class KnowledgeSync:
    """Reads what changed and writes it as one new version; without `embed` the search is by words alone.

    New content becomes visible after its vectors are stored. A file that cannot be used leaves
    its last good sections in place. Raises StartupError when there is nothing to read at all.
    """

    def __init__(self, engine: AsyncEngine, settings: Settings, embed: Embed | None = None, model: str = "") -> None:
        self.engine = engine
        self.settings = settings
        # One thread: a large upload takes turns with answering and never more than one core.
        self._executor = ThreadPoolExecutor(1, "knowledge")
        self._vectors = VectorStore(engine, embed, model, self._executor) if embed else None
        self._turn = asyncio.Lock()

    async def sync(self, progress: Progress | None = None, patience: float = math.inf) -> SyncReport:
        """Bring the database up to the files; safe to run in several tasks and processes at once.

        Content goes live after `patience` seconds of embedding at the latest, vectors all together.
        """
        async with self._turn:
            for _ in range(ATTEMPTS):
                report = await self._attempt(progress, patience)
                if report:
                    return report
        raise ServiceUnavailable("다른 동기화가 계속 진행되고 있어요. 잠시 뒤에 다시 시도해 주세요.")

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _attempt(self, progress: Progress | None, patience: float) -> SyncReport | None:
        """None when another process wrote meanwhile: then what was read may be older than what is stored."""
        plan = await self._plan()
        vectors = await self._embed(plan, progress, patience)
        if plan.touches_rows or vectors.complete:
            version = await self._apply(plan, vectors.complete)
        else:
            version = await repository.knowledge_version(self.engine)
        return None if version is None else self._report(plan, version, vectors)

    async def _plan(self) -> Plan:
        listing = await self._in_thread(list_files, self.settings)
        async with reading(self.engine) as connection:
            plan = Plan(await repository.stored_documents(connection))
        loaded = await self._load(listing, plan)
        names = {*plan.base, *(file.name for file in loaded)}
        async with reading(self.engine) as connection:
            stored = await repository.sections_of(connection, names)
        plan.problems += listing.problems
        for file in loaded:
            plan.add(file, stored.get(file.name, ()))
        for name in plan.base.keys() - {file.name for file in loaded}:
            if listing.keeps(name, self.settings.faq_file.name):
                plan.keep(stored.get(name, ()))
            else:
                plan.drop(name, stored.get(name, ()))
        return plan

    async def _load(self, listing: Listing, plan: Plan) -> list[LoadedFile]:
        loaded = []
        for source in listing.files.values():
            known = plan.base.get(source.name)
            loaded.append(await self._in_thread(load, source, known.content_hash if known else None))
        return [file for file in loaded if file is not None]

    async def _embed(self, plan: Plan, progress: Progress | None, patience: float) -> _Vectors:
        if self._vectors is None:
            return _Vectors()
        missing = await self._vectors.missing(plan.sections, plan.documents)
        if not missing:
            return _Vectors()
        async with reading(self.engine) as connection:
            stored = await repository.sections_of(
                connection, {section.document for section in missing} | plan.documents
            )
        rest = await self._vectors.reuse(missing, (section for each in stored.values() for section in each))
        left, unfinished = await self._vectors.fill(rest, progress, patience)
        if left and not unfinished:
            message = "의미 검색용 벡터를 만들지 못했어요. 낱말 검색으로 답하고, 잠시 뒤 다시 시도해요."
            plan.problems.append(Problem("", message))
        return _Vectors(left, unfinished, complete=left == 0 or (not unfinished and left < len(missing)))

    async def _apply(self, plan: Plan, embedded: bool) -> int | None:
        async with transaction(self.engine, "knowledge") as connection:
            if await repository.stored_documents(connection) != plan.base:
                return None
            await repository.delete_documents(connection, plan.gone)
            for change in plan.changes:
                await repository.put_document(connection, change.document)
                if change.sections is not None:
                    await repository.replace_sections(connection, change.document.name, change.sections)
            for event in plan.events(FILES):
                await record(connection, event)
            await repository.delete_orphaned_embeddings(connection)
            await repository.delete_orphaned_questions(connection)
            if plan.touches_content or embedded:
                return await repository.bump_version(connection)
            return await repository.current_version(connection)

    def _report(self, plan: Plan, version: int, vectors: _Vectors) -> SyncReport:
        return SyncReport(
            plan.added,
            plan.changed,
            plan.removed,
            plan.unchanged,
            tuple(plan.problems),
            version,
            vectors.left,
            vectors.unfinished,
        )

    async def _in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)


class KnowledgeWatcher:
    """Syncs when files change and tells `on_change` about every new version, whoever wrote it.

    The file system's own notices make it quick; a look every two seconds makes it sure (network
    folders send none). A fault is logged, counted in `failures`, and tried again later.
    """

    def __init__(
        self,
        sync: KnowledgeSync,
        on_change: Callable[[int], Awaitable[object]],
        version: int | None = None,
        on_failure: Callable[[Exception], object] | None = None,
    ) -> None:
        self.failures = 0
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
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def run(self) -> None:
        """Until cancelled."""
        noticed = asyncio.Event()
        notices = asyncio.create_task(self._listen(noticed))
        try:
            while True:
                await self._step_safely()
                goes_on = max(self._due, self._quiet_until) <= _now()
                with suppress(TimeoutError):
                    await asyncio.wait_for(noticed.wait(), 0.0 if goes_on else POLL_SECONDS)
                    await asyncio.sleep(SETTLE_SECONDS)
                noticed.clear()
        finally:
            notices.cancel()
            with suppress(asyncio.CancelledError):
                await notices

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
                self._due = _now() + (0.0 if report.unfinished else RETRY_SECONDS)
        version = await repository.knowledge_version(self._sync.engine)
        if version != self._told:
            await self._on_change(version)
            self._told = version

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


def _now() -> float:
    return asyncio.get_running_loop().time()
