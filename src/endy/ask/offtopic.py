"""What no company's knowledge answers: how close a question is to chat, general knowledge or prying."""

from pathlib import Path

import numpy as np

from endy.retrieval.shipped import Encode, text_vectors
from endy.retrieval.vectors import Embedder, Matrix

EXAMPLES = Path(__file__).parent / "data" / "offtopic.txt"
SHIPPED_VECTORS = Path(__file__).parent / "data" / "offtopic.npz"
NEAREST = 3


def examples() -> list[str]:
    """The shipped examples of such questions."""
    lines = (line.strip() for line in EXAMPLES.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def question_vectors(embedder: Embedder) -> Encode:
    """Examples are questions, and are compared with questions."""
    return lambda texts: np.stack([embedder.query(text) for text in texts])


class OffTopic:
    """Nearest-neighbour closeness to the examples; without embeddings it never speaks."""

    def __init__(self, embedder: Embedder | None) -> None:
        self._vectors: Matrix | None = None
        if embedder is not None:
            self._vectors = text_vectors(examples(), SHIPPED_VECTORS, embedder.name, question_vectors(embedder))

    def closeness(self, vector: Matrix | None) -> float:
        """The mean cosine with the three nearest examples; 0 without vectors."""
        if self._vectors is None or vector is None:
            return 0.0
        return float(np.sort(self._vectors @ vector)[-NEAREST:].mean())
