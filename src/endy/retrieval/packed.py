"""A section's analysed words as bytes: what an index outside the process keeps, so that a search analyses nothing."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.analysed import GRAM_FIELDS, LEADING_LISTS, NAMED_LISTS, WORD_FIELDS, gram_texts, word_lists
from endy.retrieval.analysis import Analyzer, bigrams
from endy.retrieval.passages import split_passages
from endy.retrieval.section import Section

FORMAT = 1
Hashes = NDArray[np.int64]
Fields = NDArray[np.int8]

_HEAD = struct.Struct("<BHHI")
"""Format, lists of words, passages, words in all."""


@lru_cache(maxsize=200_000)
def hash_of(token: str) -> int:
    """A token's number, the same everywhere: 63 bits of BLAKE2b, which no two tokens of a language share."""
    return int.from_bytes(blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") >> 1


def hashes_of(tokens: Iterable[str]) -> Hashes:
    """Shape (tokens,)."""
    return np.array([hash_of(token) for token in tokens], np.int64)


@dataclass(frozen=True, slots=True)
class WordLists:
    """Lists of a section's words as texts: `fields[i]` says in which field list i is searched, -1 in none."""

    lists: tuple[tuple[str, ...], ...]
    fields: tuple[int, ...]
    passages: int
    grams: tuple[tuple[str, ...], ...]
    """The character pairs of each field."""

    @classmethod
    def of(cls, section: Section, analyzer: Analyzer, by_words: bool) -> "WordLists":
        """`by_words` takes generated questions in too; see `AnalysedSections`."""
        passages = split_passages(section.text)
        found = [(field, tuple(tokens)) for field, tokens in word_lists(section, passages, analyzer, by_words)]
        grams = tuple(tuple(bigrams(text)) for _, text in gram_texts(section, passages))
        return cls(tuple(tokens for _, tokens in found), tuple(field for field, _ in found), len(passages), grams)

    def searched(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Each searched list with its field."""
        return ((field, tokens) for field, tokens in zip(self.fields, self.lists, strict=True) if field >= 0)

    def word_lengths(self) -> NDArray[np.int64]:
        """Words in each searched field, shape (fields,)."""
        lengths = np.zeros(len(WORD_FIELDS), np.int64)
        for field, tokens in self.searched():
            lengths[field] += len(tokens)
        return lengths

    def gram_lengths(self) -> NDArray[np.int64]:
        return np.array([len(grams) for grams in self.grams], np.int64)

    def packed(self) -> bytes:
        ends = np.cumsum([len(tokens) for tokens in self.lists]).astype("<u4")
        words = hashes_of(token for tokens in self.lists for token in tokens)
        grams = [hashes_of(tokens) for tokens in self.grams]
        gram_ends = np.cumsum([len(tokens) for tokens in grams]).astype("<u4")
        return b"".join((
            _HEAD.pack(FORMAT, len(self.lists), self.passages, len(words)),
            np.array(self.fields, np.int8).tobytes(),
            ends.tobytes(),
            words.astype("<i8").tobytes(),
            gram_ends.tobytes(),
            np.concatenate(grams).astype("<i8").tobytes(),
        ))  # fmt: skip


@dataclass(frozen=True)
class PackedSection:
    """What `WordLists.packed` gave, read back: words are hashes."""

    fields: Fields
    ends: NDArray[np.uint32]
    words: Hashes
    passages: int
    gram_ends: NDArray[np.uint32]
    gram_words: Hashes

    @classmethod
    def read(cls, data: bytes) -> "PackedSection":
        """Raises ValueError for another format."""
        form, lists, passages, count = _HEAD.unpack_from(data)
        if form != FORMAT:
            raise ValueError(f"packed section of format {form}")
        at = _HEAD.size
        fields = np.frombuffer(data, np.int8, lists, at)
        ends = np.frombuffer(data, "<u4", lists, at := at + lists)
        words = np.frombuffer(data, "<i8", count, at := at + 4 * lists)
        gram_ends = np.frombuffer(data, "<u4", len(GRAM_FIELDS), at := at + 8 * count)
        grams = np.frombuffer(data, "<i8", int(gram_ends[-1]), at + 4 * len(GRAM_FIELDS))
        return cls(fields, ends, words, passages, gram_ends, grams)

    @cached_property
    def searched(self) -> tuple[Hashes, Fields]:
        """The words of all searched lists, each with its field."""
        every = np.repeat(self.fields, _lengths(self.ends))
        kept = every >= 0
        return self.words[kept], every[kept]

    @cached_property
    def grams(self) -> tuple[Hashes, Fields]:
        fields = np.arange(len(self.gram_ends), dtype=np.int8)
        return self.gram_words, np.repeat(fields, _lengths(self.gram_ends))

    def named(self) -> list[Hashes]:
        """The lists that features are read from: title, all headings, keywords, each passage, generated questions."""
        starts = np.concatenate([[0], self.ends[:-1]])
        return [self.words[starts[i] : self.ends[i]] for i in range(NAMED_LISTS, len(self.ends))]

    def word_sets(self) -> tuple[Hashes, Hashes]:
        """The different words of title, headings and keywords, and of those with all passages."""
        begin, named, own = (int(self.ends[place - 1]) for place in (NAMED_LISTS, LEADING_LISTS, self._own))
        return np.unique(self.words[begin:named]), np.unique(self.words[begin:own])

    @property
    def _own(self) -> int:
        return LEADING_LISTS + self.passages


def _lengths(ends: NDArray[np.uint32]) -> NDArray[np.int64]:
    return np.asarray(np.diff(ends.astype(np.int64), prepend=0), np.int64)
