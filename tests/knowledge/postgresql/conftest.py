"""A database with sections in it, and the search index over them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.ask.catalog import letters
from endy.knowledge import repository
from endy.knowledge.postgresql.index import PostgresSearcher
from endy.knowledge.postgresql.repository import SearchStore
from endy.knowledge.postgresql.tables import schema_name
from endy.knowledge.postgresql.writer import IndexWriter
from endy.knowledge.repository import StoredDocument
from endy.knowledge.sections import with_hash
from endy.retrieval.fusion import Fusion
from endy.retrieval.search import Language
from endy.retrieval.section import Section
from endy.retrieval.vocabulary import SHIPPED_VOCABULARY, parse_vocabulary
from endy.settings import Settings, load_settings
from endy.storage.engine import create_engine, create_thread_engine
from endy.storage.transaction import transaction
from tests.databases import execute
from tests.retrieval.made import DIMENSIONS, MadeEmbedder

Vectors = Mapping[str, NDArray[np.float16]]


@dataclass
class Stored:
    """One database; what is put into it is indexed when it is opened."""

    settings: Settings
    engine: AsyncEngine
    language: Language
    embedder: MadeEmbedder | None = None
    stores: list[SearchStore] = field(default_factory=list)

    @property
    def model(self) -> str:
        return self.embedder.name if self.embedder else ""

    @property
    def schema(self) -> str:
        dimensions = DIMENSIONS if self.embedder else 0
        return schema_name(self.model, dimensions, self.language.whole_words)

    @property
    def writer(self) -> IndexWriter:
        dimensions = DIMENSIONS if self.embedder else 0
        return IndexWriter(self.engine, self.schema, self.language.analyzer, self.model, dimensions, letters)

    async def put(self, sections: Sequence[Section], vectors: Vectors | None = None) -> None:
        """Make these sections all that their documents hold."""
        documents: dict[str, list[Section]] = {}
        for section in sections:
            documents.setdefault(section.document, []).append(section)
        async with transaction(self.engine, "knowledge") as connection:
            for name, some in documents.items():
                document = StoredDocument(name, name, "hash", "ok", (), datetime.now(UTC))
                await repository.put_document(connection, document)
                await repository.replace_sections(connection, name, some)
            await repository.put_embeddings(connection, self.model, vectors or {})
            await repository.bump_version(connection)

    async def open(self) -> PostgresSearcher:
        await self.writer.bring_up()
        return self.searcher()

    def searcher(self) -> PostgresSearcher:
        """Over what is indexed now."""
        store = SearchStore(create_thread_engine(self.settings, 2), self.schema, self.model)
        self.stores.append(store)
        return PostgresSearcher(store, self.language, self.embedder)

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """One statement about the index, in which `search` stands for its schema."""
        return execute(self.settings.database_url, statement.replace("search", self.schema))


@pytest.fixture(scope="session")
def plain_language() -> Language:
    concepts = parse_vocabulary(SHIPPED_VOCABULARY.read_text(encoding="utf-8"))
    return Language.build(concepts, [], Fusion.shipped(), None)


@pytest.fixture
async def stored(migrated_postgres_url: str, plain_language: Language) -> AsyncIterator[Stored]:
    settings = load_settings(_env_file=None, database_url=migrated_postgres_url)
    engine = create_engine(settings, patient=True)
    opened = Stored(settings, engine, plain_language)
    yield opened
    for store in opened.stores:
        store.close()
    await engine.dispose()


def hashed(sections: Sequence[Section]) -> list[Section]:
    """With hashes that notice every change."""
    return [with_hash(section) for section in sections]
