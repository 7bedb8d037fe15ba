"""An inverted index with field weights; scores are impacts between 0 and the term's rarity.

BM25F after Robertson, Zaragoza and Taylor (2004): field frequencies are weighted and length-normalised
before they saturate. The factor (k1 + 1) is left out, so that one term's impact never exceeds its idf and a
score divided by the question's summed idf reads as the share of the question that the section covers.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

K1 = 1.0
_NO_IDS = np.empty(0, np.int32)
_NO_IMPACTS = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class FieldText:
    """The tokens of one field of one section; `b` is how much its length counts against it."""

    tokens: Sequence[str]
    weight: float
    b: float


class LexicalIndex:
    """Built once from all sections, then read from any thread."""

    def __init__(self, documents: Sequence[Mapping[str, FieldText]]) -> None:
        self.size = len(documents)
        lengths = _average_lengths(documents)
        postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, fields in enumerate(documents):
            for token, frequency in _frequencies(fields, lengths).items():
                postings[token].append((number, frequency))
        self._postings = {token: self._impacts(rows) for token, rows in postings.items()}

    def _impacts(self, rows: list[tuple[int, float]]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        ids = np.array([row[0] for row in rows], np.int32)
        frequencies = np.array([row[1] for row in rows], np.float32)
        return ids, (self._idf(len(rows)) * frequencies / (frequencies + K1)).astype(np.float32)

    def _idf(self, count: int) -> float:
        return math.log(1 + (self.size - count + 0.5) / (count + 0.5))

    def __contains__(self, token: object) -> bool:
        return token in self._postings

    def tokens(self) -> Iterable[str]:
        return self._postings.keys()

    def rarity(self, token: str) -> float:
        """The idf of a token; one that no section holds is the rarest."""
        return self._idf(len(self.postings(token)[0]))

    def postings(self, token: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Section numbers, ascending, and the token's impact in each."""
        return self._postings.get(token, (_NO_IDS, _NO_IMPACTS))

    def impacts(self, tokens: Sequence[str]) -> NDArray[np.float32]:
        """Summed impacts per section where all tokens occur, zero elsewhere; shape (size,)."""
        total = np.zeros(self.size, np.float32)
        seen = np.zeros(self.size, np.int16)
        for token in tokens:
            ids, values = self.postings(token)
            total[ids] += values
            seen[ids] += 1
        if len(tokens) > 1:
            total[seen < len(tokens)] = 0.0
        return total


def _average_lengths(documents: Sequence[Mapping[str, FieldText]]) -> dict[str, float]:
    totals: Counter[str] = Counter()
    for fields in documents:
        for name, text in fields.items():
            totals[name] += len(text.tokens)
    return {name: total / len(documents) for name, total in totals.items()}


def _frequencies(fields: Mapping[str, FieldText], lengths: Mapping[str, float]) -> dict[str, float]:
    weighted: dict[str, float] = defaultdict(float)
    for name, text in fields.items():
        norm = 1 - text.b + text.b * len(text.tokens) / (lengths[name] or 1.0)
        for token, count in Counter(text.tokens).items():
            weighted[token] += text.weight * count / norm
    return weighted
