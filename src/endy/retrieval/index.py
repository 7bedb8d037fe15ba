"""The in-process search index: an immutable snapshot of the knowledge, searched from any thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.analysis import Analyzer, Term, bigrams
from endy.retrieval.evidence import (
    DenseEvidence,
    Evidence,
    Query,
    Scores,
    WordEvidence,
    bigram_scores,
    dense_evidence,
    word_evidence,
)
from endy.retrieval.lexical import FieldText, LexicalIndex
from endy.retrieval.passages import plain, split_passages
from endy.retrieval.section import Section
from endy.retrieval.vectors import LEADING_PIECES, Matrix

CANDIDATES = 40
DENSE_PASSAGE = 6.0
"""Cosines of passages lie within about 0.1; lexical shares within 1."""


@dataclass(frozen=True, slots=True)
class SectionTokens:
    """What a section's features are read from: title and path terms, and terms per passage."""

    title: frozenset[str]
    title_terms: tuple[str, ...]
    passages: tuple[frozenset[str], ...]


class SearchIndex:
    """Built from sections and their stored vectors; `vectors` may lack some or all content hashes."""

    def __init__(
        self,
        sections: Sequence[Section],
        analyzer: Analyzer,
        vectors: Mapping[str, NDArray[np.float16]],
        version: int = 0,
    ) -> None:
        self.sections = list(sections)
        self.analyzer = analyzer
        self.version = version
        self.tokens = [_section_tokens(section, analyzer) for section in self.sections]
        self.words = LexicalIndex([_word_fields(section, analyzer) for section in self.sections])
        self.grams = LexicalIndex([_gram_fields(section) for section in self.sections])
        self.numbers = {section.id: number for number, section in enumerate(self.sections)}
        self._is_faq = np.array([section.kind == "faq" for section in self.sections], np.float32)
        self._pieces, self.offsets = _stack(self.sections, vectors)

    @property
    def has_vectors(self) -> bool:
        return self._pieces is not None

    def evidence(self, query: Query, allowed: NDArray[np.bool_]) -> Evidence:
        """Features of the most promising sections among the allowed ones (shape: sections,)."""
        words = word_evidence(query, self.words)
        grams = bigram_scores(query.text, self.grams)
        dense = None
        if self._pieces is not None and query.vector is not None:
            dense = dense_evidence(query.vector, self._pieces, self.offsets)
        coverage = words.coverage()
        chosen = _candidates(coverage, grams, dense, allowed)
        columns = [
            words.direct.sum(axis=0)[chosen] / words.total,
            coverage[chosen],
            grams[chosen],
            *self._title_and_passage(query, words, chosen),
            *_dense_columns(dense, chosen),
            self._is_faq[chosen],
        ]
        return Evidence(query, chosen, np.stack(columns, axis=1).astype(np.float32), words, dense)

    def passage_scores(self, evidence: Evidence, number: int) -> Scores:
        """How well each passage of a section speaks to the question, shape (passages,).

        The share of the question that it holds in any words, plus its cosine against the section's mean.
        """
        words, tokens = evidence.words, self.tokens[number]
        explained = _explanations(evidence.query)
        lexical = np.array(
            [_held(explained, part, words.rarity).sum() / words.total for part in tokens.passages], np.float32
        )
        if evidence.dense is None or not len(lexical):
            return lexical
        start = int(self.offsets[number]) + LEADING_PIECES
        cosines = evidence.dense.cosines[start : int(self.offsets[number + 1])]
        padded = np.full(len(lexical), cosines.min() if len(cosines) else 0.0, np.float32)
        padded[: len(cosines)] = cosines[: len(lexical)]
        return np.asarray(lexical + DENSE_PASSAGE * (padded - padded.mean()), np.float32)

    def _title_and_passage(self, query: Query, words: WordEvidence, chosen: NDArray[np.int64]) -> Scores:
        """Three columns: the question's share in the title, the title's in the question, the best passage's."""
        explained = _explanations(query)
        title, fit, passage = [], [], []
        for number in chosen:
            tokens = self.tokens[number]
            in_title = _held(explained, tokens.title, words.rarity)
            title.append(in_title.sum() / words.total)
            fit.append(self._title_fit(tokens, explained))
            held = [np.maximum(_held(explained, part, words.rarity), in_title) for part in tokens.passages]
            passage.append(max((row.sum() for row in held), default=in_title.sum()) / words.total)
        return np.array([title, fit, passage], np.float32)

    def _title_fit(self, tokens: SectionTokens, explained: list[list[tuple[tuple[str, ...], float]]]) -> float:
        said: dict[str, float] = {}
        for ways in explained:
            for way, weight in ways:
                for token in way:
                    said[token] = max(said.get(token, 0.0), weight)
        rarities = [(token, self.words.rarity(token)) for token in tokens.title_terms]
        total = sum(rarity for _, rarity in rarities)
        return sum(rarity * said.get(token, 0.0) for token, rarity in rarities) / total if total else 0.0


