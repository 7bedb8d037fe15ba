"""The in-process search index: an immutable snapshot of the knowledge, searched from any thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.analysis import Analyzer, Term, bigrams
from endy.retrieval.concepts import ConceptIndex
from endy.retrieval.evidence import (
    DenseEvidence,
    Evidence,
    Query,
    Scores,
    WordEvidence,
    bigram_scores,
    dense_evidence,
    standard,
    word_evidence,
)
from endy.retrieval.intent import asked, fit
from endy.retrieval.lexical import FieldText, LexicalIndex
from endy.retrieval.passages import plain, split_passages
from endy.retrieval.section import Section
from endy.retrieval.senses import SenseEvidence, SenseIndex, WordVectors
from endy.retrieval.vectors import LEADING_PIECES, MAX_PASSAGES, Matrix

CANDIDATES = 40
ENOUGH_VECTORS = 0.75
"""While a smaller share of the sections has vectors, all are found by words alone, which is fair to all."""

EACH = 8
"""Every channel brings its best; agreement leaves about CANDIDATES different ones."""

QUESTION_WEIGHT = 0.5
"""Of a word in generated questions, against 1 in the text itself; with vectors they are found by meaning alone."""

DENSE_PASSAGE = 6.0
"""Cosines of passages lie within about 0.1; lexical shares within 1."""


@dataclass(frozen=True, slots=True)
class SectionTokens:
    """What a section's features are read from: title and path terms, and terms per passage and generated question."""

    title: frozenset[str]
    title_terms: tuple[str, ...]
    title_rarity: tuple[float, ...]
    passages: tuple[frozenset[str], ...]
    questions: tuple[frozenset[str], ...]


