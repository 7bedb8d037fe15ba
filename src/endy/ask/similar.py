"""Answers for the same question in other words: reused only when it asks for the same facts.

Near vectors alone are not enough, since a workplace is full of near names (연차 and 반차 differ in one syllable and
in every figure). A stored answer is reused only if its question found the same section first, says the same content
words, numbers and negations, asks for the same kinds of fact, and lies within NEAR of the new one.
"""

import re
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.intent import asked
from endy.retrieval.search import SearchResult

NEAR = 0.94
"""Least cosine of two questions; `benchmarks/similar.py` measures it."""

_EACH = 20
_WORDING = frozenset({
    "하다", "되다", "있다", "알다", "알리다", "궁금하다", "가능", "가능하다", "방법", "안내", "문의", "확인", "질문",
    "혹시", "좀", "지금", "회사", "사내", "우리", "저희", "제가", "저", "나", "내", "어떻게", "얼마", "얼마나",
    "언제", "어디", "무엇", "뭐", "뭘", "누구", "며칠", "몇일", "몇", "것", "거", "수", "때", "경우", "관련", "대한",
    "the", "a", "an", "is", "are", "do", "does", "can", "i", "my",
})  # fmt: skip
"""Words that ask without saying what; `asked` compares what they ask for."""
_NEGATED = re.compile(
    r"(?:^|\s)[안못]\s?\S|없|아니|않|말고|말아|제외|빼고|외에|미만|이상|이하|초과|이전|이후|전에|후에|"
    r"\b(?:not|no|never|without|except|before|after)\b|n't",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    until: float
    vector: NDArray[np.float32]
    answer: T


def facts_asked(result: SearchResult) -> Hashable | None:
    """What a question asks for, equal for questions that differ in wording alone; None where nothing is said."""
    text = result.repaired
    terms = frozenset(term.text for term in result.query.terms) - _WORDING
    if not terms or not result.hits:
        return None
    negations = tuple(sorted(match.group().strip() for match in _NEGATED.finditer(text)))
    numbers = tuple(sorted(_NUMBER.findall(text)))
    return result.hits[0].section.id, terms, asked(result.query.text), negations, numbers


class SimilarAnswers(Generic[T]):
    """Kept for `seconds`, at most `size` kinds of question; `scope` is everything else an answer depends on."""

    def __init__(self, seconds: float, size: int = 2000, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._size = size
        self._clock = clock
        self._kept: OrderedDict[Hashable, deque[_Kept[T]]] = OrderedDict()

    def find(self, scope: Hashable, result: SearchResult) -> T | None:
        """The answer to the nearest question that asks the same."""
        key, vector = self._key(scope, result), result.query.vector
        if key is None or vector is None:
            return None
        now = self._clock()
        near = [(float(kept.vector @ vector), kept.answer) for kept in self._kept.get(key, ()) if kept.until > now]
        best = max(near, key=lambda pair: pair[0], default=None)
        return best[1] if best is not None and best[0] >= NEAR else None

    def put(self, scope: Hashable, result: SearchResult, answer: T) -> None:
        key, vector = self._key(scope, result), result.query.vector
        if key is None or vector is None:
            return
        kept = self._kept.setdefault(key, deque(maxlen=_EACH))
        kept.append(_Kept(self._clock() + self._seconds, np.asarray(vector, np.float32), answer))
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def _key(self, scope: Hashable, result: SearchResult) -> Hashable | None:
        facts = facts_asked(result)
        return None if facts is None else (scope, facts)
