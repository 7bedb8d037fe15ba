"""Quality beside what a Python team would assemble in an afternoon: `python -m benchmarks.compare [--korquad DIR]`.

Everybody gets the same sections and questions in one run. Peers come from the optional dependency group `bench`;
one that is not installed is named and left out.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from endy.bootstrap import build_embedder
from endy.evaluation.knowledge import answering, load_knowledge, store_for
from endy.evaluation.questions import EvalQuestion, load_corpus, load_questions
from endy.evaluation.runner import run
from endy.retrieval.section import Section
from endy.settings import Settings

ROOT = Path(__file__).parent.parent
LISTED = 10

Rank = Callable[[str], Sequence[int]]
"""Section numbers for a question, best first."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--korquad", type=Path)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    settings = Settings(_env_file=None)
    if options.korquad:
        source = options.korquad / "corpus.jsonl"
        sections = load_corpus(source)
        questions = load_questions(options.korquad / "questions.jsonl")
    else:
        source = Path("knowledge/docs")
        sections = load_knowledge(settings)
        paths = sorted((ROOT / "benchmarks/golden").glob("*.jsonl"))
        questions = [question for path in paths for question in load_questions(path)]
    asked = [question for question in questions if question.relevant][: options.limit]
    table = Table("방법", "첫째", "3위 안", "10위 안", "ms/질문", title=f"섹션 {len(sections)}개, 질문 {len(asked)}개")
    console = Console(width=100)
    for name, build in PEERS.items():
        console.print(f"[dim]{name} …")
        try:
            rank = build([_text(section) for section in sections])
        except ImportError as error:
            table.add_row(name, f"없음: {error.name}", "", "", "")
            continue
        table.add_row(name, *_measure(rank, sections, asked))
    for name, embeddings in (("Endy, 낱말만", "none"), ("Endy", "local")):
        console.print(f"[dim]{name} …")
        mine = settings.model_copy(update={"embeddings": embeddings})
        table.add_row(name, *_measure_endy(mine, sections, asked, store_for(str(source))))
    console.print(table)


def _text(section: Section) -> str:
    return " ".join((*section.heading_path, section.title, *section.keywords, section.text))


def _whitespace_bm25(texts: list[str]) -> Rank:
    from rank_bm25 import BM25Okapi  # noqa: PLC0415  optional

    index = BM25Okapi([text.split() for text in texts])
    return lambda question: np.argsort(-index.get_scores(question.split()))[:LISTED].tolist()


def _haystack(texts: list[str]) -> Rank:
    from haystack import Document  # noqa: PLC0415  optional
    from haystack.document_stores.in_memory import InMemoryDocumentStore  # noqa: PLC0415

    store = InMemoryDocumentStore()
    store.write_documents([Document(id=str(number), content=text) for number, text in enumerate(texts)])
    return lambda question: [int(found.id) for found in store.bm25_retrieval(question, top_k=LISTED)]


def _character_bm25(texts: list[str]) -> Rank:
    import bm25s  # noqa: PLC0415  optional

    index = bm25s.BM25()
    index.index([_pairs(text) for text in texts], show_progress=False)

    def rank(question: str) -> list[int]:
        found: Any = index.retrieve([_pairs(question)], k=min(LISTED, len(texts)), show_progress=False)[0]
        return [int(number) for number in found[0]]

    return rank


def _pairs(text: str) -> list[str]:
    squeezed = "".join(text.split())
    return [squeezed[i : i + 2] for i in range(len(squeezed) - 1)] or [squeezed]


def _embeddings(texts: list[str]) -> Rank:
    embedder = build_embedder(Settings(_env_file=None))
    assert embedder is not None
    vectors = embedder.passages(texts)
    return lambda question: np.argsort(-(vectors @ embedder.query(question)))[:LISTED].tolist()


PEERS: dict[str, Callable[[list[str]], Rank]] = {
    "rank-bm25, 띄어쓰기": _whitespace_bm25,
    "Haystack BM25": _haystack,
    "bm25s, 글자 쌍": _character_bm25,
    "임베딩만": _embeddings,
}


def _measure(rank: Rank, sections: Sequence[Section], asked: Sequence[EvalQuestion]) -> list[str]:
    started = time.perf_counter()
    found = [[sections[i].id for i in rank(" ".join((*q.turns[-1:], q.question)))] for q in asked]
    seconds = time.perf_counter() - started
    ranks = [
        next((place for place, source in enumerate(ids) if source in question.relevant), LISTED)
        for ids, question in zip(found, asked, strict=True)
    ]
    return _cells(ranks, seconds)


def _measure_endy(settings: Settings, sections: list[Section], asked: Sequence[EvalQuestion], store: Path) -> list[str]:
    """`store` holds the vectors that `endy eval` of the same knowledge keeps."""

    async def measure() -> list[str]:
        async with answering(settings, sections, store) as service:
            started = time.perf_counter()
            outcomes = await run(service, [replace(question, must_include=()) for question in asked])
            ranks = [LISTED if outcome.rank is None else outcome.rank for outcome in outcomes]
            return _cells(ranks, time.perf_counter() - started)

    return asyncio.run(measure())


def _cells(ranks: Sequence[int], seconds: float) -> list[str]:
    shares = [float(np.mean([rank < most for rank in ranks])) for most in (1, 3, LISTED)]
    return [*(f"{share:.3f}" for share in shares), f"{seconds / len(ranks) * 1000:.1f}"]


if __name__ == "__main__":
    main()
