"""How well each section speaks to a question, channel by channel; the numbers that fusion weighs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.analysis import Term, bigrams
from endy.retrieval.concepts import Recalled
from endy.retrieval.lexical import Postings, impacts
from endy.retrieval.pool import PieceRows, Pool, Scores
from endy.retrieval.vectors import LEADING_PIECES, Matrix
from endy.retrieval.vocabulary import Alternative, Expansion

FEATURES = (
    "words",
    "vocabulary",
    "bigrams",
    "title",
    "title_fit",
    "passage",
    "dense_whole",
    "dense_title",
    "dense_passage",
    "faq",
    "concept_words",
    "concept_whole",
    "concept_title",
    "intent",
    "intent_anywhere",
    "related",
    "sense_whole",
    "sense_title",
)
"""The channels, in the order of a feature row. Lexical ones are shares of the question between 0 and 1;
dense ones and senses are standard deviations above this question's mean over the whole knowledge."""


_FLAT = 1e-6


@dataclass(frozen=True, slots=True)
class Query:
    """A question, read: its terms without repeats, the concepts behind them, and its vector if there is one."""

    text: str
    terms: tuple[Term, ...]
    expansions: tuple[Expansion, ...]
    vector: Matrix | None
    recalled: tuple[Recalled, ...] = ()


@dataclass(frozen=True, slots=True)
class WordEvidence:
    """Per term and section: shape (terms, sections), each value between 0 and the term's rarity."""

    direct: Scores
    expanded: Scores
    rarity: Scores
    """Weight times idf of each term, shape (terms,): what full coverage of the term is worth."""
    known: NDArray[np.bool_]
    """Whether any section of the whole knowledge holds the term, shape (terms,)."""

    @property
    def total(self) -> float:
        return float(self.rarity.sum()) or 1.0

    def coverage(self) -> Scores:
        """Share of the question's rare words that each section holds, in its words or in others; 0-1."""
        return np.asarray(self.expanded.sum(axis=0) / self.total, np.float32)


def word_evidence(query: Query, index: Postings) -> WordEvidence:
    """Look the terms up, then let each term also be covered by other forms of its concept."""
    direct = np.zeros((len(query.terms), index.size), np.float32)
    for row, term in enumerate(query.terms):
        ids, values = index.postings(term.text)
        direct[row, ids] = values * term.weight
    rarity = np.array([term.weight * index.rarity(term.text) for term in query.terms], np.float32)
    expanded = direct.copy()
    for expansion in query.expansions:
        found = _concept_scores(expansion.alternatives, index)
        covered = list(expansion.covered)
        worth = rarity[covered]
        if not found.any() or not worth.sum():
            continue
        share = worth / worth.sum()
        for row, part in zip(covered, share, strict=True):
            cap = max(float(rarity[row]), 1e-6)
            np.maximum(expanded[row], np.minimum(found * part, cap), out=expanded[row])
    known = np.array([term.text in index for term in query.terms], bool)
    return WordEvidence(direct, expanded, rarity, known)


def _concept_scores(alternatives: Sequence[Alternative], index: Postings) -> Scores:
    """The best other form of a concept in each section, shape (sections,)."""
    best = np.zeros(index.size, np.float32)
    for alternative in alternatives:
        if len(alternative.tokens) == 1:
            ids, values = index.postings(alternative.tokens[0])
            best[ids] = np.maximum(best[ids], values * alternative.weight)
        elif all(token in index for token in alternative.tokens):
            np.maximum(best, impacts(index, alternative.tokens) * alternative.weight, out=best)
    return best


def bigram_scores(text: str, index: Postings) -> Scores:
    """Share of the question's character pairs, by rarity, that each section holds; 0-1."""
    total = np.zeros(index.size, np.float32)
    possible = 0.0
    for gram in dict.fromkeys(bigrams(text)):
        ids, values = index.postings(gram)
        total[ids] += values
        possible += index.rarity(gram)
    return total / (possible or 1.0)


@dataclass(frozen=True, slots=True)
class DenseEvidence:
    """Cosines of one question with every piece, and per section their standard scores."""

    cosines: Scores
    whole: Scores
    title: Scores
    passage: Scores
    nearest: Scores
    """The cosine of each section's nearest passage, as it is, generated questions left aside."""
    proven: Scores
    """The same as standard scores: what `passage` is without generated questions."""
    best_cosine: float


def dense_evidence(vector: Matrix, rows: PieceRows, sample: PieceRows) -> DenseEvidence:
    """Standard scores are by the mean and spread over the sample."""
    own = _Cosines.of(vector, rows)
    other = own if sample is rows else _Cosines.of(vector, sample)
    by_whole, by_title, by_passage, proven = (
        standard(mine, rows.known, theirs[sample.known])
        for mine, theirs in zip(own.by_section, other.by_section, strict=True)
    )
    whole, _, _, nearest = own.by_section
    return DenseEvidence(own.every, by_whole, by_title, by_passage, nearest, proven, float(whole.max()))


@dataclass(frozen=True, slots=True)
class _Cosines:
    every: Scores
    by_section: tuple[Scores, Scores, Scores, Scores]
    """Of the whole, the title, the nearest passage or generated question, and the nearest passage."""

    @classmethod
    def of(cls, vector: Matrix, rows: PieceRows) -> "_Cosines":
        cosines = rows.matrix @ vector
        starts = rows.offsets[:-1]
        whole, title = cosines[starts], cosines[starts + 1]
        passage = _best(cosines, starts + LEADING_PIECES, rows.offsets[1:], whole)
        # A question that somebody thought up may find a section, but is no proof that the section answers.
        nearest = _best(cosines, starts + LEADING_PIECES, rows.ends, whole)
        return cls(cosines, (whole, title, passage, nearest))


def _best(cosines: Scores, begins: NDArray[np.int64], ends: NDArray[np.int64], otherwise: Scores) -> Scores:
    """The highest cosine from begins[i] to ends[i], shape (sections,); otherwise[i] where there is none between."""
    padded = np.append(cosines, -np.inf).astype(np.float32)
    bounds = np.empty(2 * len(begins), np.int64)
    bounds[0::2] = np.minimum(begins, len(cosines))
    bounds[1::2] = np.maximum(ends, bounds[0::2])
    best = np.maximum.reduceat(padded, bounds)[0::2]
    return np.asarray(np.where(ends > begins, best, otherwise), np.float32)


def standard(values: Scores, known: NDArray[np.bool_], sample: Scores) -> Scores:
    """Deviations from the mean of the sample; 0, saying nothing, for sections that have no vectors."""
    if not len(sample):
        return np.zeros(len(values), np.float32)
    spread = float(sample.std())
    scores = (values - sample.mean()) / (spread if spread > _FLAT else 1.0)
    return np.asarray(np.where(known, scores, 0.0), np.float32)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known about one question over the candidates; rows of `features` follow FEATURES."""

    query: Query
    pool: Pool
    candidates: NDArray[np.int64]
    """Numbers of sections of the pool."""
    features: Scores
    words: WordEvidence
    said: Scores
    """How fully each candidate says each term, in its own, other or nearly the same words; (terms, candidates), 0-1."""
    dense: DenseEvidence | None
    passages: tuple[Scores, ...] = ()
    """Per candidate, the relevance of each of its passages."""
