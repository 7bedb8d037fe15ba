"""A knowledge folder on disk, a migrated database, and an embedder that costs nothing."""

import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.knowledge import repository
from endy.knowledge.sync import KnowledgeSync
from endy.retrieval.section import Section
from endy.retrieval.vectors import Matrix
from endy.settings import Settings, load_settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from endy.storage.transaction import reading

LEAVE = """---
department: P&C팀
contact: 내선 3100
---
# 휴가 안내
## 휴가
### 연차
연차는 해마다 15일이에요.
### 병가
병가는 60일까지예요.
"""


@dataclass
class CountingEmbedder:
    """Remembers what it was asked to embed; can be told to fail or to wait."""

    embedded: list[str] = field(default_factory=list)
    fails: bool = False
    gate: Event | None = None
    seconds: float = 0.0

    def __call__(self, section: Section) -> Matrix:
        if self.gate:
            self.gate.wait(10)
        time.sleep(self.seconds)
        if self.fails:
            raise ConnectionError("the embedding server is away")
        self.embedded.append(section.title)
        return np.full((2, 4), len(section.text), np.float32)


@dataclass
class Home:
    """The files of one installation and its database."""

    settings: Settings
    engine: AsyncEngine

    @property
    def folder(self) -> Path:
        return self.settings.knowledge_dir

    def write(self, name: str, content: str | bytes) -> Path:
        """Put a document there at once, as editors do: beside it first, then in its place."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        beside.replace(path)
        return path

    def write_faq(self, *entries: dict[str, object]) -> None:
        self.settings.faq_file.write_text(json.dumps({"faqs": entries}, ensure_ascii=False), encoding="utf-8")

    def syncer(self, embed: Callable[[Section], Matrix] | None = None, model: str = "test") -> KnowledgeSync:
        return KnowledgeSync(self.engine, self.settings, embed, model)

    async def sections(self) -> dict[str, Section]:
        async with reading(self.engine) as connection:
            return {section.id: section for section in (await repository.load_sections(connection))[1]}

    async def vectors(self, model: str = "test") -> dict[str, repository.Vectors]:
        async with reading(self.engine) as connection:
            return await repository.load_embeddings(connection, model)


def faq(number: int, **changes: object) -> dict[str, object]:
    entry: dict[str, object] = {
        "id": number, "category": "HR", "question": f"질문 {number}번은 무엇인가요?",
        "main_answer": f"답 {number}이에요.", "keywords": ["낱말"], "department": "P&C팀",
    }  # fmt: skip
    return entry | changes


@pytest.fixture
async def home(tmp_path: Path, database_url: str) -> AsyncIterator[Home]:
    settings = load_settings(
        _env_file=None,
        database_url=database_url,
        knowledge_dir=tmp_path / "docs",
        faq_file=tmp_path / "faq.json",
    )
    engine = create_engine(settings)
    await upgrade(engine)
    home = Home(settings, engine)
    home.write("leave.md", LEAVE)
    home.write_faq(faq(1), faq(2))
    yield home
    await engine.dispose()


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()
