"""The sections that one question is answered from, and what evidence about them is read from.

A small knowledge is its own pool. Of a large one, cheap channels choose the sections worth looking at (`pruning`), and
everything that fusion weighs is then computed for those alone. An adapter that keeps the knowledge elsewhere supplies
the same: postings of the pooled sections for any token with the rarity of that token in the whole knowledge, the
pooled sections themselves with their analysed words, their vectors and senses as `Rows`, and the `Rows` of a fixed
random sample of the whole knowledge, by which a figure is known to be high or low.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.lexical import Postings
from endy.retrieval.section import Section
from endy.retrieval.senses import SenseQuery
from endy.retrieval.vectors import LEADING_PIECES, MAX_PASSAGES, Matrix

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SectionTokens:
    """What a section's features are read from: title and path terms, and terms per passage and generated question."""

    title: frozenset[str]
    title_terms: tuple[str, ...]
    title_rarity: tuple[float, ...]
    passages: tuple[frozenset[str], ...]
    questions: tuple[frozenset[str], ...]


@dataclass(frozen=True)
class PieceRows:
    """The vectors of some sections: section i owns rows offsets[i] to offsets[i + 1], generated ones from ends[i]."""

    matrix: Matrix
    """Shape (pieces, dimensions); a section without vectors has LEADING_PIECES rows of zeros."""
    offsets: NDArray[np.int64]
    ends: NDArray[np.int64]
    known: NDArray[np.bool_]
    """Which sections have vectors, shape (sections,)."""

    @cached_property
    def whole(self) -> Matrix:
        return self.matrix[self.offsets[:-1]]

    @cached_property
    def titles(self) -> Matrix:
        return self.matrix[self.offsets[:-1] + 1]


def own_ends(offsets: NDArray[np.int64], passages: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the vectors of each section's own text end, given how many passages it has."""
    return np.minimum(offsets[:-1] + LEADING_PIECES + np.minimum(passages, MAX_PASSAGES), offsets[1:])


@dataclass(frozen=True, slots=True)
class Rows:
    """Of some sections: their vectors, or None while too few have any, and the senses of their texts and titles."""

    vectors: PieceRows | None
    senses: Matrix
    title_senses: Matrix


class Pool(Protocol):
    """Some sections, numbered from 0, as one question needs them."""

    @property
    def words(self) -> Postings: ...
    @property
    def grams(self) -> Postings: ...
    @property
    def rows(self) -> Rows:
        """Of the pooled sections."""
        ...

    @property
    def sample(self) -> Rows:
        """Of the sections that stand for the whole knowledge; `rows` itself where the pool is the whole."""
        ...

    @property
    def is_faq(self) -> Scores: ...

    def load(self, numbers: Sequence[int]) -> None:
        """Get what `section` and `tokens` will be asked for all at once, where it has to be got."""
        ...

    def section(self, number: int) -> Section: ...

    def tokens(self, number: int) -> SectionTokens: ...

    def sense(self, terms: list[str], rarity: Matrix) -> SenseQuery:
        """The sense of a question, `rarity` being each term's worth."""
        ...

    def related(self, query: SenseQuery, number: int) -> Scores:
        """How nearly a section says each term of the question in any words, shape (terms,), 0-1."""
        ...
