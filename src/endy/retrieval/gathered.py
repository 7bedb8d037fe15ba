"""A pool of sections gathered from outside the process; their words come as hashes, and what is usual as figures.

It gives the evidence that the in-process index would give about the same sections of the same knowledge.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.analysed import GRAM_FIELDS, WORD_FIELDS
from endy.retrieval.lexical import Impacts, idf
from endy.retrieval.lexical_build import K1, Field
from endy.retrieval.lexicon import Ids
from endy.retrieval.packed import Fields, Hashes, PackedSection, hash_of, hashes_of
from endy.retrieval.pieces import Pieces, StoredVectors
from endy.retrieval.pool import Rows, Scores, SectionTokens
from endy.retrieval.section import Section
from endy.retrieval.senses import Matrix, SenseQuery, WordVectors, nearness, unit

Count = Callable[[int], int]
"""How many sections of the whole knowledge hold what has this hash."""

_UNKNOWN = "\0"
"""Stands before the hash of a word that the question does not use; no word contains it."""


@dataclass(frozen=True, slots=True)
class Usual:
    """Of all sections that somebody may see: their number, and the average lengths of their searched fields."""

    size: int
    word_lengths: NDArray[np.float64]
    gram_lengths: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GatheredSection:
    """One section as it lies outside: `key` is its number there."""

    key: int
    is_faq: bool
    words: PackedSection
    vectors: StoredVectors | None
    senses: tuple[Matrix, Matrix]
    """Of the text and of the title, each of shape (dimensions,)."""
    known: NDArray[np.int32]
    """Which word vectors its words have."""


class GatheredPostings:
    """Postings of the gathered sections, made as they are asked for."""

    def __init__(
        self,
        parts: Sequence[tuple[Hashes, Fields]],
        fields: Sequence[Field],
        average: NDArray[np.float64],
        every: int,
        count: Count,
    ) -> None:
        """`parts` are each section's words with their fields; `every` is how many sections there are in all."""
        self.size = len(parts)
        self._fields = len(fields)
        self._every = every
        self._count = count
        owners = np.repeat(np.arange(len(parts)), [len(words) for words, _ in parts])
        self._words = np.concatenate([words for words, _ in parts]) if parts else np.empty(0, np.int64)
        spread = np.concatenate([places for _, places in parts]) if parts else np.empty(0, np.int8)
        self._slots = owners * self._fields + spread
        weights = np.array([each.weight for each in fields])
        b = np.array([each.b for each in fields])
        lengths = np.bincount(self._slots, minlength=self.size * self._fields).reshape(self.size, self._fields)
        norms = 1 - b + b * lengths / np.where(average == 0, 1.0, average)
        self._worth = (weights / norms).ravel()
        self._found: dict[str, tuple[Ids, Impacts]] = {}

    def __contains__(self, token: object) -> bool:
        return self._count(hash_of(str(token))) > 0

    def rarity(self, token: str) -> float:
        return idf(self._count(hash_of(token)), self._every)

    def postings(self, token: str) -> tuple[Ids, Impacts]:
        found = self._found.get(token)
        if found is None:
            found = self._found[token] = self._look_up(token)
        return found

    def _look_up(self, token: str) -> tuple[Ids, Impacts]:
        slots = self._slots[self._words == hash_of(token)]
        sums = np.bincount(slots // self._fields, self._worth[slots], self.size)
        ids = np.flatnonzero(sums).astype(np.int32)
        frequencies = sums[ids].astype(np.float32)
        impacts = np.float32(self.rarity(token)) * frequencies / (frequencies + np.float32(K1))
        return ids, np.asarray(impacts, np.float32)


class KnownSenses:
    """The senses of texts of hashed words, by what each word is worth in one knowledge."""

    def __init__(self, words: WordVectors, counts: NDArray[np.int64], every: int) -> None:
        """`counts` says how many sections hold each word that has a vector, in the order of `words`."""
        self._words = words
        rarity = np.log(1 + (every - counts + 0.5) / (counts + 0.5))
        self._worth = np.asarray(words.weights(np.arange(len(words))) * rarity, np.float32)
        hashes = word_hashes(words)
        self._order = np.argsort(hashes)
        self._hashes = hashes[self._order]

    @property
    def dimensions(self) -> int:
        return self._words.dimensions

    def of(self, section: PackedSection) -> tuple[tuple[Matrix, Matrix], NDArray[np.int32]]:
        """The senses of a section's text and title, and which word vectors its text has."""
        title, text = (self._rows(words) for words in section.word_sets())
        return (self._sense(text), self._sense(title)), text

    def query(self, terms: Sequence[str], rarity: Matrix) -> SenseQuery:
        vectors = self._words.vectors(self._words.rows(terms))
        sense = unit((np.sqrt(rarity) @ vectors)[None])[0]
        return SenseQuery(nearness(vectors @ self._words.every().T), sense)

    def _rows(self, words: Hashes) -> NDArray[np.int32]:
        places = np.minimum(np.searchsorted(self._hashes, words), len(self._hashes) - 1)
        return np.asarray(self._order[places[self._hashes[places] == words]], np.int32)

    def _sense(self, rows: NDArray[np.int32]) -> Matrix:
        return np.asarray(unit((self._worth[rows] @ self._words.every()[rows])[None])[0], np.float32)


def word_hashes(words: WordVectors) -> Hashes:
    """The hash of every word that has a vector, in their order."""
    return hashes_of(words.forms())


def rows_of(sections: Sequence[GatheredSection], dimensions: int, use_vectors: bool) -> Rows:
    """`dimensions` are those of sense vectors."""
    nothing = np.zeros((0, dimensions), np.float32)
    texts = np.array([section.senses[0] for section in sections]) if sections else nothing
    titles = np.array([section.senses[1] for section in sections]) if sections else nothing
    if not use_vectors:
        return Rows(None, texts, titles)
    passages = np.array([section.words.passages for section in sections], np.int64)
    return Rows(Pieces([section.vectors for section in sections], passages).every(), texts, titles)


@dataclass(frozen=True, slots=True)
class Details:
    """What only the promising sections are asked for: their content, and how many sections hold their words."""

    sections: Mapping[int, Section]
    counts: Mapping[int, int]


@dataclass
class GatheredPool:
    """See `pool.Pool`; sections are numbered by their place in `gathered`."""

    gathered: Sequence[GatheredSection]
    words: GatheredPostings
    grams: GatheredPostings
    rows: Rows
    sample: Rows
    is_faq: Scores
    usual: Usual
    senses: KnownSenses
    asked: Mapping[int, str]
    """Words that the question could be found by, by their hashes."""
    fetch: Callable[[Sequence[GatheredSection]], Details]
    _sections: dict[int, Section] = field(default_factory=dict)
    _counts: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        gathered: Sequence[GatheredSection],
        usual: Usual,
        counts: tuple[Count, Count],
        rows: tuple[Rows, Rows | None],
        senses: KnownSenses,
        asked: Mapping[int, str],
        fetch: Callable[[Sequence[GatheredSection]], Details],
    ) -> "GatheredPool":
        """`counts` are of words and of character pairs; `rows` those of the pool and of the sample, None for the pool's
        own."""
        by_word, by_gram = counts
        return cls(
            gathered,
            GatheredPostings(
                [one.words.searched for one in gathered], WORD_FIELDS, usual.word_lengths, usual.size, by_word
            ),
            GatheredPostings(
                [one.words.grams for one in gathered], GRAM_FIELDS, usual.gram_lengths, usual.size, by_gram
            ),
            rows[0],
            rows[1] or rows[0],
            np.array([one.is_faq for one in gathered], np.float32),
            usual,
            senses,
            asked,
            fetch,
        )

    def load(self, numbers: Sequence[int]) -> None:
        missing = [self.gathered[number] for number in numbers if self.gathered[number].key not in self._sections]
        if missing:
            found = self.fetch(missing)
            self._sections.update(found.sections)
            self._counts.update(found.counts)

    def section(self, number: int) -> Section:
        self.load([number])
        return self._sections[self.gathered[number].key]

    def tokens(self, number: int) -> SectionTokens:
        self.load([number])
        packed = self.gathered[number].words
        title, headings, keywords, *rest = packed.named()
        terms = tuple(dict.fromkeys(title.tolist()))
        return SectionTokens(
            self._texts(np.concatenate([title, headings, keywords])),
            tuple(self.asked.get(term, f"{_UNKNOWN}{term}") for term in terms),
            tuple(idf(self._counts.get(term, 0), self.usual.size) for term in terms),
            tuple(map(self._texts, rest[: packed.passages])),
            tuple(map(self._texts, rest[packed.passages :])),
        )

    def sense(self, terms: list[str], rarity: Matrix) -> SenseQuery:
        return self.senses.query(terms, rarity)

    def related(self, query: SenseQuery, number: int) -> Scores:
        known = self.gathered[number].known
        if not len(known):
            return np.zeros(len(query.near), np.float32)
        return np.asarray(query.near[:, known].max(axis=1), np.float32)

    def _texts(self, words: Hashes) -> frozenset[str]:
        """Of these words those that the question asks for; no other is ever compared."""
        return frozenset(self.asked[word] for word in words.tolist() if word in self.asked)
