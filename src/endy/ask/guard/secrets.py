"""Tell when an answer repeats what was meant for the model only."""

import re
from collections.abc import Iterable, Iterator, Sequence

RUN = 24
_TIGHT_RUN = 15


class Secrets:
    """Any 24 characters of a secret give it away, however they are spaced and marked, unless a passage has them."""

    def __init__(self, secrets: Sequence[str], sources: Sequence[str]) -> None:
        known = set(_runs(map(_tight, sources), _TIGHT_RUN)) if secrets else set()
        self._tight = set(_runs(map(_tight, secrets), _TIGHT_RUN)) - known
        open_runs = set(_runs(map(_spaced, sources), RUN)) if secrets else set()
        self._spaced = set(_runs(map(_spaced, secrets), RUN)) - open_runs
        self._tail = ""

    def leak(self, sentence: str) -> str:
        """The run that gives a secret away, also across sentences; empty when there is none."""
        if not self._tight and not self._spaced:
            return ""
        text = f"{self._tail} {sentence}"
        self._tail = text[-4 * RUN :]
        found = next((run for run in _windows(_spaced(text), RUN) if run in self._spaced), "")
        return found or next((run for run in _windows(_tight(text), _TIGHT_RUN) if run in self._tight), "")


def _runs(texts: Iterable[str], size: int) -> Iterator[str]:
    for text in texts:
        yield from _windows(text, size)


def _windows(text: str, size: int) -> Iterator[str]:
    return (text[place : place + size] for place in range(len(text) - size + 1))


def _spaced(text: str) -> str:
    return re.sub(r"\s+", " ", text).casefold().strip()


def _tight(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
