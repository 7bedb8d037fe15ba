"""Knowledge and vectors that are made up, the same in every run."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.passages import split_passages
from endy.retrieval.section import Section

DIMENSIONS = 64


def random_unit(text: str) -> NDArray[np.float32]:
    """A direction that the text alone decides."""
    seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    vector = np.random.default_rng(seed).standard_normal(DIMENSIONS).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


class MadeEmbedder:
    """An embedder to which equal texts are near and different ones are not."""

    name, dimensions = "made", DIMENSIONS

    def query(self, text: str) -> NDArray[np.float32]:
        return random_unit(text)

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([random_unit(text) for text in texts])


def vectors_of(sections: Sequence[Section]) -> dict[str, NDArray[np.float16]]:
    """Matrices by content hash: the whole, the title, then each passage by its own text."""
    return {
        section.content_hash: np.stack(
            [random_unit(section.text), random_unit(section.title)]
            + [random_unit(passage.text) for passage in split_passages(section.text)]
        ).astype(np.float16)
        for section in sections
    }
