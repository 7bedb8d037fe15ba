"""What common words mean to each other: a section is also found by words that are used like those of the question.

Vectors of words come with the package (see `benchmarks/word_vectors.py`). A text's sense is the sum of its words'
vectors, each by smooth inverse frequency (Arora, Liang and Ma, "A simple but tough-to-beat baseline", 2017) and by
its rarity in this knowledge. No model runs: a question costs one small matrix product.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]

SENSES_FILE = Path(__file__).parent / "data" / "senses.npz"

UNRELATED, SAME = 0.3, 0.6
"""Cosines between which one word counts as saying, in part, what the other says."""

_SMOOTH = 2e-4
_FIRST_RANKS = 20
_FLAT = 1e-6

_AT_ONCE = 32_768
_TWO_BYTES = 65_536
_LOW_HALF = 0xFFFFFFFF


class WordVectors:
    """Unit vectors of words by term text; verbs and adjectives end in 다. Kept in eight bits a dimension."""

    def __init__(self, forms: Sequence[str], ranks: NDArray[np.int32], codes: NDArray[np.int8]) -> None:
        self._rows = {form: row for row, form in enumerate(forms)}
        self._codes = codes
        self._every: Matrix | None = None
        # A word's share of all text, by Zipf's law from its rank.
        share = 1 / (ranks.astype(np.float32) + _FIRST_RANKS)
        self._weights = _SMOOTH / (_SMOOTH + share)

    @classmethod
    @lru_cache(maxsize=1)
    def shipped(cls) -> "WordVectors":
        with np.load(SENSES_FILE, allow_pickle=False) as data:
            return cls(data["forms"].tobytes().decode().split("\n"), data["ranks"], data["codes"])

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def dimensions(self) -> int:
        return int(self._codes.shape[1])

    def forms(self) -> Sequence[str]:
        """All words that have a vector, in the order of their rows."""
        return list(self._rows)

    def every(self) -> Matrix:
        """The vectors of all words, shape (words, dimensions); unpacked once, four times what the codes take."""
        if self._every is None:
            self._every = unit(self._codes.astype(np.float32))
        return self._every

    def rows(self, words: Sequence[str]) -> Rows:
        """The number of each word, shape (words,); -1 for a word without a vector."""
        return np.array([self._rows.get(word, -1) for word in words], np.int64)

    def vectors(self, rows: Rows) -> Matrix:
        """Shape (rows, dimensions); zero for row -1."""
        codes = self._codes[rows].astype(np.float32)
        codes[rows < 0] = 0.0
        return unit(codes)

    def weights(self, rows: Rows) -> Matrix:
        """How much of a text's sense a word carries for being uncommon in the language, shape (rows,), 0-1."""
        return np.asarray(np.where(rows < 0, 0.0, self._weights[rows]), np.float32)


@dataclass(frozen=True, slots=True)
class SenseQuery:
    """Of one question: per term and word of the knowledge, whether they mean the same (0-1); and its own sense."""

    near: Matrix
    sense: Matrix


class SenseIndex:
    """The senses of all sections; built once, then read from any thread.

    `titles` and `texts` hold each section's different words by their number in `lexicon`.
    """

    def __init__(
        self,
        titles: "WordSets",
        texts: "WordSets",
        lexicon: Sequence[str],
        rarity: Callable[[str], float],
        words: WordVectors,
        kept: DTypeLike = np.float32,
    ) -> None:
        self._words = words
        used = np.union1d(titles.used(), texts.used()).tolist()
        every = sorted((lexicon[number], number) for number in used)
        rows = words.rows([word for word, _ in every])
        known = [pair for pair, row in zip(every, rows.tolist(), strict=True) if row >= 0]
        rows = rows[rows >= 0]
        self._vectors = words.vectors(rows)
        self._worth = words.weights(rows) * np.array([rarity(word) for word, _ in known], np.float32)
        own = np.full(len(lexicon), -1, np.int32)
        own[[number for _, number in known]] = np.arange(len(known))
        self._held = texts.renumbered(own)
        self.texts = self._senses(self._held, kept)
        self.titles = self._senses(titles.renumbered(own), kept)

    def query(self, terms: Sequence[str], rarity: Matrix) -> SenseQuery:
        """`rarity` is each term's worth, shape (terms,)."""
        vectors = self._words.vectors(self._words.rows(terms))
        return SenseQuery(nearness(vectors @ self._vectors.T), unit((np.sqrt(rarity) @ vectors)[None])[0])

    def related(self, query: SenseQuery, section: int) -> Matrix:
        """How nearly the section says each term in any words, shape (terms,), 0-1."""
        held = self._held[section]
        if not len(held):
            return np.zeros(len(query.near), np.float32)
        return np.asarray(query.near[:, held].max(axis=1), np.float32)

    def _senses(self, texts: "WordSets", kept: DTypeLike) -> NDArray[np.floating]:
        senses = np.empty((len(texts), self._words.dimensions), kept)
        for start in range(0, len(texts), _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, len(texts)))
            sums = np.zeros((len(numbers), self._words.dimensions), np.float32)
            for row, number in enumerate(numbers):
                held = texts[number]
                sums[row] = self._worth[held] @ self._vectors[held]
            senses[start : start + len(numbers)] = unit(sums)
        return senses


class WordSets:
    """Sets of word numbers, laid end to end: set i ends at ends[i]."""

    def __init__(self, numbers: NDArray[np.integer], ends: NDArray[np.int64]) -> None:
        self._numbers = numbers
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, place: int) -> NDArray[np.integer]:
        return self._numbers[self._ends[place - 1] if place else 0 : self._ends[place]]

    def used(self) -> NDArray[np.integer]:
        return np.flatnonzero(np.bincount(self._numbers))

    def renumbered(self, own: NDArray[np.int32]) -> "WordSets":
        """With the numbers that `own` gives them, ascending in each set, and without those that it gives -1."""
        kept_as = np.uint16 if own.max(initial=0) < _TWO_BYTES else np.int32
        parts: list[NDArray[np.integer]] = []
        counts = np.zeros(len(self._ends), np.int64)
        for start in range(0, len(self._ends), _AT_ONCE):
            ends = self._ends[start : start + _AT_ONCE]
            begin = int(self._ends[start - 1]) if start else 0
            sets = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=begin))
            numbers = own[self._numbers[begin : int(ends[-1])]]
            sets, numbers = sets[numbers >= 0], numbers[numbers >= 0]
            counts[start : start + len(ends)] = np.bincount(sets, minlength=len(ends))
            pairs = np.sort(sets.astype(np.int64) << 32 | numbers)
            parts.append((pairs & _LOW_HALF).astype(kept_as))
        return WordSets(np.concatenate(parts) if parts else np.empty(0, kept_as), np.cumsum(counts))


def nearness(cosines: Matrix) -> Matrix:
    """How far words with these cosines say the same, 0-1."""
    return np.asarray(np.clip((cosines - UNRELATED) / (SAME - UNRELATED), 0.0, 1.0), np.float32)


def unit(vectors: Matrix) -> Matrix:
    """Rows of length 1; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, _FLAT), np.float32)
