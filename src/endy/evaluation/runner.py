"""Ask every question of a set through the answering service and note what came back."""

import time
from collections.abc import Callable, Sequence

from endy.ask.models import AskRequest
from endy.ask.service import AskService, Examination
from endy.evaluation.questions import EvalQuestion
from endy.evaluation.scores import Outcome


async def run(
    service: AskService, questions: Sequence[EvalQuestion], progress: Callable[[int], None] = lambda _: None
) -> list[Outcome]:
    """One outcome per question, in order, asked one after another so that latency means one user."""
    outcomes = []
    for number, question in enumerate(questions, start=1):
        started = time.perf_counter()
        examination = await service.examine(AskRequest(question.question, turns=question.turns))
        outcomes.append(_outcome(question, examination, time.perf_counter() - started))
        progress(number)
    return outcomes


def _outcome(question: EvalQuestion, examination: Examination, seconds: float) -> Outcome:
    found = tuple(hit.section.id for hit in examination.result.hits)
    answer = examination.answer
    return Outcome(
        question=question,
        rank=next((rank for rank, source in enumerate(found) if source in question.relevant), None),
        found=found,
        status=answer.status,
        confidence=examination.probability,
        facts_found=all(any(way in answer.answer for way in group) for group in question.must_include),
        seconds=seconds,
        answer=answer.answer,
    )
