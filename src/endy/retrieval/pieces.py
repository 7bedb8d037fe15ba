"""The vectors of all sections: one matrix of a small knowledge, gathered section by section of a large one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.pool import PieceRows, own_ends
from endy.retrieval.vectors import LEADING_PIECES

ENOUGH_VECTORS = 0.75
"""While a smaller share of the sections has vectors, all are found by words alone, which is fair to all."""

StoredVectors = NDArray[np.float16]


class Pieces:
    """`matrices` are as stored and are not copied; a section without one gets zero rows, so that others keep theirs.

    `passages` says how many passages each section has, shape (sections,).
    """

    def __init__(self, matrices: Sequence[StoredVectors | None], passages: NDArray[np.int64]) -> None:
        self.dimensions = next((matrix.shape[1] for matrix in matrices if matrix is not None), 0)
        nothing = np.zeros((LEADING_PIECES, self.dimensions), np.float16)
        self.matrices = [nothing if matrix is None else matrix for matrix in matrices]
        self.known = np.array([matrix is not None for matrix in matrices], bool)
        self._passages = passages

    @staticmethod
    def enough(matrices: Sequence[StoredVectors | None]) -> bool:
        known = sum(matrix is not None and matrix.shape[1] > 0 for matrix in matrices)
        return bool(known) and known >= ENOUGH_VECTORS * len(matrices)

    def every(self) -> PieceRows:
        return self.of(np.arange(len(self.matrices), dtype=np.int32))

    def of(self, numbers: NDArray[np.int32]) -> PieceRows:
        """Of the sections with these numbers, in this order."""
        found = [self.matrices[number] for number in numbers.tolist()] or [np.empty((0, self.dimensions), np.float16)]
        lengths = np.array([len(self.matrices[number]) for number in numbers.tolist()], np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        matrix = np.concatenate(found).astype(np.float32)
        return PieceRows(matrix, offsets, own_ends(offsets, self._passages[numbers]), self.known[numbers])
