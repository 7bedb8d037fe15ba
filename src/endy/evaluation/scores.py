"""What a run of questions is worth: ranking, facts, refusals, calibration and latency, by kind."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from endy.evaluation.questions import EvalQuestion


@dataclass(frozen=True, slots=True)
class Outcome:
    """One asked question. `rank` counts from 0 and is None if no right source was found among those listed."""

    question: EvalQuestion
    rank: int | None
    found: tuple[str, ...]
    status: str
    confidence: float
    facts_found: bool
    seconds: float
    answer: str

    @property
    def answerable(self) -> bool:
        return bool(self.question.relevant)

    @property
    def correct(self) -> bool:
        """Right source first where there is one, refusal where there is none."""
        return self.rank == 0 if self.answerable else self.status == "no_answer"


@dataclass(frozen=True, slots=True)
class Scores:
    """Shares are 0-1 and None where no question of that sort was asked; seconds are per question."""

    questions: int
    top1: float | None
    recall3: float | None
    recall10: float | None
    mrr: float | None
    facts: float | None
    refused: float | None
    """Of the questions without an answer in the knowledge."""
    wrongly_refused: float | None
    median_seconds: float
    p95_seconds: float


def score(outcomes: Sequence[Outcome]) -> Scores:
    answerable = [outcome for outcome in outcomes if outcome.answerable]
    unanswerable = [outcome for outcome in outcomes if not outcome.answerable]
    with_facts = [outcome for outcome in answerable if outcome.question.must_include]
    seconds = sorted(outcome.seconds for outcome in outcomes)
    return Scores(
        questions=len(outcomes),
        top1=_share(answerable, lambda outcome: outcome.rank == 0),
        recall3=_share(answerable, lambda outcome: outcome.rank is not None and outcome.rank < 3),
        recall10=_share(answerable, lambda outcome: outcome.rank is not None and outcome.rank < 10),
        mrr=fmean(0.0 if o.rank is None else 1 / (o.rank + 1) for o in answerable) if answerable else None,
        facts=_share(with_facts, lambda outcome: outcome.facts_found),
        refused=_share(unanswerable, lambda outcome: outcome.status == "no_answer"),
        wrongly_refused=_share(answerable, lambda outcome: outcome.status == "no_answer"),
        median_seconds=_quantile(seconds, 0.5),
        p95_seconds=_quantile(seconds, 0.95),
    )


def by_kind(outcomes: Iterable[Outcome]) -> dict[str, Scores]:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.question.kind].append(outcome)
    return {kind: score(group) for kind, group in groups.items()}


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """Answering only the `coverage` share of all questions with the highest confidence gets `correct` right."""

    coverage: float
    correct: float
    threshold: float


def coverage_curve(outcomes: Sequence[Outcome], points: int = 20) -> list[CoveragePoint]:
    """Coverage against correctness; an unanswerable question that is answered counts as wrong."""
    ranked = sorted(outcomes, key=lambda outcome: -outcome.confidence)
    curve = []
    for step in range(1, points + 1):
        count = max(1, round(len(ranked) * step / points))
        right = sum(outcome.rank == 0 for outcome in ranked[:count])
        curve.append(CoveragePoint(count / len(ranked), right / count, ranked[count - 1].confidence))
    return curve


def calibration_error(outcomes: Sequence[Outcome], bins: int = 10) -> float:
    """Expected calibration error: mean distance of confidence from the share that is right, over equal bins."""
    groups: dict[int, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[min(int(outcome.confidence * bins), bins - 1)].append(outcome)
    return sum(
        len(group) * abs(fmean(o.confidence for o in group) - fmean(o.rank == 0 for o in group))
        for group in groups.values()
    ) / max(len(outcomes), 1)


def as_report(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything of a run that is worth keeping, ready for JSON."""
    return {
        "all": asdict(score(outcomes)),
        "kinds": {kind: asdict(scores) for kind, scores in by_kind(outcomes).items()},
        "calibration_error": calibration_error(outcomes),
        "coverage": [asdict(point) for point in coverage_curve(outcomes)],
        "misses": [
            {
                "id": outcome.question.id,
                "kind": outcome.question.kind,
                "question": outcome.question.question,
                "relevant": outcome.question.relevant,
                "found": outcome.found[:3],
                "rank": outcome.rank,
                "status": outcome.status,
                "confidence": outcome.confidence,
                "facts_found": outcome.facts_found,
            }
            for outcome in outcomes
            if not outcome.correct or (outcome.answerable and not outcome.facts_found)
        ],
    }


def _share(outcomes: Sequence[Outcome], test: Callable[[Outcome], bool]) -> float | None:
    return fmean(test(outcome) for outcome in outcomes) if outcomes else None


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
