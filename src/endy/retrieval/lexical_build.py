"""Makes an inverted index from sections a chunk at a time, by sorting."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.lexical import CODES, Impacts, LexicalIndex, idf
from endy.retrieval.lexicon import Ids, Lexicon, TokenLists

K1 = 1.0


@dataclass(frozen=True, slots=True)
class Field:
    """One part of a section: how much a word in it is worth, and how much its length counts against it."""

    weight: float
    b: float


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Postings of some sections, by token and then section; `counts[i]` of them belong to `tokens[i]`."""

    tokens: Ids
    counts: NDArray[np.int64]
    sections: Ids
    frequencies: NDArray[np.float32] | NDArray[np.uint8]


class LexicalBuilder:
    """Collects sections a chunk at a time; `packed` keeps a byte instead of the exact impact of each posting.

    `lengths` are the average lengths of the fields; without them those of the first chunk count for all.
    """

    def __init__(
        self,
        lexicon: Lexicon,
        fields: Sequence[Field],
        packed: bool = False,
        lengths: NDArray[np.float64] | None = None,
    ) -> None:
        self._lexicon = lexicon
        self._weights = np.array([field.weight for field in fields], np.float64)
        self._b = np.array([field.b for field in fields], np.float64)
        self._lengths = lengths
        self._packed = packed
        self._chunks: list[_Chunk] = []

    def add(self, lists: TokenLists, first: int, size: int) -> None:
        """Sections `first` to `first + size`."""
        if not size:
            return
        tokens, owners, fields = lists.searched()
        count = len(self._weights)
        slots = (owners - first).astype(np.int64) * count + fields
        lengths = np.bincount(slots, minlength=size * count).reshape(size, count)
        if self._lengths is None:
            self._lengths = lengths.sum(axis=0) / size
        norms = 1 - self._b + self._b * lengths / np.where(self._lengths == 0, 1.0, self._lengths)
        keys = (tokens.astype(np.int64) * size) * count + slots
        keys.sort()
        self._chunks.append(self._reduced(keys, norms, first, size))

    def _reduced(self, keys: NDArray[np.int64], norms: NDArray[np.float64], first: int, size: int) -> _Chunk:
        fields = len(self._weights)
        starts = _starts(keys)
        occurrences = np.diff(starts, append=len(keys))
        keys = keys[starts]
        field, pairs = keys % fields, keys // fields
        worth = self._weights[field] * occurrences / norms[pairs % size, field]
        starts = _starts(pairs)
        pairs = pairs[starts]
        frequencies = (np.add.reduceat(worth, starts) if len(worth) else worth).astype(np.float32)
        tokens = (pairs // size).astype(np.int32)
        starts = _starts(tokens)
        sections = (pairs % size + first).astype(np.int32)
        counts = np.diff(starts, append=len(tokens))
        kept = _packed(frequencies) if self._packed else frequencies
        return _Chunk(tokens[starts], counts, sections, kept)

    def build(self, size: int) -> "LexicalIndex":
        """The index over all `size` sections; the builder is empty afterwards."""
        counts = np.zeros(len(self._lexicon), np.int64)
        for chunk in self._chunks:
            counts[chunk.tokens] += chunk.counts
        offsets = np.concatenate([[0], np.cumsum(counts)])
        sections = np.empty(offsets[-1], np.int32)
        values = np.empty(offsets[-1], np.uint8 if self._packed else np.float32)
        next_free = offsets[:-1].copy()
        for chunk in self._emptied():
            runs = np.cumsum(chunk.counts) - chunk.counts
            places = np.repeat(next_free[chunk.tokens] - runs, chunk.counts)
            places += np.arange(len(places))
            sections[places], values[places] = chunk.sections, chunk.frequencies
            next_free[chunk.tokens] += chunk.counts
        if not self._packed:
            values = _exact_impacts(values, counts, size)
        return LexicalIndex(self._lexicon, size, offsets, sections, values)

    def _emptied(self) -> Iterable[_Chunk]:
        self._chunks.reverse()
        while self._chunks:
            yield self._chunks.pop()


def one_field_index(documents: Sequence[Sequence[str]], field: Field) -> LexicalIndex:
    """Over documents that are not divided into fields."""
    lexicon = Lexicon()
    lists = TokenLists(lexicon)
    for number, tokens in enumerate(documents):
        lists.add(number, 0, tokens)
    builder = LexicalBuilder(lexicon, [field])
    builder.add(lists, 0, len(documents))
    return builder.build(len(documents))


def _exact_impacts(frequencies: Impacts, counts: NDArray[np.int64], size: int) -> Impacts:
    different, which = np.unique(counts, return_inverse=True)
    rarity = np.array([idf(int(count), size) for count in different], np.float32)
    saturated = np.repeat(rarity[which], counts) * frequencies / (frequencies + np.float32(K1))
    return np.asarray(saturated, np.float32)


def _packed(frequencies: Impacts) -> NDArray[np.uint8]:
    shares = frequencies / (frequencies + np.float32(K1))
    return np.asarray(np.maximum(np.rint(shares * CODES), 1), np.uint8)


def _starts(values: NDArray[np.int64] | Ids) -> NDArray[np.int64]:
    """Where each run of equal values begins, shape (runs,)."""
    if not len(values):
        return np.empty(0, np.int64)
    return np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
