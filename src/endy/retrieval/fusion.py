"""Fusion: one relevance score from all channels, trusting each as far as this question allows.

The score is bilinear, s = f' W c, in a section's features f (see `evidence.FEATURES`) and the question's
context c: how well words alone can cover it, how long it is, whether vectors exist. W was fitted with a
listwise softmax loss (Cao et al., 2007); `benchmarks/fit.py` does it and says on what.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.evidence import FEATURES, Evidence
from endy.retrieval.pool import Scores

FUSION_FILE = Path(__file__).parent / "data" / "fusion.json"

CONTEXT = ("always", "words_cover", "unknown", "short", "foreign")


def context(evidence: Evidence) -> Scores:
    """The question's context, shape (len(CONTEXT),), each value in 0-1."""
    query, words = evidence.query, evidence.words
    unknown = float(words.rarity[~words.known].sum()) / words.total if len(words.known) else 1.0
    content = [term for term in query.terms if not term.generic]
    foreign = bool(content) and all(term.text.isascii() for term in content)
    cover = float(evidence.features[:, 0].max()) if len(evidence.features) else 0.0
    return np.array([1.0, cover, unknown, 1.0 / max(len(content), 1), float(foreign)], np.float32)


@dataclass(frozen=True)
class Fusion:
    """`weights` has shape (features, context); `scale` divides features that are not shares."""

    weights: NDArray[np.float32]
    lexical_weights: NDArray[np.float32]
    """The same for questions without vectors: dense channels are absent, not zero."""

    @classmethod
    def shipped(cls) -> "Fusion":
        return cls.from_json(json.loads(FUSION_FILE.read_text(encoding="utf-8")))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Fusion":
        if tuple(data["features"]) != FEATURES or tuple(data["context"]) != CONTEXT:
            raise ValueError("fusion.json was fitted for other features; run make fit")
        return cls(np.array(data["weights"], np.float32), np.array(data["lexical_weights"], np.float32))

    @cached_property
    def size(self) -> int:
        return int(self.weights.size)

    def channel_weights(self, evidence: Evidence) -> Scores:
        """What each channel is worth for this question, shape (features,)."""
        weights = self.weights if evidence.dense is not None else self.lexical_weights
        return np.asarray(weights @ context(evidence), np.float32)

    def scores(self, evidence: Evidence) -> Scores:
        """One score per candidate; only differences within a question mean anything."""
        return np.asarray(evidence.features @ self.channel_weights(evidence), np.float32)
