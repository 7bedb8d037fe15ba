"""Answer, ask back or abstain: a calibrated probability that the best section answers the question.

Logistic regression over signals that mean the same in any company's knowledge: shares, margins and standard
scores, never raw scores or words. `benchmarks/fit.py` fits it and says on what.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from endy.retrieval.analysis import WHOLE
from endy.retrieval.evidence import FEATURES, DenseEvidence
from endy.retrieval.intent import asked, fit
from endy.retrieval.passages import split_passages
from endy.retrieval.pool import Scores
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
    "noun_missing",
    "noun_elsewhere",
    "no_noun",
    "passage_fit",
    "channels_agree",
    "concept_words",
    "related",
    "sense_whole",
    "sense_title",
    "unsaid",
    "rarest_unsaid",
    "noun_unsaid",
    "nouns",
    "nearest",
)

TITLE_NAMES = 0.6
"""From this share of the question on, a title is said to name its topic."""

NOUN = 0.8
"""Term weights from here on are nouns' and foreign words'."""

MANY_NOUNS = 8.0

GROUNDS = 0.15
"""Share of the question that a section must say in any words to be trusted fully without vectors."""

_COLUMN = {name: index for index, name in enumerate(FEATURES)}

Verdict = Literal["answered", "no_answer", "clarify"]


def signals(result: SearchResult) -> list[float]:
    """The signals of a search, in the order of SIGNALS; call only when there is a hit."""
    top, evidence = result.hits[0], result.evidence
    assert evidence is not None  # noqa: S101  a hit always comes with evidence  # nosec B101
    words, dense = evidence.words, evidence.dense
    row = result.first
    held = words.expanded[:, evidence.candidates[row]]
    known = words.known.astype(np.float32)
    nouns = np.array([term.weight >= NOUN and len(term.text) > 1 for term in result.query.terms], bool)
    content = [term for term in result.query.terms if not term.generic]
    scores = np.array([hit.score for hit in result.hits])
    odds = np.exp(scores - scores.max())
    feature = {name: float(value) for name, value in zip(FEATURES, top.features, strict=True)}
    if dense is not None:
        feature["dense_passage"] = float(dense.proven[evidence.candidates[row]])
    return [
        1.0,
        *(feature[name] for name in SIGNALS[1:7]),
        *(feature[name] / 3 for name in SIGNALS[7:10]),
        (dense.best_cosine - 0.85) * 10 if dense is not None else 0.0,
        min(float(scores[0] - scores[1]), 4.0) / 4 if len(scores) > 1 else 1.0,
        float(odds[0] / odds.sum()),
        *_missing(held, words.rarity),
        _missing(known, words.rarity)[0],
        feature["intent"] + 0.5,
        float(bool(asked(result.query.text))),
        1.0 / max(len(content), 1),
        *_nouns(held[nouns], known[nouns], words.rarity[nouns]),
        _passage_fit(result.query.text, top),
        _agreement(evidence.features, row),
        feature["concept_words"],
        feature["related"],
        feature["sense_whole"] / 3,
        feature["sense_title"] / 3,
        *_unsaid(evidence.said[:, row], words.rarity),
        _unsaid(evidence.said[nouns, row], words.rarity[nouns])[0],
        min(float(nouns.sum()), MANY_NOUNS) / MANY_NOUNS,
        (float(dense.nearest[evidence.candidates[row]]) - 0.85) * 10 if dense is not None else 0.0,
    ]


def _nouns(held: Scores, known: Scores, rarity: Scores) -> tuple[float, float, float]:
    """Share of the nouns' worth that the section lacks, share that only other sections have, no noun at all."""
    total = float(rarity.sum())
    if not total:
        return 0.5, 0.0, 1.0
    missing = held <= 0
    return float(rarity[missing].sum()) / total, float(rarity[missing & (known > 0)].sum()) / total, 0.0


def _agreement(features: Scores, row: int) -> float:
    """In how many of two ways, by words and by meaning, the section is the first."""
    by_words = features[:, _COLUMN["vocabulary"]] + features[:, _COLUMN["bigrams"]]
    by_meaning = features[:, _COLUMN["dense_whole"]] + features[:, _COLUMN["dense_passage"]]
    return (float(by_words.argmax() == row) + float(by_meaning.argmax() == row)) / 2


