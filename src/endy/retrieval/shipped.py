"""Vectors of texts that never change, shipped with the package so that a first start need not make them."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from endy.retrieval.vectors import Matrix

Encode = Callable[[Sequence[str]], Matrix]


def text_vectors(texts: Sequence[str], shipped: Path, model: str, encode: Encode) -> Matrix:
    """Unit vectors, shape (texts, dimensions): read where shipped for this model and text, else made now."""
    known = _read(shipped, model)
    missing = [text for text in dict.fromkeys(texts) if _key(text) not in known]
    if missing:
        known |= dict(zip(map(_key, missing), encode(missing), strict=True))
    return np.stack([known[_key(text)] for text in texts]).astype(np.float32)


def shipped_for(texts: Sequence[str], path: Path, model: str) -> bool:
    """Whether the file holds every text for this model."""
    return _read(path, model).keys() >= set(map(_key, texts))


def ship_vectors(texts: Sequence[str], path: Path, model: str, encode: Encode) -> None:
    """Write the file that `text_vectors` reads, eight bits a dimension."""
    vectors = encode(texts)
    codes = np.round(vectors / np.abs(vectors).max(axis=1, keepdims=True) * 127).astype(np.int8)
    keys = np.array([_key(text) for text in texts])
    np.savez_compressed(path, model=np.array(model), texts=keys, codes=codes)


def _read(path: Path, model: str) -> dict[str, Matrix]:
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as data:
        if str(data["model"]) != model:
            return {}
        vectors = data["codes"].astype(np.float32)
        keys = data["texts"].tolist()
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return dict(zip(keys, vectors, strict=True))


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