class SearchIndex:
    """Built from sections and their stored vectors; `vectors` may lack some or all content hashes."""

    def __init__(
        self,
        sections: Sequence[Section],
        analyzer: Analyzer,
        concepts: ConceptIndex,
        senses: WordVectors,
        vectors: Mapping[str, NDArray[np.float16]],
        version: int = 0,
    ) -> None:
        self.sections = list(sections)
        self.analyzer = analyzer
        self.version = version
        self.concepts = concepts
        self._pieces, self.offsets, self._known = _stack(self.sections, vectors)
        by_words = self._pieces is None
        self.words = LexicalIndex([_word_fields(section, analyzer, by_words) for section in self.sections])
        self.tokens = [_section_tokens(section, analyzer, self.words, by_words) for section in self.sections]
        self.grams = LexicalIndex([_gram_fields(section) for section in self.sections])
        self.senses = SenseIndex(
            [tokens.title for tokens in self.tokens],
            [tokens.title.union(*tokens.passages) for tokens in self.tokens],
            self.words.rarity,
            senses,
        )
        self._all = np.ones(len(self.sections), bool)
        self.numbers = {section.id: number for number, section in enumerate(self.sections)}
        self._is_faq = np.array([section.kind == "faq" for section in self.sections], np.float32)
        own = [LEADING_PIECES + min(len(tokens.passages), MAX_PASSAGES) for tokens in self.tokens]
        self._ends = np.minimum(self.offsets[:-1] + np.array(own, np.int64), self.offsets[1:])
        if self._pieces is not None:
            self._whole = self._pieces[self.offsets[:-1]]
            self._titles = self._pieces[self.offsets[:-1] + 1]

    @property
    def has_vectors(self) -> bool:
        return self._pieces is not None

    def evidence(self, query: Query, allowed: NDArray[np.bool_]) -> Evidence:
        """Features of the most promising sections among the allowed ones (shape: sections,)."""
        words = word_evidence(query, self.words)
        grams = bigram_scores(query.text, self.grams)
        dense = None
        if self._pieces is not None and query.vector is not None:
            dense = dense_evidence(query.vector, self._pieces, self.offsets, self._ends, self._known)
        coverage = words.coverage()
        concept = self._concept_columns(query)
        sense = self.senses.evidence([term.text for term in query.terms], words.rarity)
        chosen = _candidates([coverage, grams, concept[0], sense.whole], dense, allowed)
        said = self._said(words, sense, chosen)
        details, passages = self._details(query, words, dense, chosen)
        columns = [
            words.direct.sum(axis=0)[chosen] / words.total,
            coverage[chosen],
            grams[chosen],
            *details[:3],
            *_dense_columns(dense, chosen),
            self._is_faq[chosen],
            *(column[chosen] for column in concept),
            *details[3:],
            words.rarity @ said / words.total,
            standard(sense.whole, self._all)[chosen],
            standard(sense.title, self._all)[chosen],
        ]
        return Evidence(query, chosen, np.stack(columns, axis=1).astype(np.float32), words, said, dense, passages)

    def _said(self, words: WordEvidence, sense: SenseEvidence, chosen: NDArray[np.int64]) -> Scores:
        exact = words.expanded[:, chosen] / np.maximum(words.rarity, 1e-6)[:, None]
        nearly = np.stack([self.senses.related(sense, number) for number in chosen.tolist()], axis=1)
        return np.asarray(np.maximum(exact, nearly), np.float32)

    def _concept_columns(self, query: Query) -> list[Scores]:
        """What the recalled concepts say of every section: by words, by the whole's vector, by the title's."""
        nothing = np.zeros(len(self.sections), np.float32)
        if not query.recalled:
            return [nothing] * 3
        by_words = self.concepts.words(query.recalled, self.words)
        vector = self.concepts.vector(query.recalled)
        if vector is None or self._pieces is None or query.vector is None:
            return [by_words, nothing, nothing]
        return [by_words, standard(self._whole @ vector, self._known), standard(self._titles @ vector, self._known)]

    def _details(
        self, query: Query, words: WordEvidence, dense: DenseEvidence | None, chosen: NDArray[np.int64]
    ) -> tuple[Scores, tuple[Scores, ...]]:
        """Five columns for the chosen sections, and the scores of each one's passages.

        The columns: the question's share in the title, the title's in the question, the best passage's share, and
        how well the two best passages, or any, offer the kind of fact asked for.
        """
        ways = _ways(query)
        said = _said(ways)
        rarity = words.rarity.tolist()
        rows, every = [], []
        for number in chosen.tolist():
            tokens = self.tokens[number]
            in_title = _held(ways, tokens.title, rarity)
            in_passages = [_held(ways, part, rarity) for part in tokens.passages]
            scores = self._passage_scores([sum(held) / words.total for held in in_passages], dense, number)
            in_questions = [_held(ways, part, rarity) for part in tokens.questions]
            best = max((sum(map(max, held, in_title)) for held in in_passages + in_questions), default=sum(in_title))
            intents = _intents(query.text, self.sections[number], scores)
            rows.append((sum(in_title) / words.total, self._title_fit(tokens, said), best / words.total, *intents))
            every.append(scores)
        return np.array(rows, np.float32).reshape(-1, 5).T, tuple(every)

    def _passage_scores(self, shares: list[float], dense: DenseEvidence | None, number: int) -> Scores:
        """How well each passage speaks to the question, shape (passages,): the share of the question that it
        holds in any words, plus its cosine against the section's mean."""
        lexical = np.array(shares, np.float32)
        if dense is None or not len(lexical):
            return lexical
        start = int(self.offsets[number]) + LEADING_PIECES
        # Behind the embedded passages come generated questions.
        cosines = dense.cosines[start : int(self.offsets[number + 1])][: min(len(lexical), MAX_PASSAGES)]
        padded = np.full(len(lexical), cosines.min() if len(cosines) else 0.0, np.float32)
        padded[: len(cosines)] = cosines
        return np.asarray(lexical + DENSE_PASSAGE * (padded - padded.mean()), np.float32)

    def _title_fit(self, tokens: SectionTokens, said: Mapping[str, float]) -> float:
        total = sum(tokens.title_rarity)
        held = sum(
            rarity * said[token]
            for token, rarity in zip(tokens.title_terms, tokens.title_rarity, strict=True)
            if token in said
        )
        return held / total if total else 0.0


_Ways = dict[str, list[tuple[int, float, frozenset[str]]]]
"""By first token: the term that a way of saying stands for, its weight, and the other tokens it needs."""


