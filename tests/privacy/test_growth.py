"""Masking takes time in proportion to the text, whatever stands in it."""

import gc
import time

import pytest
from benchmarks.masking import INPUTS

from endy.privacy.masking import mask


def seconds(text: str) -> float:
    """The best of five, without collections in between."""
    times = []
    gc.disable()
    try:
        for _ in range(5):
            started = time.thread_time()
            mask(text)
            times.append(time.thread_time() - started)
    finally:
        gc.enable()
    return min(times)


@pytest.mark.parametrize("piece", INPUTS.values(), ids=INPUTS)
def test_twice_the_text_takes_about_twice_the_time(piece: str) -> None:
    """Under four times, for every input made to lead patterns astray: no backwards and forwards."""
    half = piece * (50_000 // len(piece.encode()) + 1)
    assert seconds(half * 2) < 4 * seconds(half) + 0.002
