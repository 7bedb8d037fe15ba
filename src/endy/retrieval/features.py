"""The features of the most promising sections of a pool: one row each, in the order of `evidence.FEATURES`."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.concepts import ConceptIndex
from endy.retrieval.evidence import (
    DenseEvidence,
    Evidence,
    Query,
    WordEvidence,
    bigram_scores,
    dense_evidence,
    standard,
    word_evidence,
)
from endy.retrieval.intent import asked, fit
from endy.retrieval.passages import split_passages
from endy.retrieval.pool import Pool, Scores, SectionTokens
from endy.retrieval.section import Section
from endy.retrieval.senses import SenseQuery
from endy.retrieval.vectors import LEADING_PIECES, MAX_PASSAGES

CANDIDATES = 40

EACH = 8
"""Every channel brings its best; agreement leaves about CANDIDATES different ones."""

DENSE_PASSAGE = 6.0
"""Cosines of passages lie within about 0.1; lexical shares within 1."""


def gather(query: Query, pool: Pool, concepts: ConceptIndex, allowed: NDArray[np.bool_]) -> Evidence:
    """Features of the most promising sections among the pool's allowed ones (shape: sections of the pool,)."""
    words = word_evidence(query, pool.words)
    grams = bigram_scores(query.text, pool.grams)
    own, sample = pool.rows, pool.sample
    dense = None
    if own.vectors is not None and sample.vectors is not None and query.vector is not None:
        dense = dense_evidence(query.vector, own.vectors, sample.vectors)
    coverage = words.coverage()
    concept = _concept_columns(query, pool, concepts)
    meant = pool.sense([term.text for term in query.terms], words.rarity)
    sense, title_sense = own.senses @ meant.sense, own.title_senses @ meant.sense
    chosen = _candidates([coverage, grams, concept[0], sense], dense, allowed)
    pool.load(chosen.tolist())
    said = _exactly_or_nearly(pool, words, meant, chosen)
    details, passages = _details(query, pool, words, dense, chosen)
    every = np.ones(len(sense), bool)
    sampled = (
        (sense, title_sense) if sample is own else (sample.senses @ meant.sense, sample.title_senses @ meant.sense)
    )
    columns = [
        words.direct.sum(axis=0)[chosen] / words.total,
        coverage[chosen],
        grams[chosen],
        *details[:3],
        *_dense_columns(dense, chosen),
        pool.is_faq[chosen],
        *(column[chosen] for column in concept),
        *details[3:],
        words.rarity @ said / words.total,
        standard(sense, every, sampled[0])[chosen],
        standard(title_sense, every, sampled[1])[chosen],
    ]
    features = np.stack(columns, axis=1).astype(np.float32)
    return Evidence(query, pool, chosen, features, words, said, dense, passages)


def _exactly_or_nearly(pool: Pool, words: WordEvidence, meant: SenseQuery, chosen: NDArray[np.int64]) -> Scores:
    exact = words.expanded[:, chosen] / np.maximum(words.rarity, 1e-6)[:, None]
    nearly = np.stack([pool.related(meant, number) for number in chosen.tolist()], axis=1)
    return np.asarray(np.maximum(exact, nearly), np.float32)


def _concept_columns(query: Query, pool: Pool, concepts: ConceptIndex) -> list[Scores]:
    """What the recalled concepts say of every section: by words, by the whole's vector, by the title's."""
    nothing = np.zeros(pool.words.size, np.float32)
    if not query.recalled:
        return [nothing] * 3
    by_words = concepts.words(query.recalled, pool.words)
    vector = concepts.vector(query.recalled)
    own, sample = pool.rows.vectors, pool.sample.vectors
    if vector is None or own is None or sample is None or query.vector is None:
        return [by_words, nothing, nothing]
    whole, titles = own.whole @ vector, own.titles @ vector
    sampled = (whole, titles) if sample is own else (sample.whole @ vector, sample.titles @ vector)
    return [
        by_words,
        standard(whole, own.known, sampled[0][sample.known]),
        standard(titles, own.known, sampled[1][sample.known]),
    ]


def _details(
    query: Query, pool: Pool, words: WordEvidence, dense: DenseEvidence | None, chosen: NDArray[np.int64]
) -> tuple[Scores, tuple[Scores, ...]]:
    """Five columns for the chosen sections, and the scores of each one's passages.

    The columns: the question's share in the title, the title's in the question, the best passage's share, and
    how well the two best passages, or any, offer the kind of fact asked for.
    """
    ways = _ways(query)
    said = _said(ways)
    rarity = words.rarity.tolist()
    rows, every = [], []
    for number in chosen.tolist():
        tokens = pool.tokens(number)
        in_title = _held(ways, tokens.title, rarity)
        in_passages = [_held(ways, part, rarity) for part in tokens.passages]
        scores = _passage_scores([sum(held) / words.total for held in in_passages], pool, dense, number)
        in_questions = [_held(ways, part, rarity) for part in tokens.questions]
        best = max((sum(map(max, held, in_title)) for held in in_passages + in_questions), default=sum(in_title))
        intents = _intents(query.text, pool.section(number), scores)
        rows.append((sum(in_title) / words.total, _title_fit(tokens, said), best / words.total, *intents))
        every.append(scores)
    return np.array(rows, np.float32).reshape(-1, 5).T, tuple(every)


