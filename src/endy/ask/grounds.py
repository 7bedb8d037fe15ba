"""Whether a sentence says what its passages say: its content words must be theirs, or the question's.

The guard checks figures one by one; this catches what has none, such as a model that was talked into saying
something else altogether. Words that promise or forbid everything ("무제한", "누구나") must stand in the passages
themselves: a paraphrase does without them, and an invention likes them.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from endy.retrieval.analysis import Analyzer

LEAST_SHARE = 0.45
"""Of a sentence's content words; `tests/ask/test_grounds.py` shows what it lets through and what it cuts."""

_CONTENT = 0.5
_CITATION = re.compile(r"\[\d{1,2}\]|[*_`#|]")
_SPACES = re.compile(r"\s+")
_ABSOLUTE = re.compile(
    r"무제한|무한정?|무료|공짜|전액|누구나|아무나|언제든|절대|무조건|면제|제한\s*없|조건\s*없|승인\s*없|허락\s*없|"
    r"자유롭게|마음대로|즉시\s*해고|불법|\b(?:unlimited|free of charge|anyone|never|always|guaranteed|unconditional(?:ly)?)\b",
    re.IGNORECASE,
)


class Grounds:
    """Compares words as `analyzer` reads them; the same passages are read once."""

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer = analyzer
        self._read = lru_cache(maxsize=512)(self._words)

    def holds(self, sentence: str, passages: Sequence[str], question: str) -> bool:
        """Whether the passages, and for its wording the question, hold the sentence up."""
        text = _CITATION.sub(" ", sentence)
        told = " ".join(passages)
        if any(_squeezed(found) not in _squeezed(told) for found in _ABSOLUTE.findall(text)):
            return False
        return self.share(text, passages, question) >= LEAST_SHARE

    def share(self, sentence: str, passages: Sequence[str], question: str) -> float:
        """Share of the sentence's content words that stand in the passages or the question, 0-1; 1 without any."""
        words = {word: weight for word, weight in self._read(sentence).items() if not word.isdecimal()}
        if not words:
            return 1.0
        known = self._read(question).keys() | {word for text in passages for word in self._read(text)}
        told = _squeezed(" ".join(passages)).lower()
        held = sum(weight for word, weight in words.items() if word in known or (len(word) > 1 and word in told))
        return held / sum(words.values())

    def _words(self, text: str) -> dict[str, float]:
        return {term.text: term.weight for term in self._analyzer.terms(text) if term.weight >= _CONTENT}


def _squeezed(text: str) -> str:
    return _SPACES.sub("", text)
