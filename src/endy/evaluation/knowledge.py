"""The knowledge that is evaluated: any folder, FAQ file or corpus, with its vectors kept for the next run."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.ask.decision import Confidence
from endy.ask.offtopic import OffTopic
from endy.ask.question_log import QuestionLog
from endy.ask.service import AskService
from endy.bootstrap import build_embedder, build_language
from endy.errors import StartupError
from endy.knowledge import repository
from endy.knowledge.files import list_files, load
from endy.observability.metrics import Metrics
from endy.retrieval.search import SectionSearcher
from endy.retrieval.section import Section
from endy.retrieval.vectors import Embedder, embed_section
from endy.settings import Settings
from endy.storage import migrations
from endy.storage.engine import create_engine
from endy.storage.transaction import reading, transaction

BATCH = 16

Vectors = dict[str, NDArray[np.float16]]
Progress = Callable[[int, int], None]


def load_knowledge(settings: Settings) -> list[Section]:
    """All sections of KNOWLEDGE_DIR and FAQ_FILE. Raises StartupError if there are none."""
    loaded = [load(source, None) for source in list_files(settings).files.values()]
    sections = [section for file in loaded if file and file.parsed for section in file.parsed.sections]
    if not sections:
        raise StartupError(f"{settings.knowledge_dir}와 {settings.faq_file}에서 읽은 내용이 없어요.")
    return sections


def store_for(name: str) -> Path:
    """Where vectors of evaluated knowledge are kept between runs."""
    return Path("data") / "evaluation" / f"{hashlib.sha256(name.encode()).hexdigest()[:12]}.db"


@asynccontextmanager
async def answering(
    settings: Settings, sections: Sequence[Section], store: Path, progress: Progress = lambda _done, _all: None
) -> AsyncIterator[AskService]:
    """An answering service over these sections; vectors are read from and added to the SQLite file `store`."""
    embedder = build_embedder(settings)
    engine = create_engine(settings.model_copy(update={"database_url": f"sqlite:///{store}"}))
    try:
        await migrations.upgrade(engine)
        vectors = await stored_vectors(engine, embedder, sections, progress) if embedder else {}
        searcher = SectionSearcher(sections, vectors, build_language(settings), embedder, 1)
        service = AskService(QuestionLog(engine), lambda: searcher, Confidence.shipped(), OffTopic(embedder), Metrics())
        yield service
        await service.close()
    finally:
        await engine.dispose()


async def stored_vectors(
    engine: AsyncEngine, embedder: Embedder, sections: Sequence[Section], progress: Progress
) -> Vectors:
    """The sections' matrices by content hash, made and stored where they are missing."""
    async with reading(engine) as connection:
        hashes = {section.content_hash for section in sections}
        stored = await repository.get_embeddings(connection, embedder.name, hashes)
    missing = [section for section in sections if section.content_hash not in stored]
    for start in range(0, len(missing), BATCH):
        part = missing[start : start + BATCH]
        batch = {section.content_hash: embed_section(embedder, section).astype(np.float16) for section in part}
        async with transaction(engine) as connection:
            await repository.put_embeddings(connection, embedder.name, batch)
        stored |= batch
        progress(min(start + BATCH, len(missing)), len(missing))
    return stored
