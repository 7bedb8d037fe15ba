"""What common words mean to each other: a section is also found by words that are used like those of the question.

Vectors of words come with the package (see `benchmarks/word_vectors.py`). A text's sense is the sum of its words'
vectors, each by smooth inverse frequency (Arora, Liang and Ma, "A simple but tough-to-beat baseline", 2017) and by
its rarity in this knowledge. No model runs: a question costs one small matrix product.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]

SENSES_FILE = Path(__file__).parent / "data" / "senses.npz"

UNRELATED, SAME = 0.3, 0.6
"""Cosines between which one word counts as saying, in part, what the other says."""

_SMOOTH = 2e-4
_FIRST_RANKS = 20
_FLAT = 1e-6


class WordVectors:
    """Unit vectors of words by term text; verbs and adjectives end in 다. Kept in eight bits a dimension."""

    def __init__(self, forms: Sequence[str], ranks: NDArray[np.int32], codes: NDArray[np.int8]) -> None:
        self._rows = {form: row for row, form in enumerate(forms)}
        self._codes = codes
        # A word's share of all text, by Zipf's law from its rank.
        share = 1 / (ranks.astype(np.float32) + _FIRST_RANKS)
        self._weights = _SMOOTH / (_SMOOTH + share)

    @classmethod
    @lru_cache(maxsize=1)
    def shipped(cls) -> "WordVectors":
        with np.load(SENSES_FILE, allow_pickle=False) as data:
            return cls(data["forms"].tobytes().decode().split("\n"), data["ranks"], data["codes"])

    @property
    def dimensions(self) -> int:
        return int(self._codes.shape[1])

    def rows(self, words: Sequence[str]) -> Rows:
        """The number of each word, shape (words,); -1 for a word without a vector."""
        return np.array([self._rows.get(word, -1) for word in words], np.int64)

    def vectors(self, rows: Rows) -> Matrix:
        """Shape (rows, dimensions); zero for row -1."""
        codes = self._codes[rows].astype(np.float32)
        codes[rows < 0] = 0.0
        return _unit(codes)

    def weights(self, rows: Rows) -> Matrix:
        """How much of a text's sense a word carries for being uncommon in the language, shape (rows,), 0-1."""
        return np.asarray(np.where(rows < 0, 0.0, self._weights[rows]), np.float32)


@dataclass(frozen=True, slots=True)
class SenseEvidence:
    """Of one question: per term and word of the knowledge, whether they mean the same (0-1); per section, the
    cosine of its sense and of its title's with the question's."""

    near: Matrix
    whole: Matrix
    title: Matrix


class SenseIndex:
    """The senses of all sections; built once, then read from any thread."""

    def __init__(
        self,
        titles: Sequence[Collection[str]],
        texts: Sequence[Collection[str]],
        rarity: Callable[[str], float],
        words: WordVectors,
    ) -> None:
        self._words = words
        every = sorted({word for text in (*titles, *texts) for word in text})
        rows = words.rows(every)
        known = [word for word, row in zip(every, rows.tolist(), strict=True) if row >= 0]
        rows = rows[rows >= 0]
        self._vectors = words.vectors(rows)
        self._worth = words.weights(rows) * np.array([rarity(word) for word in known], np.float32)
        self._numbers = {word: number for number, word in enumerate(known)}
        self._held = [self._of(text) for text in texts]
        self._whole = self._senses(self._held)
        self._titles = self._senses([self._of(title) for title in titles])

    def evidence(self, terms: Sequence[str], rarity: Matrix) -> SenseEvidence:
        """`rarity` is each term's worth, shape (terms,)."""
        vectors = self._words.vectors(self._words.rows(terms))
        near = np.clip((vectors @ self._vectors.T - UNRELATED) / (SAME - UNRELATED), 0.0, 1.0)
        sense = _unit((np.sqrt(rarity) @ vectors)[None])[0]
        return SenseEvidence(near, self._whole @ sense, self._titles @ sense)

    def related(self, evidence: SenseEvidence, section: int) -> Matrix:
        """How nearly the section says each term in any words, shape (terms,), 0-1."""
        held = self._held[section]
        if not len(held):
            return np.zeros(len(evidence.near), np.float32)
        return np.asarray(evidence.near[:, held].max(axis=1), np.float32)

    def _of(self, text: Collection[str]) -> Rows:
        return np.array([self._numbers[word] for word in sorted(text) if word in self._numbers], np.int64)

    def _senses(self, texts: Sequence[Rows]) -> Matrix:
        sums = np.zeros((len(texts), self._words.dimensions), np.float32)
        for row, held in enumerate(texts):
            sums[row] = self._worth[held] @ self._vectors[held]
        return _unit(sums)


def _unit(vectors: Matrix) -> Matrix:
    """Rows of length 1; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, _FLAT), np.float32)
