"""The in-process search index: an immutable snapshot of the knowledge, searched from any thread."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.analysed import AnalysedSections
from endy.retrieval.analysis import Analyzer
from endy.retrieval.concepts import ConceptIndex
from endy.retrieval.evidence import Evidence, Query
from endy.retrieval.features import gather
from endy.retrieval.lexical import LexicalIndex, PooledPostings, Postings
from endy.retrieval.pieces import Pieces
from endy.retrieval.pool import Rows, Scores, SectionTokens
from endy.retrieval.pruning import Pruner
from endy.retrieval.section import Section, named_words
from endy.retrieval.senses import Matrix, SenseIndex, SenseQuery, WordVectors

EXACT = 20_000
"""Up to so many sections a question looks at every one; of more, at those that the cheap channels choose."""

SAMPLE = 2048
"""Sections that tell what is usual in a large knowledge."""

_SEED = 20260


class SearchIndex:
    """Built from sections and their stored vectors; `vectors` may lack some or all content hashes.

    With more than `exact` sections the postings keep a byte of each impact, and searches are pruned.
    """

    def __init__(
        self,
        sections: Sequence[Section],
        analyzer: Analyzer,
        concepts: ConceptIndex,
        senses: WordVectors,
        vectors: Mapping[str, NDArray[np.float16]],
        exact: int = EXACT,
    ) -> None:
        self.sections = list(sections)
        self._concepts = concepts
        large = len(self.sections) > exact
        matrices = [vectors.get(section.content_hash) for section in self.sections]
        analysed = AnalysedSections(self.sections, analyzer, not Pieces.enough(matrices), large)
        self.words, self.grams, self.tokens = analysed.words, analysed.grams, analysed.tokens
        self._pieces = Pieces(matrices, analysed.passages) if Pieces.enough(matrices) else None
        titles, texts = analysed.word_sets()
        kept = np.float16 if large else np.float32
        self._senses = SenseIndex(titles, texts, analysed.lexicon.every(), self.words.rarity, senses, kept)
        self.everything = np.ones(len(self.sections), bool)
        categories = [section.category for section in self.sections]
        self._names = {name: number for number, name in enumerate(dict.fromkeys(categories))}
        self._categories = np.array([self._names[name] for name in categories], np.int32)
        self._is_faq = np.array([section.kind == "faq" for section in self.sections], np.float32)
        self._pruner = Pruner(self.words, self.grams, concepts, self._pieces) if large else None
        self._whole = None if large else self._all()
        self._sample = self._rows(self._sampled()) if large else None

    @cached_property
    def numbers(self) -> dict[str, int]:
        return {section.id: number for number, section in enumerate(self.sections)}

    def evidence(self, query: Query, allowed: NDArray[np.bool_]) -> Evidence:
        """Features of the most promising sections among the allowed ones (shape: sections,)."""
        if self._whole is not None:
            return gather(query, self._whole, self._concepts, allowed)
        pool = self._pool(query, allowed)
        return gather(query, pool, self._concepts, np.ones(pool.words.size, bool))

    @property
    def known(self) -> LexicalIndex:
        return self.words

    def names(self, most: int) -> Iterable[str]:
        words = {token for token in self.words.commonest(most) if not token.endswith("다")}
        for section in self.sections:
            if len(words) >= most:
                break
            words.update(named_words(section))
        return words

    def within(self, query: Query, category: str | None) -> Evidence | None:
        allowed = self.everything if category is None else self._categories == self._names.get(category, -1)
        return self.evidence(query, allowed) if allowed.any() else None

    def _all(self) -> "IndexPool":
        vectors = self._pieces.every() if self._pieces is not None else None
        rows = Rows(vectors, np.asarray(self._senses.texts, np.float32), np.asarray(self._senses.titles, np.float32))
        numbers = np.arange(len(self.sections), dtype=np.int32)
        return IndexPool(
            self.sections, self.tokens, self._senses, numbers, self.words, self.grams, rows, rows, self._is_faq
        )

    def _pool(self, query: Query, allowed: NDArray[np.bool_]) -> "IndexPool":
        assert self._pruner is not None  # noqa: S101  only called on a large knowledge  # nosec B101
        assert self._sample is not None  # noqa: S101  # nosec B101
        numbers = self._pruner.promising(query, allowed)
        words, grams = PooledPostings(self.words, numbers), PooledPostings(self.grams, numbers)
        rows = self._rows(numbers)
        return IndexPool(
            self.sections, self.tokens, self._senses, numbers, words, grams, rows, self._sample, self._is_faq[numbers]
        )

    def _rows(self, numbers: NDArray[np.int32]) -> Rows:
        vectors = self._pieces.of(numbers) if self._pieces is not None else None
        texts, titles = self._senses.texts[numbers], self._senses.titles[numbers]
        return Rows(vectors, texts.astype(np.float32), titles.astype(np.float32))

    def _sampled(self) -> NDArray[np.int32]:
        chosen = np.random.default_rng(_SEED).choice(len(self.sections), min(SAMPLE, len(self.sections)), replace=False)
        return np.sort(chosen).astype(np.int32)


@dataclass(frozen=True, slots=True)
class IndexPool:
    """Sections of an index by their number in it; see `pool.Pool`. It does not hold the index, which holds it: what is
    replaced must go without waiting for the collector of cycles."""

    _sections: list[Section]
    _tokens: Callable[[int], SectionTokens]
    _senses: SenseIndex
    numbers: NDArray[np.int32]
    words: Postings
    grams: Postings
    rows: Rows
    sample: Rows
    is_faq: Scores

    def load(self, numbers: Sequence[int]) -> None:
        """All is here."""

    def section(self, number: int) -> Section:
        return self._sections[int(self.numbers[number])]

    def tokens(self, number: int) -> SectionTokens:
        return self._tokens(int(self.numbers[number]))

    def sense(self, terms: list[str], rarity: Matrix) -> SenseQuery:
        return self._senses.query(terms, rarity)

    def related(self, query: SenseQuery, number: int) -> Scores:
        return self._senses.related(query, int(self.numbers[number]))
