"""Search over up to a million sections: `python -m benchmarks.large --korquad DIR [--sizes 10000,100000,1000000]`.

The sections are KorQuAD's paragraphs and recombinations of them: every passage is half a sentence joined to half of
another, every title three of theirs. The paragraphs' vectors are real. Embedding a million sections would take days on
a processor, so a recombined piece has the normalised mean of its parts' vectors with some noise. Each size runs in a
process of its own, one after the other; halves are analysed once for all, and the honest price is shown beside it.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from endy.bootstrap import build_embedder, build_language
from endy.evaluation.knowledge import store_for, stored_vectors
from endy.evaluation.questions import EvalQuestion, load_corpus, load_questions
from endy.retrieval.analysed import AnalysedSections
from endy.retrieval.analysis import Analyzer, Term
from endy.retrieval.index import EXACT
from endy.retrieval.passages import split_passages
from endy.retrieval.search import Language, View, view_of
from endy.retrieval.section import Section
from endy.retrieval.vectors import LEADING_PIECES, Embedder
from endy.settings import Settings
from endy.storage import migrations
from endy.storage.engine import create_engine

JOINT = " · "
NOISE = 0.3
"""Length of the noise on a recombined vector of length 1."""

SEED = 2026
AT_ONCE = 5000
FRESH = 1000
COMPARED = 100_000
"""Up to this size a search is also held against the exact one and asked for while another index is built."""

Vectors = dict[str, NDArray[np.float16]]


class HalvesAnalyzer(Analyzer):
    """Analyses the parts of a joined text apart and remembers them all."""

    def __init__(self, whole_words: frozenset[str]) -> None:
        super().__init__(whole_words)
        self._parts: dict[str, tuple[Term, ...]] = {}

    def words(self, text: str) -> list[str]:
        return [term.text for term in self.terms(text)]

    def terms(self, text: str) -> tuple[Term, ...]:
        found: list[Term] = []
        for part in text.split(JOINT):
            known = self._parts.get(part)
            if known is None:
                known = self._parts[part] = super().terms(part)
            found += known
        return tuple(found)


@dataclass(frozen=True)
class Halves:
    """What is recombined: the two halves of every passage, the titles, and the vectors of both."""

    first: list[str]
    second: list[str]
    titles: list[str]
    vectors: NDArray[np.float32]
    title_vectors: NDArray[np.float32]

    @classmethod
    def of(cls, sections: Sequence[Section], vectors: Vectors) -> "Halves":
        first, second, rows = [], [], []
        for section in sections:
            for number, passage in enumerate(split_passages(section.text)):
                words = passage.text.split()
                if len(words) > 3:
                    first.append(" ".join(words[: len(words) // 2]))
                    second.append(" ".join(words[len(words) // 2 :]))
                    rows.append(vectors[section.content_hash][LEADING_PIECES + number])
        by_title = {section.title: vectors[section.content_hash][1] for section in sections}
        named = [np.stack(part).astype(np.float32) for part in (rows, list(by_title.values()))]
        return cls(first, second, list(by_title), *named)


def recombined(halves: Halves, count: int) -> tuple[list[Section], Vectors]:
    """So many sections of three to six passages, the same ones whenever the count is the same."""
    random = np.random.default_rng(SEED)
    sections: list[Section] = []
    vectors: Vectors = {}
    titles = random.permutation(len(halves.titles) ** 3)[:count]
    for start in range(0, count, AT_ONCE):
        some, matrices = _some(halves, titles[start : start + AT_ONCE], start, random)
        sections += some
        vectors |= {section.content_hash: matrix for section, matrix in zip(some, matrices, strict=True)}
    return sections, vectors


def _some(
    halves: Halves, titles: NDArray[np.int64], start: int, random: np.random.Generator
) -> tuple[list[Section], list[NDArray[np.float16]]]:
    lengths = random.integers(3, 7, len(titles))
    ends = np.cumsum(lengths)
    parts = random.integers(0, len(halves.first), (2, int(ends[-1])))
    passages = [f"{halves.first[a]}{JOINT}{halves.second[b]}" for a, b in parts.T.tolist()]
    kind = len(halves.titles)
    names = np.stack([titles % kind, titles // kind % kind, titles // kind**2], axis=1)
    sections = [
        _section(start + number, [halves.titles[i] for i in name], passages[end - length : end])
        for number, (name, end, length) in enumerate(zip(names.tolist(), ends.tolist(), lengths.tolist(), strict=True))
    ]
    own = _noisy(halves.vectors[parts].sum(axis=0), random)
    whole = _noisy(np.add.reduceat(own, ends - lengths), random)
    named = _noisy(halves.title_vectors[names].sum(axis=1), random)
    matrix = np.empty((len(own) + 2 * len(titles), own.shape[1]), np.float16)
    leading = ends - lengths + 2 * np.arange(len(titles))
    behind = np.ones(len(matrix), bool)
    behind[leading] = behind[leading + 1] = False
    matrix[leading], matrix[leading + 1], matrix[behind] = whole, named, own
    return sections, [
        matrix[a : a + LEADING_PIECES + n] for a, n in zip(leading.tolist(), lengths.tolist(), strict=True)
    ]


def _section(number: int, titles: Sequence[str], passages: Sequence[str]) -> Section:
    title = JOINT.join(titles)
    return Section(f"m{number}", "section", "made", "", (), title, "\n\n".join(passages), "", content_hash=f"m{number}")


def _noisy(vectors: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    noise = random.standard_normal(vectors.shape, np.float32)
    vectors += noise * np.float32(NOISE / np.sqrt(vectors.shape[1]))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--korquad", type=Path, required=True)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measured(options.korquad, options.only, options.questions)))
        return
    figures = [_in_child(options, int(size)) for size in options.sizes.split(",")]
    console = Console(width=110)
    table = Table("무엇", *(f"{row['sections']:,}" for row in figures), title="섹션 수에 따른 속도와 크기")
    for name in dict.fromkeys(name for row in figures for name in row if name != "sections"):
        table.add_row(name, *(str(row.get(name, "·")) for row in figures))
    console.print(table)
    console.print("합친 섹션의 벡터는 부분 벡터의 평균에 잡음을 더한 것이에요. 실제 문단 961개의 벡터만 진짜예요.")
    console.print(f"p95 비율 (마지막/처음): {figures[-1]['찾기 p95 ms'] / figures[0]['찾기 p95 ms']:.2f}")


def _in_child(options: argparse.Namespace, size: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.large", "--korquad", str(options.korquad), "--only", str(size)]
    command += ["--questions", str(options.questions)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603  ourselves
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measured(korquad: Path, size: int, count: int) -> dict[str, Any]:
    """All figures of one size, by the names that the table shows."""
    settings = Settings(_env_file=None)
    embedder = build_embedder(settings)
    assert embedder is not None, "the local embeddings are needed"
    own = build_language(settings)
    language = replace(own, analyzer=HalvesAnalyzer(own.whole_words))
    real = load_corpus(korquad / "corpus.jsonl")
    vectors = asyncio.run(real_vectors(settings, embedder, real, korquad / "corpus.jsonl"))
    note("합치는 중", size)
    made, made_vectors = recombined(Halves.of(real, vectors), size - len(real))
    sections, vectors = [*real, *made], vectors | made_vectors
    questions = load_questions(korquad / "questions.jsonl")
    questions = questions[:: max(1, len(questions) // count)]
    figures: dict[str, Any] = {"sections": len(sections), "메모리 (섹션과 벡터) GiB": resident("VmRSS")}
    note("색인을 만드는 중", size)
    started = time.perf_counter()
    view = view_of(sections, vectors, language, embedder)
    figures["만들기 s (분석은 기억)"] = round(time.perf_counter() - started)
    figures["메모리 GiB"], figures["만들 때 최대 GiB"] = resident("VmRSS"), resident("VmHWM")
    note("묻는 중", size)
    # The first questions would pay for what every later one finds in memory.
    _ask(view, questions[:20])
    figures |= _asked(view, questions)
    figures |= _fresh_analysis(made, own)
    if len(sections) <= COMPARED:
        figures |= _while_building(sections, vectors, language, embedder, view, questions)
    if EXACT < len(sections) <= COMPARED:
        figures |= _against_exact(sections, vectors, language, embedder, view, questions)
    return figures


def note(doing: str, size: int) -> None:
    """For who waits: what is being done now."""
    print(f"{time.strftime('%H:%M:%S')} {size:,}: {doing}", file=sys.stderr, flush=True)


async def real_vectors(settings: Settings, embedder: Embedder, sections: Sequence[Section], source: Path) -> Vectors:
    """By the embedder, kept between runs."""
    store = f"sqlite:///{store_for(str(source))}"
    engine = create_engine(settings.model_copy(update={"database_url": store}))
    await migrations.upgrade(engine)
    found = await stored_vectors(engine, embedder, sections, lambda _done, _all: None)
    await engine.dispose()
    return found


def resident(field: str) -> float:
    """GiB of this process, by the name that the kernel gives the figure."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024**2, 2)


