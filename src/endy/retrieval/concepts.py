"""Concept recall: which workplace concepts a question is probably about, even if it names none of them outright.

The vocabulary is searched like a small corpus of phrases: a concept is recalled by the phrase that shares most of the
question's rare words. Its other forms and its vector then speak for the question (pseudo-relevance feedback with the
vocabulary instead of the knowledge as the source, so that it cannot drift towards what is merely written often).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.analysis import Term
from endy.retrieval.lexical import Postings
from endy.retrieval.lexical_build import Field, one_field_index
from endy.retrieval.shipped import text_vectors
from endy.retrieval.vectors import Embedder, Matrix
from endy.retrieval.vocabulary import AnalysedForms, Concept

SHIPPED_VECTORS = Path(__file__).parent / "data" / "concepts.npz"

RECALLED = 3
_SHARPNESS = 20.0
_WHOLE_PHRASE = 1.5
_EMBEDDED_FORMS = 12


@dataclass(frozen=True, slots=True)
class Recalled:
    """A concept and its part in the question; the parts of all recalled ones sum to 1."""

    number: int
    part: float


class ConceptIndex:
    """Finds concepts by any of their forms. `vectors` is (concepts, dimensions), or None without embeddings."""

    def __init__(self, forms: Sequence[AnalysedForms], vectors: Matrix | None) -> None:
        self.vectors = vectors
        rows = [(number, tokens, weight) for number, known in enumerate(forms) for tokens, weight in known]
        self._forms = [tokens for _, tokens, _ in rows]
        self._weights = np.array([weight for *_, weight in rows], np.float32)
        owners = np.array([number for number, *_ in rows], np.int64)
        self._starts = np.searchsorted(owners, np.arange(len(forms) + 1))
        self._index = one_field_index(self._forms, Field(1.0, 0.0))
        self._worth = np.array([sum(map(self._index.rarity, tokens)) or 1.0 for tokens in self._forms], np.float32)

    def recall(self, terms: Sequence[Term]) -> list[Recalled]:
        """The most probable concepts, at most RECALLED; none where no form shares a word with the question."""
        if not self._forms or not terms:
            return []
        held = np.zeros(len(self._forms), np.float32)
        for term in terms:
            ids, impacts = self._index.postings(term.text)
            held[ids] += 2 * term.weight * impacts
        possible = sum(term.weight * self._index.rarity(term.text) for term in terms) or 1.0
        scores = held / possible * np.minimum(held / self._worth, 1.0) * self._weights
        by_concept = np.maximum.reduceat(scores, self._starts[:-1])
        best = np.argsort(-by_concept, kind="stable")[:RECALLED]
        best = best[by_concept[best] > 0]
        odds = np.exp(_SHARPNESS * (by_concept[best] - by_concept[best].max(initial=0.0)))
        return [Recalled(int(number), float(odd / odds.sum())) for number, odd in zip(best, odds, strict=True)]

    def words(self, recalled: Sequence[Recalled], index: Postings) -> NDArray[np.float32]:
        """How much of the recalled concepts' forms each section holds, shape (sections,), 0 to about 1."""
        total = np.zeros(index.size, np.float32)
        for concept in recalled:
            best = np.zeros(index.size, np.float32)
            for form in range(self._starts[concept.number], self._starts[concept.number + 1]):
                np.maximum(best, self._form_share(form, index), out=best)
            total += concept.part * best
        return total

    def ways(self, recalled: Sequence[Recalled]) -> Iterator[tuple[tuple[str, ...], float]]:
        """The recalled concepts' forms, and what each is worth for the question."""
        for concept in recalled:
            for form in range(self._starts[concept.number], self._starts[concept.number + 1]):
                yield self._forms[form], concept.part * float(self._weights[form])

    def vector(self, recalled: Sequence[Recalled]) -> Matrix | None:
        """The recalled concepts' mean direction by their parts, shape (dimensions,)."""
        if self.vectors is None or not recalled:
            return None
        parts = np.array([concept.part for concept in recalled], np.float32)
        chosen = self.vectors[[concept.number for concept in recalled]]
        return np.asarray(parts @ chosen, np.float32)

    def _form_share(self, form: int, index: Postings) -> NDArray[np.float32]:
        tokens = self._forms[form]
        held = np.zeros(index.size, np.float32)
        for token in tokens:
            ids, impacts = index.postings(token)
            held[ids] += impacts
        share: NDArray[np.float32] = held * (self._weights[form] / (sum(map(index.rarity, tokens)) or 1.0))
        # Half a phrase says much less than half of what the phrase says.
        return share if len(tokens) == 1 else _WHOLE_PHRASE * share**2


def concept_vectors(concepts: Sequence[Concept], embedder: Embedder | None) -> Matrix | None:
    """Unit vectors of the concepts, shape (concepts, dimensions); a company's own are made here."""
    if embedder is None or not concepts:
        return None
    texts = [concept_text(concept) for concept in concepts]
    return text_vectors(texts, SHIPPED_VECTORS, embedder.name, embedder.passages)


def concept_text(concept: Concept) -> str:
    """What is embedded of a concept: its first forms; more would blur it."""
    return ", ".join(form.text for form in concept.forms[:_EMBEDDED_FORMS])
