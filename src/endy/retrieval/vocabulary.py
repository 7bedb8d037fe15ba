"""The workplace vocabulary: formal, spoken, English and loanword forms of one concept, used as weighted expansion."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from endy.retrieval.analysis import WHOLE, Analyzer, Term

SHIPPED_VOCABULARY = Path(__file__).parent / "data" / "vocabulary.txt"

_WEIGHT = re.compile(r"~(0?\.\d+|1(?:\.0)?)$")
_LIGHT_VERBS = frozenset({"하다", "되다"})
_SYNONYM = 0.9
_LOOSE_PATH = 0.3


class VocabularyError(ValueError):
    """A line that does not read as `head = form, form~0.5`; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to say a concept. `weight` is 1 for the head, 0.9 for a synonym, less where marked."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Concept:
    head: str
    forms: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Alternative:
    """Terms that stand for some of a question's terms; all of them must occur. `weight` is 0-1."""

    tokens: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Expansion:
    """A concept found in a question: which of its terms it explains, and other ways to say it."""

    head: str
    covered: tuple[int, ...]
    alternatives: tuple[Alternative, ...]


def parse_vocabulary(text: str, name: str = "vocabulary") -> list[Concept]:
    """Read `head = form, form~0.5` lines; `#` starts a comment. Raises VocabularyError with the line number."""
    concepts = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#", 1)[0].strip()
        if not line:
            continue
        head, sign, rest = line.partition("=")
        forms = tuple(_form(part) for part in rest.split(",") if part.strip())
        if not sign or not head.strip() or not forms:
            raise VocabularyError(f"{name} {number}행: '대표어 = 다른 말, 다른 말~0.5' 꼴로 적어 주세요")
        concepts.append(Concept(head.strip(), (Form(head.strip(), 1.0), *forms)))
    return concepts


def _form(part: str) -> Form:
    part = part.strip()
    match = _WEIGHT.search(part)
    return Form(part[: match.start()].strip(), float(match.group(1))) if match else Form(part, _SYNONYM)


def one_word_forms(concepts: Iterable[Concept]) -> set[str]:
    """Nouns of the vocabulary that the tagger must not take apart: 육휴, 법카."""
    return {
        form.text
        for concept in concepts
        for form in concept.forms
        if " " not in form.text
        and not form.text.endswith("다")
        and 2 <= len(form.text) <= 8
        and not form.text.isascii()
    }


AnalysedForms = list[tuple[tuple[str, ...], float]]
"""The terms and the weight of each form of one concept."""


def analysed_forms(concepts: Iterable[Concept], analyzer: Analyzer) -> list[AnalysedForms]:
    """Per concept, the forms that say anything."""
    return [
        [(tokens, form.weight) for form in concept.forms if (tokens := form_tokens(analyzer.terms(form.text)))]
        for concept in concepts
    ]


class Vocabulary:
    """Finds concepts in analysed questions; `forms` are those of each concept."""

    def __init__(self, concepts: Sequence[Concept], forms: Sequence[AnalysedForms]) -> None:
        self._concepts = list(concepts)
        self._tokens = list(forms)
        self._by_token: dict[str, list[tuple[int, tuple[str, ...], float]]] = defaultdict(list)
        for number, known in enumerate(self._tokens):
            for tokens, weight in known:
                self._by_token[tokens[0]].append((number, tokens, weight))

    def __len__(self) -> int:
        return len(self._concepts)

    def knows(self, token: str) -> bool:
        return token in self._by_token

    def expand(self, terms: Sequence[Term]) -> list[Expansion]:
        """The concepts whose forms occur in the question, each once, by its best form."""
        positions: dict[str, list[int]] = defaultdict(list)
        for index, term in enumerate(terms):
            positions[term.text].append(index)
        best: dict[int, tuple[float, tuple[int, ...], tuple[str, ...]]] = {}
        for token in positions:
            for number, tokens, weight in self._by_token.get(token, ()):
                covered = _cover(tokens, positions)
                strength = weight * len(tokens)
                if covered and _informative(covered, terms) and strength > best.get(number, (0.0, (), ()))[0]:
                    best[number] = (strength, covered, tokens)
        return [
            self._expansion(number, covered, tokens, strength / len(tokens))
            for number, (strength, covered, tokens) in best.items()
        ]

    def _expansion(self, number: int, covered: tuple[int, ...], found: tuple[str, ...], weight: float) -> Expansion:
        alternatives = []
        for tokens, other in self._tokens[number]:
            path = weight * other
            if tokens != found and path >= _LOOSE_PATH:
                alternatives.append(Alternative(tokens, path))
        return Expansion(self._concepts[number].head, covered, tuple(alternatives))


def form_tokens(terms: Sequence[Term]) -> tuple[str, ...]:
    """A form's terms without light verbs; a known whole word stands for its parts."""
    whole = max((term.text for term in terms if term.start == WHOLE), key=len, default="")
    texts = [term.text for term in terms if term.text == whole or term.text not in whole]
    tokens = dict.fromkeys(text for text in texts if text not in _LIGHT_VERBS)
    return tuple(tokens or dict.fromkeys(texts))


def _cover(tokens: tuple[str, ...], positions: dict[str, list[int]]) -> tuple[int, ...]:
    """Indices of the question's terms that the form explains; empty if one is missing."""
    if any(token not in positions for token in tokens):
        return ()
    return tuple(sorted(index for token in tokens for index in positions[token]))


def _informative(covered: tuple[int, ...], terms: Sequence[Term]) -> bool:
    return any(not terms[index].generic for index in covered)
