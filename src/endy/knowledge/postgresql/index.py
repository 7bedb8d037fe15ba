"""Search in PostgreSQL: SQL brings the sections worth looking at, and the evidence about them is as in any index."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import TypeVar

import numpy as np
from sqlalchemy import Connection, Select

from endy.knowledge.postgresql import repository
from endy.knowledge.postgresql.repository import Group, Matching, Question, SearchStore, Seen
from endy.knowledge.postgresql.tables import GRAMS, WORDS
from endy.retrieval.analysis import bigrams
from endy.retrieval.evidence import Evidence, Query
from endy.retrieval.features import gather
from endy.retrieval.gathered import (
    Details,
    GatheredPool,
    GatheredSection,
    KnownSenses,
    Usual,
    rows_of,
    word_hashes,
)
from endy.retrieval.index import SAMPLE
from endy.retrieval.lexical import idf
from endy.retrieval.packed import PackedSection, hash_of
from endy.retrieval.pieces import ENOUGH_VECTORS
from endy.retrieval.pool import Rows
from endy.retrieval.pruning import Worth, said
from endy.retrieval.search import Language, View, Views
from endy.retrieval.senses import WordVectors
from endy.retrieval.vectors import Embedder

FEW = 500
"""Up to so many sections of what is asked for are all looked at."""

BY_WORDS, BY_VECTORS = 120, 80
"""Sections that each channel brings."""

TOUCHED = 4000
"""Rows that a channel reads, by the rarest tokens."""

_TOLD_APART_BY = 10
"""Tokens that those rows are ordered by."""

_KEPT = 2000
"""Sections of a view that are kept as they were unpacked, the last used ones."""

_MOST_COUNTS = 200_000

T = TypeVar("T")


class PostgresSearcher(Views):
    """A `Searcher` whose sections stay in the database; of a view it keeps figures, and what was looked at last.

    Made and used in threads without an event loop. Raises ServiceUnavailable while the database is away.
    """

    def __init__(
        self,
        store: SearchStore,
        language: Language,
        embedder: Embedder | None,
        warm: Iterable[frozenset[str]] = (),
    ) -> None:
        self.store = store
        with store.reading() as connection:
            self.version = repository.version(connection)
            self.groups = repository.every_group(connection)

        def make(audiences: frozenset[str]) -> View:
            seen = [group for group in self.groups if group.visible_to(audiences)]
            everything = len(seen) == len(self.groups)
            return View(PostgresIndex(store, seen, language, everything), language, embedder)

        named = frozenset[str]().union(*(group.audience for group in self.groups))
        super().__init__(named, make, warm)

    @property
    def size(self) -> int:
        return sum(group.sections for group in self.groups)

    def ask(self, question: Question[T], audiences: frozenset[str]) -> T:
        """Something about what this audience may see."""
        seen = tuple(group.id for group in self.groups if group.visible_to(audiences))
        with self.store.reading() as connection:
            return question(connection, Seen(None if len(seen) == len(self.groups) else seen))


class _Counts:
    """How many seen sections hold a token; asked for many at a time, and remembered."""

    def __init__(self, store: SearchStore, kind: int, seen: Seen) -> None:
        self._store = store
        self._kind = kind
        self._seen = seen
        self._known: dict[int, int] = {}

    def __call__(self, token: int) -> int:
        if token not in self._known:
            with self._store.reading() as connection:
                self.learn(connection, (token,))
        return self._known.get(token, 0)

    def learn(self, connection: Connection, tokens: Iterable[int]) -> None:
        unknown = {token for token in tokens if token not in self._known}
        if not unknown:
            return
        found = repository.count_tokens(connection, self._kind, unknown, self._seen)
        if len(self._known) > _MOST_COUNTS:
            # Another thread may be reading the old one.
            self._known = {}
        self._known.update(dict.fromkeys(unknown, 0) | found)


@dataclass(frozen=True, slots=True)
class _KnownWords:
    counts: _Counts

    def __contains__(self, token: object) -> bool:
        return self.counts(hash_of(str(token))) > 0


class PostgresIndex:
    """What one audience may see; see `retrieval.search.Index`."""

    def __init__(self, store: SearchStore, groups: Sequence[Group], language: Language, everything: bool) -> None:
        self._store = store
        self._concepts = language.concepts
        self._seen = Seen(None if everything else tuple(group.id for group in groups))
        self._usual = _usual(groups)
        self._words = _Counts(store, WORDS, self._seen)
        self._grams = _Counts(store, GRAMS, self._seen)
        self.known = _KnownWords(self._words)
        embedded = sum(group.embedded for group in groups)
        self._by_vectors = bool(embedded) and embedded >= ENOUGH_VECTORS * self._usual.size
        self._kept: OrderedDict[int, GatheredSection] = OrderedDict()
        self._keeping = Lock()
        with store.reading() as connection:
            self._categories = repository.sections_by_category(connection, self._seen)
            self._senses = self._known_senses(connection, language.senses)
            self._sample = self._sampled(connection) if self._usual.size > FEW else None

    def names(self, most: int) -> Iterable[str]:
        with self._store.reading() as connection:
            return repository.commonest_words(connection, most, self._seen)

    def within(self, query: Query, category: str | None) -> Evidence | None:
        size = self._usual.size if category is None else self._categories.get(category, 0)
        if not size:
            return None
        seen = replace(self._seen, category=category)
        with self._store.reading() as connection:
            asked = self._learn(connection, query)
            numbers = self._promising(connection, query, seen, size)
            if not numbers:
                return None
            pool = self._pool(connection, numbers, asked)
            return gather(query, pool, self._concepts, np.ones(len(pool.gathered), bool))

    def _learn(self, connection: Connection, query: Query) -> dict[int, str]:
        """Ask at once for the counts of all tokens that the question could be found by; the words of these."""
        tokens = {term.text for term in query.terms}
        tokens |= {token for each in query.expansions for other in each.alternatives for token in other.tokens}
        tokens |= {token for way, _ in self._concepts.ways(query.recalled) for token in way}
        asked = {hash_of(token): token for token in tokens}
        self._words.learn(connection, asked)
        self._grams.learn(connection, map(hash_of, bigrams(query.text)))
        return asked

    def _promising(self, connection: Connection, query: Query, seen: Seen, size: int) -> list[int]:
        if size <= FEW:
            everything = repository.numbers_of(connection, seen, FEW * 2)
            return repository.current_numbers(connection, everything)
        asks: list[Select[tuple[int]]] = []
        for worth in said(query, self._concepts, self._rarity):
            match = self._match(worth, self._words)
            if match is not None:
                asks.append(repository.matching_words(seen, match, TOUCHED, BY_WORDS))
        match = self._match(dict.fromkeys(bigrams(query.text), 1.0), self._grams)
        if match is not None:
            asks.append(repository.matching_grams(seen, match, TOUCHED, BY_WORDS))
        if self._by_vectors and query.vector is not None:
            asks += [repository.nearest_to(query.vector, column, seen, BY_VECTORS) for column in ("whole", "title")]
        found = repository.candidates(connection, asks)
        # Nothing speaks for any section: the first ones stand for all, as where all are looked at.
        return found or repository.current_numbers(connection, repository.numbers_of(connection, seen, BY_WORDS))

    def _match(self, worth: Worth, counts: _Counts) -> Matching | None:
        """The rarest tokens, as far as TOUCHED rows hold them, and of the next ones those with two at a time."""
        held = {token: counts(hash_of(token)) for token in worth}
        tokens = sorted((token for token, count in held.items() if count), key=held.__getitem__)
        if not tokens:
            return None
        sizes = np.cumsum([held[token] for token in tokens])
        rare = int(np.searchsorted(sizes, TOUCHED, side="right"))
        common = tokens[rare : rare + 2]
        if rare == 0 and len(common) == 1:
            rare, common = 1, []
        scored = tuple((token, worth[token] * idf(held[token], self._usual.size)) for token in tokens[:_TOLD_APART_BY])
        return Matching(tuple(tokens[:rare]), tuple(common) if len(common) == 2 else (), scored)

    def _rarity(self, token: str) -> float:
        return idf(self._words(hash_of(token)), self._usual.size)

    def _pool(self, connection: Connection, numbers: Sequence[int], asked: Mapping[int, str]) -> GatheredPool:
        gathered = self._gathered(connection, numbers)
        rows = self._rows(gathered)
        fetch: Callable[[Sequence[GatheredSection]], Details] = partial(self._details, connection)
        counts = (self._words, self._grams)
        return GatheredPool.of(gathered, self._usual, counts, (rows, self._sample), self._senses, asked, fetch)

    def _gathered(self, connection: Connection, numbers: Sequence[int]) -> list[GatheredSection]:
        with self._keeping:
            found = {number: self._kept[number] for number in numbers if number in self._kept}
            for number in found:
                self._kept.move_to_end(number)
        missing = [number for number in numbers if number not in found]
        new = self._unpacked(connection, missing)
        with self._keeping:
            self._kept.update(new)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        found |= new
        return [found[number] for number in numbers if number in found]

    def _unpacked(self, connection: Connection, numbers: Collection[int]) -> dict[int, GatheredSection]:
        loaded = repository.load_entries(connection, numbers, self._store.model)
        found = {}
        for number, entry in loaded.items():
            words = PackedSection.read(entry.words)
            senses, known = self._senses.of(words)
            found[number] = GatheredSection(number, entry.is_faq, words, entry.vectors, senses, known)
        return found

    def _rows(self, gathered: Sequence[GatheredSection]) -> Rows:
        return rows_of(gathered, self._senses.dimensions, self._by_vectors)

    def _details(self, connection: Connection, wanted: Sequence[GatheredSection]) -> Details:
        titles = {int(term) for section in wanted for term in section.words.named()[0]}
        self._words.learn(connection, titles)
        sections = repository.load_contents(connection, [section.key for section in wanted])
        return Details(sections, {term: self._words(term) for term in titles})

    def _known_senses(self, connection: Connection, words: WordVectors) -> KnownSenses:
        hashes = word_hashes(words).tolist()
        held = repository.count_tokens(connection, WORDS, hashes, self._seen)
        return KnownSenses(words, np.array([held.get(token, 0) for token in hashes], np.int64), self._usual.size)

    def _sampled(self, connection: Connection) -> Rows:
        """Of sections that stand for all: where there are no more, of all."""
        numbers = repository.numbers_of(connection, self._seen, SAMPLE, by_chance=True)
        return self._rows(list(self._unpacked(connection, numbers).values()))


def _usual(groups: Sequence[Group]) -> Usual:
    size = sum(group.sections for group in groups)
    words = np.sum([group.word_lengths for group in groups], axis=0) if groups else np.zeros(0)
    grams = np.sum([group.gram_lengths for group in groups], axis=0) if groups else np.zeros(0)
    return Usual(size, words / max(size, 1), grams / max(size, 1))
