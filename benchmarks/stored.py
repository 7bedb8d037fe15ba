"""SEARCH=postgres beside the index in memory: `python -m benchmarks.stored --korquad DIR [--nuri DIR] [--sizes N,N]`.

Both indexes are made of the same sections and asked the same questions in turns. Sizes beyond KorQuAD's own are
recombined as in `benchmarks.large`. A PostgreSQL of its own is started from the tests' wheel, with its settings as
they come.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from tests.postgres import PostgresServer

from benchmarks.large import Halves, HalvesAnalyzer, Vectors, note, real_vectors, recombined, resident
from endy.ask.catalog import letters
from endy.bootstrap import build_embedder, build_language
from endy.evaluation.knowledge import load_knowledge
from endy.evaluation.questions import EvalQuestion, load_corpus, load_questions
from endy.knowledge import repository
from endy.knowledge.postgresql.index import PostgresSearcher
from endy.knowledge.postgresql.repository import SearchStore
from endy.knowledge.postgresql.tables import schema_name
from endy.knowledge.postgresql.writer import IndexWriter
from endy.knowledge.repository import StoredDocument
from endy.retrieval.search import Language, View, view_of
from endy.retrieval.section import Section
from endy.retrieval.vectors import Embedder
from endy.settings import Settings
from endy.storage import migrations
from endy.storage.engine import create_engine, create_thread_engine
from endy.storage.transaction import transaction

AT_ONCE = 20_000


@dataclass(frozen=True)
class Knowledge:
    name: str
    sections: list[Section]
    vectors: Vectors
    questions: list[EvalQuestion]
    language: Language


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--korquad", type=Path, required=True)
    parser.add_argument("--nuri", type=Path)
    parser.add_argument("--sizes", default="100000")
    parser.add_argument("--questions", type=int, default=400)
    options = parser.parse_args()
    settings = Settings(_env_file=None)
    embedder = build_embedder(settings)
    assert embedder is not None, "the local embeddings are needed"
    figures = []
    with _server() as server:
        for knowledge in _knowledge(options, settings, embedder):
            url = server.create_database()
            figures.append(
                asyncio.run(_measured(knowledge, settings.model_copy(update={"database_url": url}), embedder))
            )
    table = Table("무엇", *(str(row["지식"]) for row in figures), title="PostgreSQL 검색과 메모리 검색")
    for name in figures[0]:
        if name != "지식":
            table.add_row(name, *(str(row[name]) for row in figures))
    Console(width=120).print(table)


@contextmanager
def _server() -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="endy-stored-") as folder:
        Path(folder).chmod(0o755)
        server = PostgresServer(Path(folder) / "server", durable=True)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _knowledge(options: argparse.Namespace, settings: Settings, embedder: Embedder) -> Iterator[Knowledge]:
    language = build_language(settings)
    if options.nuri:
        own = settings.model_copy(
            update={"knowledge_dir": options.nuri / "docs", "faq_file": options.nuri / "faq.json"}
        )
        sections = load_knowledge(own)
        vectors = asyncio.run(real_vectors(settings, embedder, sections, options.nuri / "docs"))
        asked = [question for question in load_questions(options.nuri / "questions.jsonl") if question.relevant]
        yield Knowledge("nuri", sections, vectors, asked, language)
    real = load_corpus(options.korquad / "corpus.jsonl")
    vectors = asyncio.run(real_vectors(settings, embedder, real, options.korquad / "corpus.jsonl"))
    every = load_questions(options.korquad / "questions.jsonl")
    asked = every[:: max(1, len(every) // options.questions)]
    yield Knowledge("KorQuAD", real, vectors, asked, language)
    halves = replace(language, analyzer=HalvesAnalyzer(language.whole_words))
    for size in map(int, filter(None, options.sizes.split(","))):
        made, made_vectors = recombined(Halves.of(real, vectors), size - len(real))
        yield Knowledge(f"{size:,}", [*real, *made], vectors | made_vectors, asked, halves)


async def _measured(knowledge: Knowledge, settings: Settings, embedder: Embedder) -> dict[str, Any]:
    size = len(knowledge.sections)
    schema = schema_name(embedder.name, embedder.dimensions, knowledge.language.whole_words)
    engine = create_engine(settings, patient=True)
    analyzer = knowledge.language.analyzer
    writer = IndexWriter(engine, schema, analyzer, embedder.name, embedder.dimensions, letters)
    store = SearchStore(create_thread_engine(settings, 2), schema, embedder.name)
    try:
        await migrations.upgrade(engine)
        note("넣는 중", size)
        await _fill(knowledge, settings, embedder)
        note("색인을 쓰는 중", size)
        written, _ = await _timed(writer.bring_up())
        changed = await _change_seen(knowledge, settings, embedder, writer)
        note("묻는 중", size)
        resting = resident("VmRSS")
        searcher = PostgresSearcher(store, knowledge.language, embedder)
        opened = round(resident("VmRSS") - resting, 2)
        here = view_of(knowledge.sections, knowledge.vectors, knowledge.language, embedder)
        return {
            "지식": knowledge.name,
            "색인 쓰기 s": round(written, 1),
            "문서 하나가 바뀐 뒤 s": round(changed, 2),
            "여는 데 드는 메모리 GiB": opened,
            **_asked(knowledge.questions, here, searcher.view(frozenset())),
        }
    finally:
        store.close()
        await engine.dispose()


async def _fill(knowledge: Knowledge, settings: Settings, embedder: Embedder) -> None:
    engine = create_engine(settings, patient=True)
    by_document: dict[str, list[Section]] = {}
    for section in knowledge.sections:
        by_document.setdefault(section.document, []).append(section)
    async with transaction(engine, "knowledge") as connection:
        for name, some in by_document.items():
            document = StoredDocument(name, name, "", "ok", (), datetime.now(UTC))
            await repository.put_document(connection, document)
            await repository.replace_sections(connection, name, some)
    keys = list(knowledge.vectors)
    for start in range(0, len(keys), AT_ONCE):
        some_vectors = {key: knowledge.vectors[key] for key in keys[start : start + AT_ONCE]}
        async with transaction(engine, "knowledge") as connection:
            await repository.put_embeddings(connection, embedder.name, some_vectors)
    async with transaction(engine, "knowledge") as connection:
        await repository.bump_version(connection)
    await engine.dispose()


async def _change_seen(
    knowledge: Knowledge, settings: Settings, embedder: Embedder, writer: IndexWriter
) -> float:  # fmt: skip
    """Seconds from a committed change of one document to an index that has it."""
    document = min({section.document for section in knowledge.sections}, key=len)
    some = [section for section in knowledge.sections if section.document == document][:50]
    engine = create_engine(settings)
    async with transaction(engine, "knowledge") as connection:
        await repository.put_document(connection, StoredDocument("new", "new", "", "ok", (), datetime.now(UTC)))
        renamed = [replace(section, id=f"new#{n}", document="new") for n, section in enumerate(some)]
        await repository.replace_sections(connection, "new", renamed)
        await repository.bump_version(connection)
    seconds, _ = await _timed(writer.bring_up())
    async with transaction(engine, "knowledge") as connection:
        await repository.delete_documents(connection, ["new"])
        await repository.bump_version(connection)
    await writer.bring_up()
    await engine.dispose()
    return seconds


async def _timed(work: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    found = await work
    return time.perf_counter() - started, found


def _asked(questions: Sequence[EvalQuestion], here: View, there: View) -> dict[str, Any]:
    times: tuple[list[float], list[float]] = ([], [])
    first: tuple[list[str], list[str]] = ([], [])
    tenth: tuple[list[bool], list[bool]] = ([], [])
    for question in questions:
        asked = " ".join((*question.turns[-1:], question.question))
        # Its vector is made before the clock runs: that is the same for both.
        here.reader.read(here.reader.repair(asked))
        for side, view in enumerate((here, there)):
            started = time.perf_counter()
            hits = view.search(asked).hits
            times[side].append(time.perf_counter() - started)
            first[side].append(hits[0].section.id if hits else "")
            tenth[side].append(any(hit.section.id in question.relevant for hit in hits))
    right = [[one in question.relevant for one, question in zip(side, questions, strict=True)] for side in first]
    told: dict[str, Any] = {"첫째가 같음": round(float(np.mean(np.array(first[0]) == np.array(first[1]))), 4)}
    for side, name in enumerate(("메모리", "PostgreSQL")):
        told[f"{name}: 첫째가 맞음"] = round(float(np.mean(right[side])), 4)
        told[f"{name}: 열째까지 있음"] = round(float(np.mean(tenth[side])), 4)
        told[f"{name}: p50 / p95 ms"] = " / ".join(
            f"{np.percentile(times[side], share) * 1000:.0f}" for share in (50, 95)
        )
    return told


if __name__ == "__main__":
    main()
