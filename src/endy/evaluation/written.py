"""What a model's answers are worth: grounded, rightly cited, complete, soon, and for how much."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from statistics import fmean, quantiles
from typing import Any

from endy.ask.models import AskRequest
from endy.ask.service import AskService
from endy.ask.writer import Task, Writer, Written
from endy.evaluation.questions import EvalQuestion
from endy.privacy.masking import mask


@dataclass(frozen=True, slots=True)
class WrittenOutcome:
    """One question as the model answered it; times are in seconds and count from before the search."""

    question: EvalQuestion
    written: Written
    cited: tuple[str, ...]
    """Ids of the cited sections, in the order of first use."""
    facts_found: bool
    first_shown: float | None
    seconds: float

    @property
    def right_citations(self) -> int:
        return sum(source in self.question.relevant for source in self.cited)

    @property
    def correct(self) -> bool:
        """An answer that cites a right source, or a refusal where there is none."""
        if self.question.relevant:
            return self.written.outcome == "written" and self.right_citations > 0
        return self.written.outcome == "no_answer"


async def run_written(
    service: AskService,
    writer: Writer,
    questions: Sequence[EvalQuestion],
    progress: Callable[[int], None] = lambda _: None,
    at_once: int = 4,
) -> list[WrittenOutcome]:
    """Every question to the model, whatever the confidence; `at_once` calls at a time. Outcomes in order."""
    free = asyncio.Semaphore(at_once)
    done = 0

    async def one(question: EvalQuestion) -> WrittenOutcome:
        nonlocal done
        async with free:
            outcome = await _ask(service, writer, question)
        done += 1
        progress(done)
        return outcome

    return list(await asyncio.gather(*map(one, questions)))


async def _ask(service: AskService, writer: Writer, question: EvalQuestion) -> WrittenOutcome:
    started = time.perf_counter()
    asked = mask(question.question)
    result = (await service.examine(AskRequest(asked, turns=question.turns))).result
    written, first = Written("unavailable"), None
    async with aclosing(writer.write(Task(asked, question.turns, result))) as pieces:
        async for piece in pieces:
            if isinstance(piece, Written):
                written = piece
            elif first is None:
                first = time.perf_counter() - started
    return WrittenOutcome(
        question=question,
        written=written,
        cited=tuple(result.hits[number - 1].section.id for number in written.cited),
        facts_found=all(any(way in written.text for way in group) for group in question.must_include),
        first_shown=first,
        seconds=time.perf_counter() - started,
    )


def written_report(outcomes: Sequence[WrittenOutcome]) -> dict[str, Any]:
    """All figures; shares are 0-1, None where nothing counts.

    grounded            of the sentences that the model wrote, those that its sources hold up (guard)
    citation_precision  of the citations shown, those of a right source
    """
    answerable = [outcome for outcome in outcomes if outcome.question.relevant]
    unanswerable = [outcome for outcome in outcomes if not outcome.question.relevant]
    shown = [outcome for outcome in answerable if outcome.written.outcome == "written"]
    sentences = sum(outcome.written.sentences for outcome in outcomes)
    return {
        "questions": len(outcomes),
        "outcomes": dict(Counter(outcome.written.outcome for outcome in outcomes)),
        "unavailable": dict(Counter(o.written.reason for o in outcomes if o.written.outcome == "unavailable")),
        "correct": _mean([outcome.correct for outcome in answerable]),
        "facts": _mean([outcome.facts_found for outcome in shown if outcome.question.must_include]),
        "refused": _mean([outcome.correct for outcome in unanswerable]),
        "grounded": 1 - sum(outcome.written.dropped for outcome in outcomes) / sentences if sentences else None,
        "citation_precision": _ratio(sum(o.right_citations for o in shown), sum(len(o.cited) for o in shown)),
        "first_shown_seconds": _spread(
            [outcome.first_shown for outcome in outcomes if outcome.first_shown is not None]
        ),
        "seconds": _spread([outcome.seconds for outcome in outcomes]),
        "tokens_in": _mean([outcome.written.usage.tokens_in for outcome in outcomes]),
        "tokens_out": _mean([outcome.written.usage.tokens_out for outcome in outcomes]),
        "cost_krw": _mean([outcome.written.usage.cost_krw for outcome in outcomes]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    if len(values) == 1:
        return {"median": values[0], "p95": values[0]}
    cuts = quantiles(values, n=20, method="inclusive")
    return {"median": cuts[9], "p95": cuts[18]}
