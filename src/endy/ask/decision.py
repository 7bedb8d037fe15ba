"""Answer, ask back or abstain: a calibrated probability that the best section answers the question.

Logistic regression over signals that mean the same in any company's knowledge: shares, margins and standard
scores, never raw scores or words. `benchmarks/fit_confidence.py` fits it and says on what.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from endy.ask.intent import asked, fit
from endy.retrieval.evidence import FEATURES
from endy.retrieval.passages import split_passages
from endy.retrieval.search import Hit, SearchResult

CONFIDENCE_FILE = Path(__file__).parent / "data" / "confidence.json"

SIGNALS = (
    "constant",
    "words",
    "vocabulary",
    "bigrams",
    "title",
    "title_fit",
    "passage",
    "dense_whole",
    "dense_title",
    "dense_passage",
    "cosine",
    "margin",
    "share",
    "missing",
    "rarest_missing",
    "unknown",
    "intent",
    "asks",
    "short",
)

_COLUMN = {name: index for index, name in enumerate(FEATURES)}

Verdict = Literal["answered", "no_answer", "clarify"]


def signals(result: SearchResult) -> list[float]:
    """The signals of a search, in the order of SIGNALS; call only when there is a hit."""
    top = result.hits[0]
    evidence = result.evidence
    assert evidence is not None  # noqa: S101  a hit always comes with evidence
    words, dense = evidence.words, evidence.dense
    number = int(np.flatnonzero((evidence.features == top.features).all(axis=1))[0])
    column = evidence.candidates[number]
    missing, rarest = _missing(words.expanded[:, column], words.rarity)
    unknown = _missing(words.direct.max(axis=1), words.rarity)[0] if len(words.rarity) else 1.0
    content = [term for term in result.query.terms if not term.generic]
    scores = np.array([hit.score for hit in result.hits])
    odds = np.exp(scores - scores.max())
    return [
        1.0,
        *(float(top.features[_COLUMN[name]]) for name in SIGNALS[1:7]),
        *(float(top.features[_COLUMN[name]]) / 3 for name in SIGNALS[7:10]),
        (dense.best_cosine - 0.85) * 10 if dense is not None else 0.0,
        min(float(scores[0] - scores[1]), 4.0) / 4 if len(scores) > 1 else 1.0,
        float(odds[0] / odds.sum()),
        missing,
        rarest,
        unknown,
        _intent(result.query.text, top),
        float(bool(asked(result.query.text))),
        1.0 / max(len(content), 1),
    ]


def _missing(held: np.ndarray, rarity: np.ndarray) -> tuple[float, float]:
    """Share of the question's worth that is not held at all, and whether the rarest term is among it."""
    total = float(rarity.sum())
    if not total:
        return 1.0, 1.0
    absent = held <= 0
    return float(rarity[absent].sum()) / total, float(absent[int(rarity.argmax())])


def _intent(question: str, hit: Hit) -> float:
    """How well the better passages offer the kind of fact that is asked for."""
    passages = split_passages(hit.section.text)
    if not passages or len(hit.passages) != len(passages):
        return fit(question, hit.section.text)
    order = np.argsort(-hit.passages)[:2]
    return max(fit(question, f"{hit.section.title} {passages[int(i)].text}") for i in order)


@dataclass(frozen=True)
class Confidence:
    """Weights per signal; answers below `threshold` are not given."""

    weights: Sequence[float]
    lexical_weights: Sequence[float]
    threshold: float
    lexical_threshold: float
    tie: float
    """Two titles that fit a bare topic within this score difference are asked back."""

    @classmethod
    def shipped(cls) -> "Confidence":
        data = json.loads(CONFIDENCE_FILE.read_text(encoding="utf-8"))
        if tuple(data.pop("signals")) != SIGNALS:
            raise ValueError("confidence.json was fitted for other signals; run benchmarks/fit_confidence.py")
        return cls(**data)

    def probability(self, result: SearchResult) -> float:
        """Probability, 0-1, that the first hit answers the question."""
        if not result.hits or result.evidence is None:
            return 0.0
        weights = self.weights if result.evidence.dense is not None else self.lexical_weights
        logit = sum(weight * value for weight, value in zip(weights, signals(result), strict=True))
        return 1 / (1 + math.exp(-max(min(logit, 30.0), -30.0)))

    def verdict(self, result: SearchResult, probability: float) -> Verdict:
        dense = result.evidence is not None and result.evidence.dense is not None
        if probability < (self.threshold if dense else self.lexical_threshold):
            return "no_answer"
        return "clarify" if self._ambiguous(result) else "answered"

    def _ambiguous(self, result: SearchResult) -> bool:
        """A bare topic (one or two content words, nothing asked) that two sections carry equally."""
        content = [term for term in result.query.terms if not term.generic and term.start >= 0]
        if len(result.hits) < 2 or len(content) > 2 or asked(result.query.text):
            return False
        first, second = result.hits[0], result.hits[1]
        title = _COLUMN["title"]
        both_named = min(float(first.features[title]), float(second.features[title])) > 0.6
        other_topic = first.section.heading_path != second.section.heading_path
        return both_named and other_topic and first.score - second.score < self.tie