def _explanations(query: Query) -> list[list[tuple[tuple[str, ...], float]]]:
    """Per term, the ways to say it: itself with weight 1, then other forms of its concepts."""
    ways: list[list[tuple[tuple[str, ...], float]]] = [[((term.text,), 1.0)] for term in query.terms]
    for expansion in query.expansions:
        for row in expansion.covered:
            ways[row].extend((other.tokens, other.weight) for other in expansion.alternatives)
    return ways


def _held(explained: list[list[tuple[tuple[str, ...], float]]], tokens: frozenset[str], rarity: Scores) -> Scores:
    """How much of each term the token set holds, in worth; shape (terms,)."""
    shares = [
        max((weight for way, weight in ways if all(token in tokens for token in way)), default=0.0)
        for ways in explained
    ]
    return np.array(shares, np.float32) * rarity


def _candidates(
    coverage: Scores, grams: Scores, dense: DenseEvidence | None, allowed: NDArray[np.bool_]
) -> NDArray[np.int64]:
    channels = [coverage, grams]
    if dense is not None:
        channels += [dense.whole, dense.passage, dense.title]
    each = CANDIDATES // 2
    chosen: set[int] = set()
    for scores in channels:
        ranked = np.where(allowed, scores, -np.inf)
        top = np.argpartition(-ranked, each)[:each] if len(ranked) > each else np.arange(len(ranked))
        chosen.update(int(number) for number in top if allowed[number])
    return np.array(sorted(chosen), np.int64)


def _dense_columns(dense: DenseEvidence | None, chosen: NDArray[np.int64]) -> list[Scores]:
    if dense is None:
        return [np.zeros(len(chosen), np.float32)] * 3
    return [dense.whole[chosen], dense.title[chosen], dense.passage[chosen]]


def content_words(terms: Sequence[Term]) -> list[str]:
    return [term.text for term in terms if not term.generic]


def _section_tokens(section: Section, analyzer: Analyzer) -> SectionTokens:
    title = content_words(analyzer.terms(plain(section.title)))
    path = [word for heading in section.heading_path for word in analyzer.words(heading)]
    keywords = [word for keyword in section.keywords for word in analyzer.words(keyword)]
    passages = tuple(frozenset(analyzer.words(passage.text)) for passage in split_passages(section.text))
    return SectionTokens(frozenset([*title, *path, *keywords]), tuple(dict.fromkeys(title)), passages)


def _word_fields(section: Section, analyzer: Analyzer) -> dict[str, FieldText]:
    path = [word for heading in section.heading_path[:-1] for word in analyzer.words(heading)]
    body = [word for passage in split_passages(section.text) for word in analyzer.words(passage.text)]
    return {
        "title": FieldText(analyzer.words(plain(section.title)), 2.0, 0.3),
        "path": FieldText([*path, *analyzer.words(section.document_title)], 0.7, 0.3),
        "keywords": FieldText([word for keyword in section.keywords for word in analyzer.words(keyword)], 2.0, 0.3),
        "body": FieldText(body, 1.0, 0.4),
    }


def _gram_fields(section: Section) -> dict[str, FieldText]:
    heading = " ".join((*section.heading_path, section.title, *section.keywords))
    body = " ".join(passage.text for passage in split_passages(section.text))
    return {"title": FieldText(bigrams(heading), 2.0, 0.3), "body": FieldText(bigrams(body), 1.0, 0.4)}


def _stack(
    sections: Sequence[Section], vectors: Mapping[str, NDArray[np.float16]]
) -> tuple[Matrix | None, NDArray[np.int64]]:
    """All pieces in one float32 matrix; None unless every section has its vectors."""
    matrices = [vectors.get(section.content_hash) for section in sections]
    found = [matrix for matrix in matrices if matrix is not None]
    if not found or len(found) < len(matrices):
        return None, np.zeros(len(sections) + 1, np.int64)
    offsets = np.concatenate([[0], np.cumsum([len(matrix) for matrix in found])]).astype(np.int64)
    return np.vstack(found).astype(np.float32), offsets
