"""What questions written once are worth: `python -m benchmarks.enrich QUESTIONS.jsonl --docs DIR --faq FILE`.

`enrichment/nuri.json` plays the model: for some sections, questions that were written from the sections alone, and bad
ones. They go through the judge as a model's would; then the question set is asked with and without those kept.
"""

import argparse
import asyncio
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from endy.ask.decision import Confidence
from endy.ask.enrich.judge import Judge, Judged
from endy.ask.offtopic import OffTopic
from endy.ask.question_log import QuestionLog
from endy.ask.service import AskService
from endy.bootstrap import build_embedder, build_language
from endy.evaluation.knowledge import Vectors, load_knowledge, store_for, stored_vectors
from endy.evaluation.questions import EvalQuestion, load_questions
from endy.evaluation.runner import run
from endy.evaluation.scores import Outcome, by_kind, score
from endy.observability.metrics import Metrics
from endy.retrieval.search import Searcher, SectionSearcher
from endy.retrieval.section import Section
from endy.retrieval.vectors import Embedder
from endy.settings import Settings
from endy.storage import migrations
from endy.storage.engine import create_engine

WRITTEN = Path(__file__).parent / "enrichment" / "nuri.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--docs", type=Path, required=True)
    parser.add_argument("--faq", type=Path, required=True)
    options = parser.parse_args()
    settings = Settings(_env_file=None, knowledge_dir=options.docs, faq_file=options.faq)
    asyncio.run(_compare(settings, load_questions(options.questions)))


async def _compare(settings: Settings, questions: list[EvalQuestion]) -> None:
    sections = load_knowledge(settings)
    embedder = build_embedder(settings)
    assert embedder is not None
    store = f"sqlite:///{store_for(str(settings.knowledge_dir))}"
    engine = create_engine(settings.model_copy(update={"database_url": store}))
    await migrations.upgrade(engine)
    vectors = await stored_vectors(engine, embedder, sections, lambda _done, _all: None)
    language, offtopic = build_language(settings), OffTopic(embedder)
    plain = SectionSearcher(sections, vectors, language, embedder)
    judge = Judge(Confidence.shipped(), lambda result: offtopic.closeness(result.query.vector))
    written = json.loads(WRITTEN.read_text(encoding="utf-8"))
    chosen = [section for section in sections if section.id in written]
    judged = {section.id: _judge(judge, section, written[section.id], plain) for section in chosen}
    _tell_rejected(written, judged)
    fuller, more = _with_questions(sections, judged, vectors, embedder)
    enriched = SectionSearcher(fuller, more, language, embedder)
    services = [
        AskService(QuestionLog(engine), searcher, Confidence.shipped(), offtopic, Metrics())
        for searcher in (lambda: plain, lambda: enriched)
    ]
    before, after = [await run(service, questions) for service in services]
    table = Table("종류", "문항", "첫째, 전", "첫째, 뒤", "3위 안, 전", "3위 안, 뒤", "거절, 전", "거절, 뒤")
    for kind in [*sorted(by_kind(before)), ""]:
        table.add_row(kind or "전체", *_cells(_of(before, kind), _of(after, kind)))
    Console().print(table)


def _with_questions(
    sections: list[Section], judged: dict[str, Judged], vectors: Vectors, embedder: Embedder
) -> tuple[list[Section], Vectors]:
    """The sections with their kept questions, and the vectors with those of the questions behind."""
    fuller = [replace(one, questions=tuple(judged[one.id].kept)) if one.id in judged else one for one in sections]
    more = dict(vectors)
    for section in fuller:
        if section.questions:
            asked = embedder.passages(section.questions).astype(np.float16)
            more[section.content_hash] = np.vstack([vectors[section.content_hash], asked])
    return fuller, more


def _judge(judge: Judge, section: Section, written: dict[str, list], searcher: Searcher) -> Judged:
    questions = [*written["good"], *(bad["question"] for bad in written["bad"])]
    return judge.judge(questions, section, searcher.view(section.audience))


def _tell_rejected(written: dict[str, dict[str, list]], judged: dict[str, Judged]) -> None:
    good = sum(len(one["good"]) for one in written.values())
    kept = sum(question in judged[key].kept for key, one in written.items() for question in one["good"])
    bad = Counter(one["why"] for each in written.values() for one in each["bad"])
    passed = Counter(
        one["why"] for key, each in written.items() for one in each["bad"] if one["question"] in judged[key].kept
    )
    reasons = Counter(one["reason"] for each in judged.values() for one in each.rejected)
    Console().print(f"섹션 {len(judged)}개 · 좋은 질문 {good}개 가운데 {kept}개 남음")
    Console().print(f"나쁜 질문 {dict(bad)} 가운데 남은 것 {dict(passed)} · 버린 까닭 {dict(reasons)}")


def _of(outcomes: list[Outcome], kind: str) -> list[Outcome]:
    return [outcome for outcome in outcomes if not kind or outcome.question.kind == kind]


def _cells(before: list[Outcome], after: list[Outcome]) -> list[str]:
    first, second = score(before), score(after)
    shares = (first.top1, second.top1, first.recall3, second.recall3, first.refused, second.refused)
    return [str(first.questions), *("·" if share is None else f"{share:.3f}" for share in shares)]


if __name__ == "__main__":
    main()