def _ways(query: Query) -> _Ways:
    """Every way to say each term: itself with weight 1, then other forms of its concepts."""
    ways: _Ways = {}
    for row, term in enumerate(query.terms):
        ways.setdefault(term.text, []).append((row, 1.0, frozenset()))
    for expansion in query.expansions:
        for other in expansion.alternatives:
            rest = frozenset(other.tokens[1:])
            ways.setdefault(other.tokens[0], []).extend((row, other.weight, rest) for row in expansion.covered)
    return ways


def _said(ways: _Ways) -> dict[str, float]:
    """How strongly each token is said, in its own or other words."""
    said: dict[str, float] = {}
    for token, entries in ways.items():
        for _, weight, rest in entries:
            for part in (token, *rest):
                said[part] = max(said.get(part, 0.0), weight)
    return said


def _held(ways: _Ways, tokens: frozenset[str], rarity: Sequence[float]) -> list[float]:
    """How much of each term the token set holds, in worth; one value per term."""
    held = [0.0] * len(rarity)
    for token in tokens & ways.keys():
        for row, weight, rest in ways[token]:
            if weight * rarity[row] > held[row] and rest <= tokens:
                held[row] = weight * rarity[row]
    return held


def _intents(question: str, section: Section, scores: Scores) -> tuple[float, float]:
    """Whether the two best passages, or any, offer what is asked; 0 where nothing particular is asked."""
    passages = split_passages(section.text)
    if not asked(question) or len(scores) != len(passages) or not passages:
        return 0.0, 0.0
    fits = [fit(question, passage.text) for passage in passages]
    best = sorted(range(len(fits)), key=lambda index: -scores[index])[:2]
    return max(fits[index] for index in best) - 0.5, max(fits) - 0.5


def _candidates(
    lexical: Sequence[Scores], dense: DenseEvidence | None, allowed: NDArray[np.bool_]
) -> NDArray[np.int64]:
    channels = list(lexical)
    if dense is not None:
        channels += [dense.whole, dense.passage, dense.title]
    each = CANDIDATES // len(channels) + EACH
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


def _section_tokens(section: Section, analyzer: Analyzer, words: LexicalIndex, by_words: bool) -> SectionTokens:
    title = content_words(analyzer.terms(plain(section.title)))
    path = [word for heading in section.heading_path for word in analyzer.words(heading)]
    keywords = [word for keyword in section.keywords for word in analyzer.words(keyword)]
    passages = tuple(frozenset(analyzer.words(passage.text)) for passage in split_passages(section.text))
    terms = tuple(dict.fromkeys(title))
    questions = tuple(frozenset(analyzer.words(question)) for question in section.questions if by_words)
    named = frozenset([*title, *path, *keywords])
    return SectionTokens(named, terms, tuple(map(words.rarity, terms)), passages, questions)


def _word_fields(section: Section, analyzer: Analyzer, by_words: bool) -> dict[str, FieldText]:
    """The fields; generated questions are searched `by_words` only where there are no vectors to find them by."""
    path = [word for heading in section.heading_path[:-1] for word in analyzer.words(heading)]
    body = [word for passage in split_passages(section.text) for word in analyzer.words(passage.text)]
    asked_words = [word for question in section.questions if by_words for word in analyzer.words(question)]
    return {
        "title": FieldText(analyzer.words(plain(section.title)), 2.0, 0.3),
        "questions": FieldText(asked_words, QUESTION_WEIGHT, 0.3),
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
) -> tuple[Matrix | None, NDArray[np.int64], NDArray[np.bool_]]:
    """All pieces in one float32 matrix, where each section's begin, and which sections have any.

    The matrix is None where too few sections have vectors; one without gets zero rows, so that the others keep theirs.
    """
    matrices = [vectors.get(section.content_hash) for section in sections]
    known = np.array([matrix is not None for matrix in matrices], bool)
    width = next((matrix.shape[1] for matrix in matrices if matrix is not None), 0)
    nothing = np.zeros((LEADING_PIECES, width), np.float16)
    found = [nothing if matrix is None else matrix for matrix in matrices]
    offsets = np.concatenate([[0], np.cumsum([len(matrix) for matrix in found])]).astype(np.int64)
    enough = bool(width) and float(known.mean()) >= ENOUGH_VECTORS
    return (np.vstack(found).astype(np.float32) if enough else None), offsets, known
