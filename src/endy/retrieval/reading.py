"""Reading a question: keyboard and spelling put right, terms and concepts found, vector made."""

import re
from collections.abc import Callable

from endy.observability.steps import step
from endy.retrieval.analysis import Analyzer, Term, fold, normalise
from endy.retrieval.concepts import ConceptIndex
from endy.retrieval.evidence import Query
from endy.retrieval.hangul import from_english_keyboard, is_syllable
from endy.retrieval.spelling import Speller
from endy.retrieval.vectors import Embedder
from endy.retrieval.vocabulary import Vocabulary

_LATIN = re.compile(r"[A-Za-z]{2,}")
_MOSTLY = 0.6
_MAX_TERMS = 40


class QuestionReader:
    """Turns what was typed into a Query; `known` says whether a term occurs in the knowledge."""

    def __init__(
        self,
        analyzer: Analyzer,
        vocabulary: Vocabulary,
        speller: Speller,
        known: Callable[[str], bool],
        embedder: Embedder | None,
        concepts: ConceptIndex,
    ) -> None:
        self._concepts = concepts
        self._analyzer = analyzer
        self._vocabulary = vocabulary
        self._speller = speller
        self._known = known
        self._embedder = embedder

    def repair(self, question: str) -> str:
        """The question as it was meant: Korean typed on an English keyboard and typos put right."""
        text = " ".join(fold(question).split())
        return self._speller.repair(self._right_keyboard(text))

    def read(self, question: str) -> Query:
        """A repaired question as a Query; repeated terms count once."""
        text = normalise(question)
        unique: dict[str, Term] = {}
        for term in self._analyzer.terms(text):
            unique.setdefault(term.text, term)
        terms = tuple(unique.values())[:_MAX_TERMS]
        with step("embed"):
            vector = self._embedder.query(text) if self._embedder is not None else None
        recalled = tuple(self._concepts.recall(terms))
        return Query(text, terms, tuple(self._vocabulary.expand(terms)), vector, recalled)

    def _right_keyboard(self, text: str) -> str:
        runs = _LATIN.findall(text)
        meant = {run: from_english_keyboard(run) for run in runs}
        converted = [run for run in runs if is_syllable(meant[run][0]) and not self._known(run.lower())]
        if sum(map(len, converted)) < _MOSTLY * sum(map(len, runs)):
            return text
        words = [term.text for run in converted for term in self._analyzer.terms(meant[run]) if not term.generic]
        if not any(len(word) > 1 and (self._known(word) or self._vocabulary.knows(word)) for word in words):
            return text
        return _LATIN.sub(lambda match: meant[match.group()] if match.group() in converted else match.group(), text)
