"""An inverted index with field weights; scores are impacts between 0 and the term's rarity.

BM25F after Robertson, Zaragoza and Taylor (2004): field frequencies are weighted and length-normalised
before they saturate. The factor (k1 + 1) is left out, so that one term's impact never exceeds its idf and a
score divided by the question's summed idf reads as the share of the question that the section covers.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.lexicon import Ids, Lexicon

_NO_IDS = np.empty(0, np.int32)
_NO_IMPACTS = np.empty(0, np.float32)
CODES = 255
"""A packed posting keeps its share of the rarity, 0 to 1, in so many steps."""

_DIRECT = 16
"""Postings up to so many times the wanted sections are read through; in longer ones the sections are looked up."""

Impacts = NDArray[np.float32]


class Postings(Protocol):
    """Which of some sections hold a token, and how strongly; rarity is of the whole knowledge."""

    @property
    def size(self) -> int:
        """How many sections there are to be found here; they are numbered from 0."""
        ...

    def __contains__(self, token: object) -> bool:
        """Whether any section of the whole knowledge holds the token."""
        ...

    def rarity(self, token: str) -> float:
        """The idf of a token over the whole knowledge; one that no section holds is the rarest."""
        ...

    def postings(self, token: str) -> tuple[Ids, Impacts]:
        """Section numbers, ascending, and the token's impact in each."""
        ...


def impacts(index: Postings, tokens: Sequence[str]) -> Impacts:
    """Summed impacts per section where all tokens occur, zero elsewhere; shape (size,)."""
    total = np.zeros(index.size, np.float32)
    seen = np.zeros(index.size, np.int16)
    for token in tokens:
        ids, values = index.postings(token)
        total[ids] += values
        seen[ids] += 1
    if len(tokens) > 1:
        total[seen < len(tokens)] = 0.0
    return total


class LexicalIndex:
    """Built once from all sections, then read from any thread."""

    def __init__(
        self,
        lexicon: Lexicon,
        size: int,
        offsets: NDArray[np.int64],
        sections: Ids,
        values: Impacts | NDArray[np.uint8],
    ) -> None:
        self.size = size
        self._lexicon = lexicon
        self._offsets = offsets
        self._sections = sections
        self._values = values
        self._packed = values.dtype == np.uint8

    def __contains__(self, token: object) -> bool:
        return self._lexicon.find(token) >= 0 and self.count(str(token)) > 0

    def tokens(self) -> Iterable[str]:
        held = np.flatnonzero(np.diff(self._offsets))
        return self._lexicon.texts(held.tolist())

    def commonest(self, most: int) -> Iterable[str]:
        """The tokens that most sections hold, at most so many."""
        counts = np.diff(self._offsets)
        held = np.flatnonzero(counts)
        return self._lexicon.texts(held[np.argsort(-counts[held], kind="stable")[:most]].tolist())

    def count(self, token: str) -> int:
        """How many sections hold the token."""
        number = self._lexicon.find(token)
        return int(self._offsets[number + 1] - self._offsets[number]) if number >= 0 else 0

    def rarity(self, token: str) -> float:
        return idf(self.count(token), self.size)

    def postings(self, token: str) -> tuple[Ids, Impacts]:
        number = self._lexicon.find(token)
        if number < 0:
            return _NO_IDS, _NO_IMPACTS
        held = slice(int(self._offsets[number]), int(self._offsets[number + 1]))
        return self._sections[held], self._decoded(self._values[held], token)

    def among(self, token: str, numbers: Ids) -> tuple[Ids, Impacts]:
        """Like `postings`, of the sections `numbers` (ascending) only and by their place in it."""
        number = self._lexicon.find(token)
        if number < 0 or not len(numbers):
            return _NO_IDS, _NO_IMPACTS
        start, end = int(self._offsets[number]), int(self._offsets[number + 1])
        sections = self._sections[start:end]
        if len(sections) <= _DIRECT * len(numbers):
            places = np.minimum(np.searchsorted(numbers, sections), len(numbers) - 1)
            held = np.flatnonzero(numbers[places] == sections)
            places = places[held]
        else:
            found = np.minimum(np.searchsorted(sections, numbers), len(sections) - 1)
            places = np.flatnonzero(sections[found] == numbers)
            held = found[places]
        return places.astype(np.int32), self._decoded(self._values[start:end][held], token)

    def _decoded(self, values: Impacts | NDArray[np.uint8], token: str) -> Impacts:
        if not self._packed:
            return values  # type: ignore[return-value]
        return values.astype(np.float32) * np.float32(self.rarity(token) / CODES)


class PooledPostings:
    """The postings of an index, of some sections only and by their place among those; rarity stays that of all."""

    def __init__(self, index: LexicalIndex, numbers: Ids) -> None:
        self.size = len(numbers)
        self._index = index
        self._numbers = numbers
        self._found: dict[str, tuple[Ids, Impacts]] = {}

    def __contains__(self, token: object) -> bool:
        return token in self._index

    def rarity(self, token: str) -> float:
        return self._index.rarity(token)

    def postings(self, token: str) -> tuple[Ids, Impacts]:
        found = self._found.get(token)
        if found is None:
            found = self._found[token] = self._index.among(token, self._numbers)
        return found


def idf(count: int, size: int) -> float:
    return math.log(1 + (size - count + 0.5) / (count + 0.5))
