"""Search: read a question, gather evidence, fuse it, and say why the order came out as it did."""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

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

_HANGUL_WORDS = re.compile(r"[가-힣]{2,}")


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


class View:
    """The sections that one audience may see, searched as if there were no others.

    Spelling, rarity of words and every other figure come from these sections alone, so that nothing that an asker
    gets, not even a confidence, depends on what they may not see.
    """

    def __init__(
        self,
        sections: Sequence[Section],
        vectors: Mapping[str, NDArray[np.float16]],
        language: "Language",
        embedder: Embedder | None,
        *,
        exact: int = EXACT,
    ) -> None:
        self.index = SearchIndex(sections, language.analyzer, language.concepts, language.senses, vectors, exact)
        self._fusion = language.fusion
        speller = Speller(_repairable_words(self.index, language.whole_words), language.analyzer)
        known = self.index.words.__contains__
        self.reader = QuestionReader(
            language.analyzer, language.vocabulary, speller, known, embedder, language.concepts
        )
        self.everything = np.ones(len(self.index.sections), bool)
        categories = [section.category for section in self.index.sections]
        self._names = {name: number for number, name in enumerate(dict.fromkeys(categories))}
        self._categories = np.array([self._names[name] for name in categories], np.int32)

    def search(self, question: str, category: str | None = None, limit: int = 10) -> SearchResult:
        """The most relevant sections, best first."""
        repaired = self.reader.repair(question)
        return self.search_read(self.reader.read(repaired), repaired, category, limit)

    def search_read(self, query: Query, repaired: str, category: str | None = None, limit: int = 10) -> SearchResult:
        return self.rank(query, repaired, self._of_category(category), self._fusion, limit)

    def rank(self, query: Query, repaired: str, allowed: NDArray[np.bool_], fusion: Fusion, limit: int) -> SearchResult:
        """The allowed sections (shape: sections,) in the order that the fusion gives."""
        if not allowed.any() or not (query.terms or query.vector is not None):
            return SearchResult(query, repaired, (), None, np.zeros(len(FEATURES), np.float32))
        evidence = self.index.evidence(query, allowed)
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

    def _of_category(self, category: str | None) -> NDArray[np.bool_]:
        if category is None:
            return self.everything
        return np.asarray(self._categories == self._names.get(category, -1))


class Searcher:
    """An immutable snapshot that answers searches from any thread; a new version is a new Searcher.

    `vectors` holds float16 matrices (pieces, dimensions) by content hash. Views are made when first asked for and
    MOST_VIEWS of them kept; `warm` names audiences whose views are made at once.
    """

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
        self._vectors = vectors
        self._language = language
        self._embedder = embedder
        self._named = frozenset().union(*(section.audience for section in self.sections))
        self._views: OrderedDict[frozenset[str], View] = OrderedDict()
        self._building = Lock()
        for audiences in (*warm, frozenset[str]()):
            self.view(audiences)

    def search(
        self, question: str, audiences: frozenset[str] = frozenset(), category: str | None = None, limit: int = 10
    ) -> SearchResult:
        """The most relevant sections that this audience may see, best first."""
        return self.view(audiences).search(question, category, limit)

    def view(self, audiences: frozenset[str]) -> View:
        """What this audience may search; the first call for an audience takes as long as building an index."""
        # Departments without sections of their own see what everybody sees.
        wanted = audiences & self._named
        with self._building:
            view = self._views.get(wanted)
            if view is None:
                seen = [section for section in self.sections if section.visible_to(wanted)]
                view = View(seen, self._vectors, self._language, self._embedder)
                self._views[wanted] = view
                while len(self._views) > MOST_VIEWS:
                    self._views.popitem(last=False)
            self._views.move_to_end(wanted)
            return view

    def audiences(self) -> list[frozenset[str]]:
        """Whose views there are, the last used ones last."""
        with self._building:
            return list(self._views)


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


def _repairable_words(index: SearchIndex, whole_words: frozenset[str]) -> set[str]:
    words = {token for token in index.words.commonest(MOST_REPAIRED) if not token.endswith("다")} | whole_words
    for section in index.sections:
        if len(words) >= MOST_REPAIRED:
            break
        for text in (*section.heading_path, section.title, *section.keywords):
            words.update(_HANGUL_WORDS.findall(text))
    return words
