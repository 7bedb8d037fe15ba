"""A text from which finders take what they understand, so that the next sees only the rest."""

import re
from collections.abc import Iterator

from endy.ask.guard.models import Fact, Kind
from endy.ask.guard.reading import Reading

TAKEN = "\x00"


class Scan:
    """`left` is the text with what was taken blanked; offsets stay."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.text = reading.text
        self.left = reading.text
        self.found: list[Fact] = []

    def each(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Every match in what is left; matches are blanked when the loop is over, unless refused with `keep`."""
        self._kept: set[int] = set()
        pieces, place = [], 0
        for match in pattern.finditer(self.left):
            yield match
            if match.start() in self._kept:
                continue
            pieces += [self.left[place : match.start()], TAKEN * (match.end() - match.start())]
            place = match.end()
        self.left = "".join((*pieces, self.left[place:]))

    def keep(self, match: re.Match[str]) -> None:
        """Leave this match for later finders."""
        self._kept.add(match.start())

    def add(self, kind: Kind, value: str, start: int, end: int, bound: str = "", per: str = "") -> None:
        """A fact at these offsets of `text`."""
        place = self._reading.place
        self.found.append(Fact(kind, value, self.text[start:end].strip(), place(start), place(end - 1) + 1, per, bound))
