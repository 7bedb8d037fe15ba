"""Tell when an answer repeats what was meant for the model only."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

RUN = 24
_TIGHT_RUN = 15


class Secrets:
    """Any 24 characters of a secret give it away, however they are spaced and marked, unless a passage has them."""

    def __init__(self, secrets: Sequence[str], sources: Sequence[str]) -> None:
        known = sources if secrets else ()
        self._tight = _union(secrets, _tight_runs).difference(*map(_tight_runs, known))
        self._spaced = _union(secrets, _spaced_runs).difference(*map(_spaced_runs, known))
        self._tail = ""

    def leak(self, sentence: str) -> str:
        """The run that gives a secret away, also across sentences; empty when there is none."""
        if not self._tight and not self._spaced:
            return ""
        text = f"{self._tail} {sentence}"
        self._tail = text[-4 * RUN :]
        found = next((run for run in _windows(_spaced(text), RUN) if run in self._spaced), "")
        return found or next((run for run in _windows(_tight(text), _TIGHT_RUN) if run in self._tight), "")


def _union(texts: Iterable[str], runs: Callable[[str], frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*map(runs, texts))


@lru_cache(maxsize=256)
def _tight_runs(text: str) -> frozenset[str]:
    return frozenset(_windows(_tight(text), _TIGHT_RUN))


@lru_cache(maxsize=256)
def _spaced_runs(text: str) -> frozenset[str]:
    return frozenset(_windows(_spaced(text), RUN))


def _windows(text: str, size: int) -> Iterator[str]:
    return (text[place : place + size] for place in range(len(text) - size + 1))


def _spaced(text: str) -> str:
    return re.sub(r"\s+", " ", text).casefold().strip()


def _tight(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
