"""Tokens as numbers, and lists of them laid end to end."""

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]


class _Numbers(dict[str, int]):
    def __missing__(self, token: str) -> int:
        number = self[token] = len(self)
        return number


class Lexicon:
    """Gives every token a number, in the order of their coming."""

    def __init__(self) -> None:
        self._numbers = _Numbers()
        self._texts: list[str] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def numbers(self, tokens: Iterable[str]) -> Iterable[int]:
        """The number of each token, a new one where it is seen for the first time."""
        return map(self._numbers.__getitem__, tokens)

    def find(self, token: object) -> int:
        """The token's number; -1 for one that was never numbered."""
        return self._numbers.get(token, -1)  # type: ignore[call-overload, no-any-return]

    def texts(self, numbers: Iterable[int]) -> list[str]:
        every = self.every()
        return [every[number] for number in numbers]

    def every(self) -> Sequence[str]:
        """All tokens in the order of their numbers."""
        if len(self._texts) != len(self._numbers):
            self._texts = list(self._numbers)
        return self._texts


class TokenLists:
    """Lists of token numbers, laid end to end: list i belongs to section `owners[i]` and field `fields[i]`.

    Sections are added in order; a list with field -1 is kept but not searched.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.tokens = array("i")
        self.ends = array("i")
        self.owners = array("i")
        self.fields = array("b")

    def add(self, owner: int, field: int, tokens: Iterable[str]) -> None:
        self.tokens.extend(self.lexicon.numbers(tokens))
        self.ends.append(len(self.tokens))
        self.owners.append(owner)
        self.fields.append(field)

    def searched(self) -> tuple[Ids, Ids, NDArray[np.int8]]:
        """Token, section and field of every searched occurrence."""
        fields = np.frombuffer(self.fields, np.int8)
        ends = np.frombuffer(self.ends, np.int32)
        lengths = ends - np.concatenate([[0], ends[:-1]])
        every = np.repeat(fields, lengths)
        kept = every >= 0
        owners = np.repeat(np.frombuffer(self.owners, np.int32), lengths)[kept]
        return np.frombuffer(self.tokens, np.int32)[kept], owners, every[kept]
