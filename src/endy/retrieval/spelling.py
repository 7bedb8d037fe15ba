"""Typo repair against the knowledge's own words: 경죠휴가 → 경조휴가, 성과굽 → 성과급."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from endy.retrieval.analysis import Analyzer
from endy.retrieval.hangul import is_syllable, spelling_key

_EOJEOL = re.compile(r"[가-힣]{2,}")
_LONGEST = 10
_FORGIVING = 3
"""From this many syllables on, one differing letter is forgiven; below, only sound-alike letters."""


@dataclass(frozen=True, slots=True)
class _Repair:
    start: int
    end: int
    word: str
    exact: bool

    @property
    def rank(self) -> tuple[int, bool]:
        return self.end - self.start, self.exact


class Speller:
    """Knows the words worth repairing towards; a word that it or the tagger knows is left alone."""

    def __init__(self, words: Iterable[str], analyzer: Analyzer) -> None:
        self._analyzer = analyzer
        self._words = {word for word in words if 2 <= len(word) <= _LONGEST and all(map(is_syllable, word))}
        self._longest = max(map(len, self._words), default=0)
        self._by_key: dict[str, str] = {}
        self._by_deletion: dict[str, list[str]] = defaultdict(list)
        for word in sorted(self._words):
            key = spelling_key(word)
            self._by_key.setdefault(key, word)
            if len(word) >= _FORGIVING:
                for shorter in _deletions(key):
                    self._by_deletion[shorter].append(word)

    def repair(self, text: str) -> str:
        """The text with its likely typos put right; unchanged where nothing is likely."""
        return _EOJEOL.sub(lambda match: self._repair_run(match.group()), text)

    def _repair_run(self, run: str) -> str:
        known = self._known_mask(run)
        if all(known):
            return run
        repairs = [
            repair
            for start in range(len(run) - 1)
            for end in range(start + 2, min(len(run), start + self._longest) + 1)
            if not all(known[start:end]) and (repair := self._match(run, start, end, known)) is not None
        ]
        if not repairs:
            return run
        best = max(repairs, key=lambda repair: repair.rank)
        left, right = run[: best.start], run[best.end :]
        return left + best.word + (self._repair_run(right) if len(right) > 1 else right)

    def _known_mask(self, run: str) -> list[bool]:
        """Which syllables belong to a word of the knowledge or read as proper Korean."""
        mask = [False] * len(run)
        for start in range(len(run)):
            for size in range(min(self._longest, len(run) - start), 1, -1):
                if run[start : start + size] in self._words:
                    mask[start : start + size] = [True] * size
                    break
        for start, end in self._analyzer.natural_spans(run):
            mask[start:end] = [True] * (end - start)
        return mask

    def _match(self, run: str, start: int, end: int, known: list[bool]) -> _Repair | None:
        window = run[start:end]
        if window in self._words:
            return None
        key = spelling_key(window)
        word = self._by_key.get(key)
        if word is not None and len(word) == len(window) and _only_unknown_differs(window, word, known[start:end], 9):
            return _Repair(start, end, word, exact=True)
        if end - start < _FORGIVING:
            return None
        for shorter in (key, *_deletions(key)):
            for word in self._by_deletion.get(shorter, ()):
                if len(word) == len(window) and _only_unknown_differs(window, word, known[start:end], 1):
                    return _Repair(start, end, word, exact=False)
        return None


def _deletions(key: str) -> list[str]:
    return [key[:i] + key[i + 1 :] for i in range(len(key))]


def _only_unknown_differs(window: str, word: str, known: list[bool], most: int) -> bool:
    """At most so many syllables differ, none of which anybody knows; a known word is never rewritten."""
    different = [i for i, (a, b) in enumerate(zip(window, word, strict=True)) if a != b]
    return len(different) <= most and not any(known[i] for i in different)
