"""Answers remembered in this process, for as long as the knowledge they rest on is current."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What an answer depends on; a new knowledge version makes every older key unreachable."""

    question: str
    turns: tuple[str, ...]
    category: str | None
    audiences: frozenset[str]
    knowledge_version: int
    model: str


class AnswerCache(Generic[T]):
    """The most recently used answers, at most `size`, each for `seconds`."""

    def __init__(self, seconds: float, size: int = 2000, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._size = size
        self._clock = clock
        self._answers: OrderedDict[CacheKey, tuple[float, T]] = OrderedDict()

    def get(self, key: CacheKey) -> T | None:
        kept = self._answers.get(key)
        if kept is None:
            return None
        until, answer = kept
        if until <= self._clock():
            del self._answers[key]
            return None
        self._answers.move_to_end(key)
        return answer

    def put(self, key: CacheKey, answer: T, seconds: float | None = None) -> None:
        """`seconds` is what is left of the time of an answer that is not new."""
        self._answers[key] = (self._clock() + (self._seconds if seconds is None else seconds), answer)
        self._answers.move_to_end(key)
        while len(self._answers) > self._size:
            self._answers.popitem(last=False)
