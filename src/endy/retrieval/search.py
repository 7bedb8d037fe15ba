"""Search: read a question, gather evidence, fuse it, and say why the order came out as it did."""

from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from endy.observability.steps import step
from endy.retrieval.analysis import Analyzer
from endy.retrieval.concepts import ConceptIndex, concept_vectors
from endy.retrieval.evidence import FEATURES, Evidence, Query
from endy.retrieval.fusion import Fusion
from endy.retrieval.index import EXACT, SearchIndex
from endy.retrieval.pool import Scores
from endy.retrieval.reading import QuestionReader
from endy.retrieval.section import Section
from endy.retrieval.senses import WordVectors
from endy.retrieval.spelling import Speller
from endy.retrieval.vectors import Embedder
from endy.retrieval.vocabulary import Concept, Vocabulary, analysed_forms, one_word_forms

MOST_VIEWS = 8
"""Views kept at a time: each holds an index of its own over what its audience sees."""

MOST_REPAIRED = 100_000
"""Words that typos are put right towards; in a large knowledge the rarest words are typos themselves."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One section in the order of relevance; `score` is comparable within its question only."""

    section: Section
    score: float
    features: Scores
    """The section's value in each channel of FEATURES."""
    passages: Scores
    """Relevance of each passage of the section, shape (passages,)."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    query: Query
    repaired: str
    hits: tuple[Hit, ...]
    evidence: Evidence | None
    channel_weights: Scores
    first: int = -1
    """The row of the first hit among the evidence's candidates; -1 without hits."""

    def why(self, hit: Hit) -> dict[str, float]:
        """What each channel added to the hit's score."""
        return {
            name: float(weight * value)
            for name, weight, value in zip(FEATURES, self.channel_weights, hit.features, strict=True)
        }


class Index(Protocol):
    """The sections that one audience may see, wherever they lie."""

    @property
    def known(self) -> Container[str]:
        """The words that any section holds."""
        ...

    def names(self, most: int) -> Iterable[str]:
        """Words that typos may be put right towards, about so many, the commonest."""
        ...

    def within(self, query: Query, category: str | None) -> Evidence | None:
        """Features of the most promising sections of a category, or of all; None where there are no sections."""
        ...


class View:
    """The sections that one audience may see, searched as if there were no others.

    Spelling, rarity of words and every other figure come from these sections alone, so that nothing that an asker
    gets, not even a confidence, depends on what they may not see.
    """

    def __init__(self, index: Index, language: "Language", embedder: Embedder | None) -> None:
        self.index = index
        self._fusion = language.fusion
        self.reader = QuestionReader(
            language.analyzer,
            language.vocabulary,
            Speller({*index.names(MOST_REPAIRED), *language.whole_words}, language.analyzer),
            index.known.__contains__,
            embedder,
            language.concepts,
        )

    def search(self, question: str, category: str | None = None, limit: int = 10) -> SearchResult:
        """The most relevant sections, best first."""
        with step("read"):
            repaired = self.reader.repair(question)
        return self.search_read(self.reader.read(repaired), repaired, category, limit)

    def search_read(self, query: Query, repaired: str, category: str | None = None, limit: int = 10) -> SearchResult:
        evidence = None
        if query.terms or query.vector is not None:
            with step("search"):
                evidence = self.index.within(query, category)
        return self.rank(query, repaired, evidence, self._fusion, limit)

    @staticmethod
    def rank(query: Query, repaired: str, evidence: Evidence | None, fusion: Fusion, limit: int) -> SearchResult:
        """What there is evidence about, in the order that the fusion gives."""
        if evidence is None:
            return SearchResult(query, repaired, (), None, np.zeros(len(FEATURES), np.float32))
        scores = fusion.scores(evidence)
        order = np.argsort(-scores, kind="stable")[:limit]
        hits = tuple(
            Hit(
                evidence.pool.section(int(evidence.candidates[row])),
                float(scores[row]),
                evidence.features[row],
                evidence.passages[row],
            )
            for row in order
        )
        return SearchResult(query, repaired, hits, evidence, fusion.channel_weights(evidence), int(order[0]))


