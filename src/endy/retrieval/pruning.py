"""The sections of a large knowledge that are worth looking at for one question.

Every channel of evidence that can bring a section to the top has a cheap stand-in here: sums over the postings of the
question's rarest tokens, and the nearest shortened vectors. They need not rank well, only miss nothing that would rank.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.analysis import bigrams
from endy.retrieval.concepts import ConceptIndex
from endy.retrieval.evidence import Query
from endy.retrieval.lexical import LexicalIndex
from endy.retrieval.nearest import NearestIndex, Projection
from endy.retrieval.pieces import Pieces
from endy.retrieval.vectors import LEADING_PIECES, Matrix

BY_WORDS = 300
BY_VECTORS = 200
"""Sections that each channel brings."""

TOUCHED = 400_000
"""Postings that a channel reads, rarest tokens first; commoner ones only tell the found sections apart."""

FEW = 2000
"""Where a category leaves no more sections, all of them are looked at."""

_AGAIN = 8
"""So many times the wanted sections are looked at with the tokens that were too common to begin with."""

_BATCH = 8192
_TRAINED_ON = 100_000
_PROJECTED_FROM = 20_000
_PASSAGES = 4
"""Vectors behind the leading ones that a section has at least on average, roughly."""

_SEED = 20262

Numbers = NDArray[np.int32]
Worth = dict[str, float]


class Pruner:
    """Reads the indexes of a large knowledge; `pieces` is None without vectors."""

    def __init__(self, words: LexicalIndex, grams: LexicalIndex, concepts: ConceptIndex, pieces: Pieces | None) -> None:
        self._words = words
        self._grams = grams
        self._concepts = concepts
        self._projection = None if pieces is None else Projection.fitted(_sample(pieces, None, _PROJECTED_FROM))
        self._nearest: list[NearestIndex] = []
        if pieces is not None and self._projection is not None:
            self._nearest = [_index(pieces, self._projection, kind) for kind in (0, 1, None)]

    def promising(self, query: Query, allowed: NDArray[np.bool_]) -> Numbers:
        """Numbers of allowed sections, ascending; all of them where they are few."""
        count = int(np.count_nonzero(allowed))
        if count <= FEW:
            return np.flatnonzero(allowed).astype(np.int32)
        filtered = None if count == len(allowed) else allowed
        found = [
            self._by_postings(self._words, worth, filtered) for worth in said(query, self._concepts, self._words.rarity)
        ]
        grams = dict.fromkeys(bigrams(query.text), 1.0)
        found.append(self._by_postings(self._grams, grams, filtered))
        if self._projection is not None and query.vector is not None:
            projected = self._projection(query.vector)
            found += [index.nearest(projected, BY_VECTORS, filtered) for index in self._nearest]
        numbers = np.unique(np.concatenate(found)).astype(np.int32)
        # Nothing speaks for any section: the first ones stand for all, as where all are looked at.
        return numbers if len(numbers) else np.flatnonzero(allowed)[:BY_WORDS].astype(np.int32)

    def _by_postings(self, index: LexicalIndex, worth: Worth, allowed: NDArray[np.bool_] | None) -> Numbers:
        """The sections with the highest sums of impacts times worth."""
        tokens = sorted((token for token in worth if token in index), key=index.count)
        sizes = np.cumsum([index.count(token) for token in tokens])
        read = max(1, int(np.searchsorted(sizes, TOUCHED, side="right")))
        postings = [index.postings(token) for token in tokens[:read]]
        if not postings:
            return np.empty(0, np.int32)
        ids = np.concatenate([held for held, _ in postings])
        values = [values * np.float32(worth[token]) for token, (_, values) in zip(tokens[:read], postings, strict=True)]
        sums = np.bincount(ids, np.concatenate(values), index.size).astype(np.float32)
        if allowed is not None:
            sums[~allowed] = 0.0
        found = _highest(np.flatnonzero(sums).astype(np.int32), sums, BY_WORDS * _AGAIN)
        sums = sums[found]
        for token in tokens[read:]:
            places, more = index.among(token, found)
            sums[places] += more * np.float32(worth[token])
        return found[_highest(np.arange(len(found), dtype=np.int32), sums, BY_WORDS)]


def said(query: Query, concepts: ConceptIndex, rarity: Callable[[str], float]) -> Iterator[Worth]:
    """Tokens to look for: the question's own, with those of its concepts, and those of recalled concepts."""
    own = {term.text: term.weight for term in query.terms}
    yield own
    others: Worth = {}
    for expansion in query.expansions:
        for other in expansion.alternatives:
            _add(others, other.tokens, other.weight / len(expansion.covered))
    if others:
        yield others | own
    recalled: Worth = {}
    for tokens, worth in concepts.ways(query.recalled):
        _add(recalled, tokens, worth / (sum(map(rarity, tokens)) or 1.0))
    if recalled:
        yield recalled


def _add(worth: Worth, tokens: Sequence[str], value: float) -> None:
    for token in tokens:
        worth[token] = max(worth.get(token, 0.0), value)


def _highest(numbers: Numbers, sums: NDArray[np.float32], most: int) -> Numbers:
    """Of `numbers`, ascending, the `most` with the highest sums, ascending."""
    if len(numbers) <= most:
        return numbers
    values = sums[numbers]
    return np.sort(numbers[np.argpartition(-values, most)[:most]])


def _index(pieces: Pieces, projection: Projection, kind: int | None) -> NearestIndex:
    """Over the wholes (kind 0), the titles (1) or everything behind them (None)."""
    count = len(pieces.matrices)
    size = count if kind is not None else sum(map(len, pieces.matrices)) - LEADING_PIECES * count
    sample = projection(_sample(pieces, kind, _TRAINED_ON))
    return NearestIndex(sample, projection, size, _batches(pieces, kind))


def _batches(pieces: Pieces, kind: int | None) -> Iterator[tuple[Matrix, Numbers]]:
    for start in range(0, len(pieces.matrices), _BATCH):
        numbers = np.arange(start, min(start + _BATCH, len(pieces.matrices)), dtype=np.int32)
        yield _taken(pieces, numbers, kind)


def _taken(pieces: Pieces, numbers: Numbers, kind: int | None) -> tuple[Matrix, Numbers]:
    matrices = [pieces.matrices[number] for number in numbers.tolist()]
    if kind is not None:
        return np.stack([matrix[kind] for matrix in matrices]).astype(np.float32), numbers
    behind = [matrix[LEADING_PIECES:] for matrix in matrices]
    return np.concatenate(behind).astype(np.float32), np.repeat(numbers, [len(one) for one in behind])


def _sample(pieces: Pieces, kind: int | None, most: int) -> Matrix:
    """Vectors of a kind, of a random part of the sections that have any."""
    known = np.flatnonzero(pieces.known)
    wanted = most if kind is not None else most // _PASSAGES
    chosen = np.random.default_rng(_SEED).choice(known, min(wanted, len(known)), replace=False)
    vectors, _ = _taken(pieces, np.sort(chosen).astype(np.int32), kind)
    if not len(vectors):
        return np.zeros((1, pieces.dimensions), np.float32)
    return vectors[:: max(1, len(vectors) // most)]
