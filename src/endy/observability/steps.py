"""The steps of an answer: how long each took, for the log of slow questions, and as spans where tracing is on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from endy.observability import tracing

_steps: ContextVar[dict[str, float] | None] = ContextVar("steps", default=None)


def begin() -> dict[str, float]:
    """Time the steps of this task and of those that it starts: seconds by name, filled while they end."""
    times: dict[str, float] = {}
    _steps.set(times)
    return times


@contextmanager
def step(name: str) -> Iterator[None]:
    """Something that an answer needs time for; the same step twice counts together."""
    started = time.perf_counter()
    try:
        with tracing.span(name):
            yield
    finally:
        took(name, time.perf_counter() - started)


def took(name: str, seconds: float) -> None:
    """A step that is measured elsewhere."""
    times = _steps.get()
    if times is not None:
        times[name] = times.get(name, 0.0) + seconds
