"""Sync: the files under KNOWLEDGE_DIR and FAQ_FILE into the database, once or whenever they change."""

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from endy.audit.service import record
from endy.errors import ServiceUnavailable
from endy.knowledge import repository
from endy.knowledge.files import Listing, LoadedFile, list_files, load
from endy.knowledge.plan import Plan
from endy.knowledge.problems import Problem
from endy.knowledge.vectors import Embed, Progress, VectorStore
from endy.retrieval.section import Section
from endy.settings import Settings
from endy.storage.jobs import Jobs
from endy.storage.transaction import reading, transaction

ATTEMPTS = 5
LOOK_AGAIN = 0.3

EMBEDDING = "embedding"
"""The job that one process does for all."""

FILES = "files"
"""The actor of changes that come out of KNOWLEDGE_DIR and FAQ_FILE."""

_T = TypeVar("_T")


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
    elsewhere: bool = False
    """Another process is embedding: look again in a moment."""


@dataclass(frozen=True, slots=True)
class _Vectors:
    """What became of the vectors: how many are left, and whether new ones are worth a version."""

    left: int = 0
    unfinished: bool = False
    complete: bool = False
    elsewhere: bool = False


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
        self._jobs = Jobs(engine)

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
        async with reading(self.engine) as connection:
            sizes = await repository.section_counts(connection)
            stored = await repository.sections_of(connection, (file.name for file in loaded if file.parsed))
        plan.problems += listing.problems
        for file in loaded:
            if file.parsed is None:
                plan.leave(file.name, sizes.get(file.name, 0))
            else:
                plan.add(file, file.parsed, stored.get(file.name, ()))
        for name in plan.base.keys() - {file.name for file in loaded}:
            if listing.keeps(name, self.settings.faq_file.name):
                plan.keep(sizes.get(name, 0))
            else:
                plan.drop(name, sizes.get(name, 0))
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
        ends, waited = time.monotonic() + patience, False
        while missing := await self._vectors.missing(plan.sections, plan.documents):
            async with self._jobs.turn(EMBEDDING) as turn:
                if turn is not None:
                    return await self._fill(plan, missing, _both(turn.progress, progress), ends - time.monotonic())
            if time.monotonic() >= ends:
                return _Vectors(len(missing), unfinished=True, elsewhere=True)
            # Another process is at it, probably with the same files: what it stores is not to be done again.
            await asyncio.sleep(LOOK_AGAIN)
            waited = True
        # Whoever stored them may have been killed before it could say so.
        return _Vectors(complete=waited)

    async def _fill(self, plan: Plan, missing: list[Section], progress: Progress, patience: float) -> _Vectors:
        assert self._vectors is not None  # noqa: S101  without an embedder nothing is missing  # nosec B101
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
            vectors.elsewhere,
        )

    async def _in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)


def _both(first: Progress, second: Progress | None) -> Progress:
    def tell(done: int, total: int) -> None:
        first(done, total)
        if second is not None:
            second(done, total)

    return tell
