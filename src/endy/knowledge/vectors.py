"""Vectors for sections: only those that are not stored yet, in small batches, so that a killed run resumes."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor

import numpy as np
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.knowledge import repository
from endy.knowledge.repository import Vectors
from endy.knowledge.sections import embedded_words
from endy.retrieval.section import Section
from endy.retrieval.vectors import Matrix
from endy.storage.transaction import reading, transaction

BATCH = 8

Embed = Callable[[Section], Matrix]
Progress = Callable[[int, int], None]
"""Called with the sections done and the sections in all."""

_log = structlog.get_logger(__name__)


class VectorStore:
    """Fills the `embeddings` table for one model."""

    def __init__(self, engine: AsyncEngine, embed: Embed, model: str, executor: Executor) -> None:
        self.model = model
        self._engine = engine
        self._embed = embed
        self._executor = executor

    async def missing(self, new: Iterable[Section], replaced: set[str]) -> list[Section]:
        """Sections without vectors: of the new ones, and of the stored ones outside the replaced documents."""
        async with reading(self._engine) as connection:
            stored = await repository.sections_without_vectors(connection, self.model)
            known = await repository.embedded_hashes(connection, self.model)
        staying = (section for section in stored if section.document not in replaced)
        wanted = {section.content_hash: section for section in (*new, *staying)}
        return [section for key, section in wanted.items() if key not in known]

    async def fill(
        self, missing: Sequence[Section], progress: Progress | None = None, patience: float = math.inf
    ) -> tuple[int, bool]:
        """Embed and store; how many are still missing, and whether that is for want of time.

        After `patience` seconds no further batch is begun; otherwise the embedder failed.
        """
        ends = time.monotonic() + patience
        for start in range(0, len(missing), BATCH):
            if time.monotonic() >= ends:
                return len(missing) - start, True
            done: dict[str, Vectors] = {}
            failed = not await self._embed_into(done, missing[start : start + BATCH])
            async with transaction(self._engine, "knowledge") as connection:
                await repository.put_embeddings(connection, self.model, done)
            if progress:
                progress(start + len(done), len(missing))
            if failed:
                return len(missing) - start - len(done), False
        return 0, False

    async def reuse(self, missing: Sequence[Section], stored: Iterable[Section]) -> list[Section]:
        """Copy vectors from stored sections with the same words (a new contact changes none); returns the rest."""
        by_words = {embedded_words(section): section.content_hash for section in stored}
        twins = {section.content_hash: by_words.get(embedded_words(section), "") for section in missing}
        async with reading(self._engine) as connection:
            found = await repository.get_embeddings(connection, self.model, set(twins.values()) - {""})
        copies = {key: found[twin] for key, twin in twins.items() if twin in found}
        if copies:
            async with transaction(self._engine, "knowledge") as connection:
                await repository.put_embeddings(connection, self.model, copies)
        return [section for section in missing if section.content_hash not in copies]

    async def _embed_into(self, done: dict[str, Vectors], sections: Sequence[Section]) -> bool:
        loop = asyncio.get_running_loop()
        for section in sections:
            try:
                matrix = await loop.run_in_executor(self._executor, self._embed, section)
            except Exception:  # noqa: BLE001  whatever the model or its server raises, words alone still find the text
                _log.exception("embedding_failed", section=section.id, model=self.model)
                return False
            done[section.content_hash] = np.asarray(matrix, np.float16)
        return True