class Searcher(Protocol):
    """Answers searches from any thread; a new version of the knowledge is a new Searcher."""

    @property
    def version(self) -> int: ...

    @property
    def size(self) -> int:
        """Sections in all."""
        ...

    def view(self, audiences: frozenset[str]) -> View:
        """What this audience may search."""
        ...

    def search(
        self, question: str, audiences: frozenset[str] = frozenset(), category: str | None = None, limit: int = 10
    ) -> SearchResult:
        """The most relevant sections that this audience may see, best first."""
        ...

    def audiences(self) -> list[frozenset[str]]:
        """Whose views there are, the last used ones last."""
        ...


class Views:
    """Makes a view when it is first asked for, and keeps MOST_VIEWS of them.

    `named` are the audiences that any section is for; departments without sections of their own see what everybody
    sees. `warm` names audiences whose views are made at once.
    """

    def __init__(
        self, named: frozenset[str], make: Callable[[frozenset[str]], View], warm: Iterable[frozenset[str]] = ()
    ) -> None:
        self._named = named
        self._make = make
        self._views: OrderedDict[frozenset[str], View] = OrderedDict()
        self._making = Lock()
        for audiences in (*warm, frozenset[str]()):
            self.view(audiences)

    def search(
        self, question: str, audiences: frozenset[str] = frozenset(), category: str | None = None, limit: int = 10
    ) -> SearchResult:
        return self.view(audiences).search(question, category, limit)

    def view(self, audiences: frozenset[str]) -> View:
        """The first call for an audience takes as long as making its view."""
        wanted = audiences & self._named
        with self._making:
            view = self._views.get(wanted)
            if view is None:
                view = self._views[wanted] = self._make(wanted)
                while len(self._views) > MOST_VIEWS:
                    self._views.popitem(last=False)
            self._views.move_to_end(wanted)
            return view

    def audiences(self) -> list[frozenset[str]]:
        with self._making:
            return list(self._views)


class SectionSearcher(Views):
    """A `Searcher` over sections in memory, an index per view; `vectors` holds float16 matrices (pieces, dimensions)
    by content hash."""

    def __init__(
        self,
        sections: Sequence[Section],
        vectors: Mapping[str, NDArray[np.float16]],
        language: "Language",
        embedder: Embedder | None,
        version: int = 0,
        warm: Iterable[frozenset[str]] = (),
    ) -> None:
        self.sections = list(sections)
        self.numbers = {section.id: number for number, section in enumerate(self.sections)}
        self.version = version

        def make(audiences: frozenset[str]) -> View:
            seen = [section for section in self.sections if section.visible_to(audiences)]
            return view_of(seen, vectors, language, embedder)

        named = frozenset[str]().union(*(section.audience for section in self.sections))
        super().__init__(named, make, warm)

    @property
    def size(self) -> int:
        return len(self.sections)


def view_of(
    sections: Sequence[Section],
    vectors: Mapping[str, NDArray[np.float16]],
    language: "Language",
    embedder: Embedder | None,
    *,
    exact: int = EXACT,
) -> View:
    """A view of sections in memory."""
    index = SearchIndex(sections, language.analyzer, language.concepts, language.senses, vectors, exact)
    return View(index, language, embedder)


@dataclass(frozen=True, slots=True)
class Language:
    """What is known about the language rather than about the content; shared by all snapshots."""

    analyzer: Analyzer
    vocabulary: Vocabulary
    concepts: ConceptIndex
    senses: WordVectors
    whole_words: frozenset[str]
    fusion: Fusion

    @classmethod
    def build(
        cls, concepts: Sequence[Concept], own_words: Sequence[str], fusion: Fusion, embedder: Embedder | None
    ) -> "Language":
        whole = frozenset(one_word_forms(concepts) | set(own_words))
        analyzer = Analyzer(whole)
        forms = analysed_forms(concepts, analyzer)
        recall = ConceptIndex(forms, concept_vectors(concepts, embedder))
        return cls(analyzer, Vocabulary(concepts, forms), recall, WordVectors.shipped(), whole, fusion)
