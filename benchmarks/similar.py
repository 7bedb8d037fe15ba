"""Which questions may share an answer: `python -m benchmarks.similar [QUESTIONS.jsonl --docs DIR --faq FILE]`.

Every pair of questions with different right sources must stay apart at any threshold; questions in another dress (a
greeting, another ending) should come together. NEAR in `ask/similar.py` is chosen here.
"""

import argparse
import asyncio
import itertools
import re
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from endy.ask.models import AskRequest
from endy.ask.service import AskService
from endy.ask.similar import facts_asked
from endy.evaluation.knowledge import answering, load_knowledge, store_for
from endy.evaluation.questions import EvalQuestion, load_questions
from endy.retrieval.search import SearchResult
from endy.settings import Settings

ROOT = Path(__file__).parent.parent
THRESHOLDS = (0.90, 0.92, 0.94, 0.96, 0.98)
DRESSES = (
    lambda question: f"혹시 {question}",
    lambda question: f"{question} 궁금해요",
    lambda question: re.sub(r"(?:나요|까요|어요|아요|예요|에요)\?$", "", question) + "?",
    lambda question: re.sub(r"\?$", "", question) + " ㅠㅠ",
    lambda question: question.replace(" ", ""),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("questions", nargs="*", type=Path, default=sorted((ROOT / "benchmarks/golden").glob("*.jsonl")))
    parser.add_argument("--docs", type=Path, default=ROOT / "knowledge/docs")
    parser.add_argument("--faq", type=Path, default=ROOT / "knowledge/faq.json")
    options = parser.parse_args()
    settings = Settings(_env_file=None, knowledge_dir=options.docs, faq_file=options.faq)
    asked = [question for path in options.questions for question in load_questions(path) if not question.turns]
    plain, dressed = asyncio.run(_search(settings, asked))
    table = Table("코사인", "다른 답인데 만남", "만남 (사실은 다름)", "같은 질문인데 만남")
    for near in THRESHOLDS:
        table.add_row(f"{near:.2f}", *_row(near, asked, plain, dressed))
    Console().print(table)


def _row(
    near: float, asked: list[EvalQuestion], plain: list[SearchResult], dressed: list[list[SearchResult]]
) -> tuple[str, str, str]:
    pairs = list(itertools.combinations(range(len(asked)), 2))
    apart = [(a, b) for a, b in pairs if set(asked[a].relevant) != set(asked[b].relevant)]
    close = [pair for pair in apart if _cosine(plain[pair[0]], plain[pair[1]]) >= near]
    met = [pair for pair in close if facts_asked(plain[pair[0]]) == facts_asked(plain[pair[1]]) is not None]
    together = [
        _cosine(result, other) >= near and facts_asked(result) == facts_asked(other)
        for result, others in zip(plain, dressed, strict=True)
        for other in others
    ]
    return str(len(met)), f"{len(close)} / {len(apart)}", f"{np.mean(together):.2f}"


def _cosine(first: SearchResult, second: SearchResult) -> float:
    if first.query.vector is None or second.query.vector is None:
        return 0.0
    return float(first.query.vector @ second.query.vector)


async def _search(settings: Settings, asked: list[EvalQuestion]) -> tuple[list[SearchResult], list[list[SearchResult]]]:
    async def found(service: AskService, question: str) -> SearchResult:
        return (await service.examine(AskRequest(question))).result

    store = store_for(str(settings.knowledge_dir))
    async with answering(settings, load_knowledge(settings), store) as service:
        plain = [await found(service, question.question) for question in asked]
        every = [[await found(service, dress(one.question)) for dress in DRESSES] for one in asked[::4]]
    return plain, [every[number // 4] if number % 4 == 0 else [] for number in range(len(asked))]


if __name__ == "__main__":
    main()