def _passage_scores(shares: list[float], pool: Pool, dense: DenseEvidence | None, number: int) -> Scores:
    """How well each passage speaks to the question, shape (passages,): the share of the question that it
    holds in any words, plus its cosine against the section's mean."""
    lexical = np.array(shares, np.float32)
    if dense is None or pool.rows.vectors is None or not len(lexical):
        return lexical
    offsets = pool.rows.vectors.offsets
    start = int(offsets[number]) + LEADING_PIECES
    # Behind the embedded passages come generated questions.
    cosines = dense.cosines[start : int(offsets[number + 1])][: min(len(lexical), MAX_PASSAGES)]
    padded = np.full(len(lexical), cosines.min() if len(cosines) else 0.0, np.float32)
    padded[: len(cosines)] = cosines
    return np.asarray(lexical + DENSE_PASSAGE * (padded - padded.mean()), np.float32)


def _title_fit(tokens: SectionTokens, said: Mapping[str, float]) -> float:
    total = sum(tokens.title_rarity)
    held = sum(
        rarity * said[token]
        for token, rarity in zip(tokens.title_terms, tokens.title_rarity, strict=True)
        if token in said
    )
    return held / total if total else 0.0


_Ways = dict[str, list[tuple[int, float, frozenset[str]]]]
"""By first token: the term that a way of saying stands for, its weight, and the other tokens it needs."""


def _ways(query: Query) -> _Ways:
    """Every way to say each term: itself with weight 1, then other forms of its concepts."""
    ways: _Ways = {}
    for row, term in enumerate(query.terms):
        ways.setdefault(term.text, []).append((row, 1.0, frozenset()))
    for expansion in query.expansions:
        for other in expansion.alternatives:
            rest = frozenset(other.tokens[1:])
            ways.setdefault(other.tokens[0], []).extend((row, other.weight, rest) for row in expansion.covered)
    return ways


def _said(ways: _Ways) -> dict[str, float]:
    """How strongly each token is said, in its own or other words."""
    said: dict[str, float] = {}
    for token, entries in ways.items():
        for _, weight, rest in entries:
            for part in (token, *rest):
                said[part] = max(said.get(part, 0.0), weight)
    return said


def _held(ways: _Ways, tokens: frozenset[str], rarity: Sequence[float]) -> list[float]:
    """How much of each term the token set holds, in worth; one value per term."""
    held = [0.0] * len(rarity)
    for token in tokens & ways.keys():
        for row, weight, rest in ways[token]:
            if weight * rarity[row] > held[row] and rest <= tokens:
                held[row] = weight * rarity[row]
    return held


def _intents(question: str, section: Section, scores: Scores) -> tuple[float, float]:
    """Whether the two best passages, or any, offer what is asked; 0 where nothing particular is asked."""
    if not asked(question):
        return 0.0, 0.0
    passages = split_passages(section.text)
    if len(scores) != len(passages) or not passages:
        return 0.0, 0.0
    fits = [fit(question, passage.text) for passage in passages]
    best = sorted(range(len(fits)), key=lambda index: -scores[index])[:2]
    return max(fits[index] for index in best) - 0.5, max(fits) - 0.5


def _candidates(
    lexical: Sequence[Scores], dense: DenseEvidence | None, allowed: NDArray[np.bool_]
) -> NDArray[np.int64]:
    channels = list(lexical)
    if dense is not None:
        channels += [dense.whole, dense.passage, dense.title]
    each = CANDIDATES // len(channels) + EACH
    chosen: set[int] = set()
    for scores in channels:
        ranked = np.where(allowed, scores, -np.inf)
        top = np.argpartition(-ranked, each)[:each] if len(ranked) > each else np.arange(len(ranked))
        chosen.update(int(number) for number in top if allowed[number])
    return np.array(sorted(chosen), np.int64)


def _dense_columns(dense: DenseEvidence | None, chosen: NDArray[np.int64]) -> list[Scores]:
    if dense is None:
        return [np.zeros(len(chosen), np.float32)] * 3
    return [dense.whole[chosen], dense.title[chosen], dense.passage[chosen]]