def _passage_fit(question: str, hit: Hit) -> float:
    """How well the single best passage offers the kind of fact that is asked for."""
    passages = split_passages(hit.section.text)
    if not passages or len(hit.passages) != len(passages):
        return fit(question, hit.section.text)
    return fit(question, passages[int(hit.passages.argmax())].text)


def _unsaid(said: Scores, rarity: Scores) -> tuple[float, float]:
    """Share of the question's worth that the section says in no words at all, and how far its rarest term is so."""
    total = float(rarity.sum())
    if not total:
        return 0.5, 0.5
    return float(rarity @ (1 - said)) / total, float(1 - said[int(rarity.argmax())])


def _missing(held: Scores, rarity: Scores) -> tuple[float, float]:
    """Share of the question's worth that is not held at all, and whether the rarest term is among it."""
    total = float(rarity.sum())
    if not total:
        return 1.0, 1.0
    absent = held <= 0
    return float(rarity[absent].sum()) / total, float(absent[int(rarity.argmax())])


@dataclass(frozen=True)
class Confidence:
    """Weights per signal; answers below `threshold` are not given."""

    weights: Sequence[float]
    lexical_weights: Sequence[float]
    threshold: float
    lexical_threshold: float
    offtopic: tuple[float, float]
    """Bias and weight of the lead that the off-topic examples have over the knowledge."""
    tie: float
    """Two titles that fit a bare topic within this score difference are asked back."""

    @classmethod
    def shipped(cls) -> "Confidence":
        data = json.loads(CONFIDENCE_FILE.read_text(encoding="utf-8"))
        if tuple(data.pop("signals")) != SIGNALS:
            raise ValueError("confidence.json was fitted for other signals; run make fit")
        return cls(**data | {"offtopic": tuple(data["offtopic"])})

    def probability(self, result: SearchResult) -> float:
        """Probability, 0-1, that the first hit answers the question, given that it is about the company."""
        if not result.hits or result.evidence is None:
            return 0.0
        weights = self.weights if result.evidence.dense is not None else self.lexical_weights
        logit = sum(weight * value for weight, value in zip(weights, signals(result), strict=True))
        if result.evidence.dense is not None:
            return _sigmoid(logit)
        # By words alone, a section that says next to nothing of the question has nothing to stand on.
        said = float(sum(result.hits[0].features[_COLUMN[name]] for name in ("related", "concept_words")))
        return _sigmoid(logit) * min(1.0, said / GROUNDS)

    def chance_offtopic(self, result: SearchResult, closeness: float) -> float:
        """Probability, 0-1, that no company's knowledge answers; `closeness` is to the off-topic examples.

        A question whose words the section holds is about the company, however casually it is put.
        """
        dense = result.evidence.dense if result.evidence else None
        if dense is None or not closeness or not result.hits:
            return 0.0
        bias, weight = self.offtopic
        covered = float(result.hits[0].features[_COLUMN["vocabulary"]])
        return (1 - covered) * _sigmoid(bias + weight * offtopic_lead(dense, closeness))

    def verdict(self, result: SearchResult, probability: float) -> Verdict:
        """Answer what is probable; ask back where a bare topic names two sections; else abstain."""
        dense = result.evidence is not None and result.evidence.dense is not None
        probable = probability >= (self.threshold if dense else self.lexical_threshold)
        if self._named_twice(result) and not (probable and asked(result.query.text)):
            close = result.hits[0].score - result.hits[1].score < self.tie
            return "clarify" if close or not probable else "answered"
        return "answered" if probable else "no_answer"

    def _named_twice(self, result: SearchResult) -> bool:
        """A bare topic (one or two content words) that stands in the titles of two sections."""
        content = [term for term in result.query.terms if not term.generic and term.start != WHOLE]
        if len(result.hits) < 2 or not 0 < len(content) <= 2:
            return False
        first, second = result.hits[0], result.hits[1]
        named = min(float(hit.features[_COLUMN["title"]]) for hit in (first, second)) > TITLE_NAMES
        return named and first.section.heading_path != second.section.heading_path


def offtopic_lead(dense: DenseEvidence, closeness: float) -> float:
    """How much nearer the question is to the off-topic examples than to the nearest piece of the knowledge."""
    return (closeness - float(dense.cosines.max())) * 10


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(min(value, 30.0), -30.0)))
