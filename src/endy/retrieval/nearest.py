"""Sections by the nearness of their vectors, approximately: an inverted file over shortened vectors.

Vectors are projected on the directions in which a sample of them varies most, kept in a byte a dimension and laid out
by the nearest of many centres (Jégou, Douze and Schmid, 2011). A question reads the lists of its nearest centres. What
is found is ranked again by the full vectors, so that this need only bring the right ones among some hundreds.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.vectors import Matrix

KEPT_DIMENSIONS = 96
PROBED = 64
"""Lists that a question reads."""

_COARSE = 48
"""Leading dimensions by which the lists are made; they hold most of what tells vectors apart."""

_ROUNDS = 8
_SPREAD = 4.0
"""Deviations from the mean that a byte covers."""

_AT_ONCE = 8192
_SEED = 20261


@dataclass(frozen=True, slots=True)
class Projection:
    """Vectors in few dimensions: those of most variance first."""

    mean: Matrix
    axes: Matrix
    """Shape (dimensions, kept)."""
    step: Matrix
    """What one step of a byte is worth in each kept dimension."""

    @classmethod
    def fitted(cls, sample: Matrix) -> "Projection":
        mean = sample.mean(axis=0)
        values, axes = np.linalg.eigh((sample - mean).T @ (sample - mean) / len(sample))
        kept = np.argsort(-values)[:KEPT_DIMENSIONS]
        spread = np.sqrt(np.maximum(values[kept], 1e-12))
        return cls(mean, axes[:, kept].astype(np.float32), (spread * _SPREAD / 127).astype(np.float32))

    def __call__(self, vectors: Matrix) -> Matrix:
        return np.asarray(vectors @ self.axes - self.mean @ self.axes, np.float32)

    def codes(self, projected: Matrix) -> NDArray[np.int8]:
        return np.asarray(np.clip(np.rint(projected / self.step), -127, 127), np.int8)


class Centres:
    """Centres by k-means over a sample; `nearest` tells whose list a vector belongs to."""

    def __init__(self, sample: Matrix, count: int) -> None:
        chance = np.random.default_rng(_SEED)
        sample = sample[:, :_COARSE]
        self.points = sample[chance.choice(len(sample), count, replace=False)].copy()
        for _ in range(_ROUNDS):
            nearest = self.nearest(sample)
            sums = np.zeros_like(self.points)
            np.add.at(sums, nearest, sample)
            held = np.bincount(nearest, minlength=count)
            self.points[held > 0] = sums[held > 0] / held[held > 0, None]
            empty = np.flatnonzero(held == 0)
            self.points[empty] = sample[chance.choice(len(sample), len(empty), replace=False)]

    def nearest(self, projected: Matrix) -> NDArray[np.int32]:
        half = (self.points**2).sum(axis=1) / 2
        found = np.empty(len(projected), np.int32)
        for start in range(0, len(projected), _AT_ONCE):
            part = projected[start : start + _AT_ONCE, :_COARSE]
            found[start : start + _AT_ONCE] = np.argmax(part @ self.points.T - half, axis=1)
        return found

    def first(self, vector: Matrix, count: int) -> NDArray[np.int64]:
        """The centres nearest to one projected vector."""
        distances = (self.points**2).sum(axis=1) / 2 - self.points @ vector[:_COARSE]
        return np.argsort(distances)[:count]


def centres_for(vectors: int) -> int:
    """A power of two near twice the square root, so that lists and centres cost about the same."""
    return 1 << max(4, round(math.log2(2 * math.sqrt(max(vectors, 1)))))


class NearestIndex:
    """Which sections own the vectors nearest to one; `batches` yields vectors with the section of each."""

    def __init__(
        self, sample: Matrix, projection: Projection, size: int, batches: Iterator[tuple[Matrix, NDArray[np.int32]]]
    ) -> None:
        """`size` is how many vectors will come; `sample` is of them, projected."""
        self._projection = projection
        self._centres = Centres(sample, min(centres_for(size), max(len(sample) // 8, 1)))
        codes = np.empty((size, self._projection.step.size), np.int8)
        owners = np.empty(size, np.int32)
        lists = np.empty(size, np.int32)
        done = 0
        for vectors, numbers in batches:
            projected = projection(vectors)
            part = slice(done, done + len(vectors))
            codes[part], owners[part] = projection.codes(projected), numbers
            lists[part] = self._centres.nearest(projected)
            done += len(vectors)
        order = np.argsort(lists, kind="stable")
        self._codes, self._owners = codes[order], owners[order]
        self._bounds = np.searchsorted(lists[order], np.arange(len(self._centres.points) + 1))

    def nearest(self, projected: Matrix, most: int, allowed: NDArray[np.bool_] | None) -> NDArray[np.int32]:
        """Up to `most` sections, each perhaps more than once, in no order; `projected` is the question."""
        parts = [slice(*self._bounds[one : one + 2].tolist()) for one in self._centres.first(projected, PROBED)]
        owners = np.concatenate([self._owners[part] for part in parts])
        codes = np.concatenate([self._codes[part] for part in parts])
        if allowed is not None:
            kept = np.flatnonzero(allowed[owners])
            owners, codes = owners[kept], codes[kept]
        if len(owners) <= most:
            return owners
        cosines = codes.astype(np.float32) @ (projected * self._projection.step)
        return owners[np.argpartition(-cosines, most)[:most]]
