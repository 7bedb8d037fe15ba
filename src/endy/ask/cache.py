"""Answers remembered in this process, for as long as the knowledge they rest on is current."""

from collections import OrderedDict
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
    """The most recently used answers, at most `size`."""

    def __init__(self, size: int = 2000) -> None:
        self._size = size
        self._answers: OrderedDict[CacheKey, T] = OrderedDict()

    def get(self, key: CacheKey) -> T | None:
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
        return answer

    def put(self, key: CacheKey, answer: T) -> None:
        self._answers[key] = answer
        self._answers.move_to_end(key)
        while len(self._answers) > self._size:
            self._answers.popitem(last=False)

    def clear(self) -> None:
        self._answers.clear()