def _ask(view: View, questions: Sequence[EvalQuestion]) -> tuple[list[float], list[str]]:
    times, first = [], []
    for question in questions:
        started = time.perf_counter()
        hits = view.search(question.question).hits
        times.append(time.perf_counter() - started)
        first.append(hits[0].section.id if hits else "")
    return times, first


def _asked(view: View, questions: Sequence[EvalQuestion]) -> dict[str, Any]:
    times, first = _ask(view, questions[20:])
    right = [one in question.relevant for one, question in zip(first, questions[20:], strict=True)]
    return {
        "찾기 p50 ms": round(float(np.percentile(times, 50)) * 1000, 1),
        "찾기 p95 ms": round(float(np.percentile(times, 95)) * 1000, 1),
        "첫째가 맞음": round(float(np.mean(right)), 3),
    }


def _fresh_analysis(sections: Sequence[Section], language: Language) -> dict[str, Any]:
    started = time.perf_counter()
    AnalysedSections(sections[:FRESH], language.analyzer, by_words=False, packed=False)
    return {"새 섹션 1,000개 분석 s": round(time.perf_counter() - started, 2)}


def _while_building(
    sections: Sequence[Section],
    vectors: Vectors,
    language: Language,
    embedder: Embedder,
    view: View,
    questions: Sequence[EvalQuestion],
) -> dict[str, Any]:
    """The time of a search while the next snapshot, with one section changed, is made in a thread."""
    changed = [*sections[:-1], replace(sections[-1], text=f"{sections[-1].text}\n\n바뀐 문장이에요.")]
    builder = Thread(target=lambda: view_of(changed, vectors, language, embedder))
    started = time.perf_counter()
    builder.start()
    times: list[float] = []
    while builder.is_alive():
        times += _ask(view, questions[len(times) % len(questions) :][:10])[0]
    builder.join()
    return {
        "한 섹션이 바뀐 새 색인 s": round(time.perf_counter() - started, 1),
        "만드는 동안 찾기 p95 ms": round(float(np.percentile(times, 95)) * 1000, 1),
    }


def _against_exact(
    sections: Sequence[Section],
    vectors: Vectors,
    language: Language,
    embedder: Embedder,
    view: View,
    questions: Sequence[EvalQuestion],
) -> dict[str, Any]:
    exact = view_of(sections, vectors, language, embedder, exact=len(sections))
    _ask(exact, questions[:20])
    times, first = _ask(exact, questions[20:])
    _, pruned = _ask(view, questions[20:])
    right = [one in question.relevant for one, question in zip(first, questions[20:], strict=True)]
    return {
        "모두 보는 찾기 p95 ms": round(float(np.percentile(times, 95)) * 1000, 1),
        "모두 볼 때 첫째가 맞음": round(float(np.mean(right)), 3),
        "추려도 첫째가 같음": round(float(np.mean(np.array(first) == np.array(pruned))), 3),
    }


if __name__ == "__main__":
    main()
