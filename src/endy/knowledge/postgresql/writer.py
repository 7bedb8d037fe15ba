"""Keeping the search index in PostgreSQL up with the knowledge: whatever differs is written anew, in small steps."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Select, Text, cast, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.errors import StartupError
from endy.knowledge import repository as knowledge
from endy.knowledge.postgresql.changes import Changes, Prepared, add_group
from endy.knowledge.postgresql.tables import (
    NOTHING,
    PLACE,
    PREFIX,
    after_tables,
    before_tables,
    entries,
    groups,
    indexes,
    metadata,
    state,
)
from endy.retrieval.analysis import Analyzer
from endy.retrieval.packed import PackedSection, WordLists
from endy.retrieval.section import Section
from endy.storage.jobs import Jobs
from endy.storage.tables import embeddings, generated_questions, sections
from endy.storage.transaction import reading, transaction

JOB = "search-index"
BATCH = 1000
"""Sections per transaction."""

UNUSED = timedelta(days=1)
"""After so long an index that no replica has looked at is dropped."""

LOOK_AGAIN = 0.3

_log = structlog.get_logger(__name__)


class IndexWriter:
    """Brings the index up to the stored knowledge; of several replicas one does.

    `engine` must be patient: building indexes takes as long as it takes. `letters` is what somebody who types is
    helped by; `dimensions` are 0 without an embedder.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        schema: str,
        analyzer: Analyzer,
        model: str,
        dimensions: int,
        letters: Callable[[Section], Iterable[str]],
    ) -> None:
        self._plain = engine
        self._engine = engine.execution_options(schema_translate_map={PLACE: schema})
        self._jobs = Jobs(engine)
        self._schema = schema
        self._analyzer = analyzer
        self._model = model
        self._dimensions = dimensions
        self._letters = letters

    async def bring_up(self) -> int:
        """Write what is missing, or wait while another process does; the version that the index then holds."""
        while True:
            async with reading(self._engine) as connection:
                wanted = await knowledge.current_version(connection)
                held = await self._held(connection)
            if held is not None and held >= wanted:
                await self._say_used()
                return held
            async with self._jobs.turn(JOB) as turn:
                if turn is not None:
                    await self._make_tables()
                    await self._update(turn.progress)
                    continue
            await asyncio.sleep(LOOK_AGAIN)

    async def _held(self, connection: AsyncConnection) -> int | None:
        """None before the first filling is complete."""
        there = await connection.execute(select(func.to_regclass(f"{self._schema}.state")))
        if there.scalar_one() is None:
            return None
        version = int((await connection.execute(select(state.c.version))).scalar_one())
        return None if version == NOTHING else version

    async def _say_used(self) -> None:
        async with transaction(self._engine) as connection:
            now = datetime.now(UTC)
            await connection.execute(update(state).where(state.c.used_at < now - UNUSED / 24).values(used_at=now))

    async def _make_tables(self) -> None:
        async with reading(self._engine) as connection:
            if (await connection.execute(select(func.to_regclass(f"{self._schema}.state")))).scalar_one() is not None:
                return
        try:
            async with transaction(self._engine) as connection:
                for statement in before_tables(self._schema):
                    await connection.execute(text(statement))
                await connection.run_sync(metadata.create_all)
                for statement in after_tables(self._schema):
                    await connection.execute(text(statement))
                await connection.execute(insert(state).values(id=1, version=NOTHING, used_at=datetime.now(UTC)))
        except DBAPIError as error:
            raise StartupError(
                "SEARCH=postgres: 검색 색인을 만들 수 없어요. 데이터베이스에 pgvector와 pg_trgm이 설치되어 있는지, "
                f"스키마를 만들 권한(GRANT CREATE ON DATABASE)이 있는지 확인해 주세요. ({type(error.orig).__name__})"
            ) from error

    async def _update(self, progress: Callable[[int, int], None]) -> None:
        async with reading(self._engine) as connection:
            version = await knowledge.current_version(connection)
            first = await self._held(connection) is None
            wanted = await self._differing(connection)
        for start in range(0, len(wanted), BATCH):
            await self._write(wanted[start : start + BATCH])
            progress(min(start + BATCH, len(wanted)), len(wanted))
        async with transaction(self._engine) as connection:
            if first:
                for statement in indexes(self._schema, self._dimensions):
                    await connection.execute(text(statement))
            await connection.execute(update(state).values(version=version, used_at=datetime.now(UTC)))
        if first:
            await self._forget_unused()
        _log.info("search_index_written", sections=len(wanted), version=version)

    async def _differing(self, connection: AsyncConnection) -> list[str]:
        """The ids of sections that were added, changed or removed since they were indexed, in their order."""
        stamps = stamped(self._model).subquery()
        both = stamps.join(entries, stamps.c.id == entries.c.section_id, full=True)
        query = (
            select(func.coalesce(stamps.c.id, entries.c.section_id))
            .select_from(both)
            .where(stamps.c.stamp.is_distinct_from(entries.c.stamp))
            .order_by(stamps.c.document, stamps.c.position)
        )
        return list((await connection.execute(query)).scalars())

    async def _write(self, ids: Sequence[str]) -> None:
        async with reading(self._engine) as connection:
            sections = await knowledge.sections_with_ids(connection, ids)
            hashes = {section.content_hash for section in sections}
            vectors = await knowledge.get_embeddings(connection, self._model, hashes) if self._model else {}
            chosen = stamped(self._model).subquery()
            found = await connection.execute(select(chosen.c.id, chosen.c.stamp).where(chosen.c.id.in_(ids)))
            stamps = {row.id: row.stamp for row in found}
        prepared = await asyncio.to_thread(self._prepare, sections)
        async with transaction(self._engine, "search") as connection:
            changes = Changes()
            highest = (await connection.execute(select(func.coalesce(func.max(entries.c.number), 0)))).scalar_one()
            await self._remove(connection, ids, changes)
            for number, one in enumerate(prepared, start=int(highest) + 1):
                group = await _group_for(connection, one.section.audience)
                changes.add(one, number, group, stamps[one.section.id], vectors.get(one.section.content_hash))
            await changes.store(connection)

    def _prepare(self, sections: Iterable[Section]) -> list[Prepared]:
        # Where there are vectors, generated questions are found by those; see `AnalysedSections`.
        return [
            Prepared(section, WordLists.of(section, self._analyzer, not self._model), "\n".join(self._letters(section)))
            for section in sections
        ]

    async def _remove(self, connection: AsyncConnection, ids: Sequence[str], changes: Changes) -> None:
        gone = delete(entries).where(entries.c.section_id.in_(ids))
        columns = (entries.c.group_id, entries.c.embedded, entries.c.words, entries.c.names)
        for row in await connection.execute(gone.returning(*columns)):
            changes.remove(PackedSection.read(row.words), row.group_id, row.embedded, row.names)

    async def _forget_unused(self) -> None:
        """Drop indexes of other releases that nobody has used for a while."""
        async with reading(self._plain) as connection:
            names = await connection.execute(
                text("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, :prefix)"), {"prefix": PREFIX}
            )
            others = [name for name in names.scalars() if name != self._schema]
        for name in others:
            async with transaction(self._plain, "search") as connection:
                there = await connection.execute(select(func.to_regclass(f"{name}.state")))
                moved = await connection.execution_options(schema_translate_map={PLACE: name})
                used = (await moved.execute(select(state.c.used_at))).scalar_one() if there.scalar_one() else None
                if used is None or used < datetime.now(UTC) - UNUSED:
                    await connection.execute(text(f'DROP SCHEMA "{name}" CASCADE'))
                    _log.info("search_index_dropped", schema=name)


def stamped(model: str) -> Select[Any]:
    """Every section with the stamp of what its entry is made from: content, questions, and whether it has vectors."""
    own, asked = embeddings.alias(), embeddings.alias()
    joined = (
        sections.outerjoin(own, (own.c.content_hash == sections.c.content_hash) & (own.c.model == model))
        .outerjoin(
            asked,
            (asked.c.content_hash == sections.c.content_hash) & (asked.c.model == knowledge.questions_model(model)),
        )
        .outerjoin(generated_questions, generated_questions.c.content_hash == sections.c.content_hash)
    )
    made_from = func.concat_ws(
        " ",
        sections.c.content_hash,
        func.md5(func.coalesce(cast(generated_questions.c.kept, Text), "")),
        own.c.content_hash.is_not(None),
        asked.c.content_hash.is_not(None),
    )
    stamp = func.md5(made_from).label("stamp")
    return select(sections.c.id, sections.c.document, sections.c.position, stamp).select_from(joined)


async def _group_for(connection: AsyncConnection, audience: frozenset[str]) -> int:
    key = sorted(audience)
    found = await connection.execute(select(groups.c.id).where(groups.c.audience == key))
    return found.scalar_one_or_none() or await add_group(connection, key)
