"""Rate limits: so many questions a minute and an hour per asker, counted over a moving window."""

import math
import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

MINUTE = 60.0
HOUR = 3600.0
MOST_ASKERS = 100_000


@dataclass(frozen=True, slots=True)
class RateState:
    """The tightest limit after a call was counted; `reset` is in whole seconds from now, at least 1."""

    allowed: bool
    limit: int
    remaining: int
    reset: int


class RateLimiter(Protocol):
    """Counts a call for a key; exactly `limit` calls of any number at once pass."""

    async def hit(self, key: str) -> RateState: ...

    async def forgive(self, key: str) -> None:
        """Take the key's last call back."""


@dataclass(frozen=True, slots=True)
class _Window:
    limit: int
    seconds: float

    def state(self, calls: "array[float]", now: float) -> RateState:
        """How this window stands at `now`; `calls` are times, oldest first."""
        oldest = bisect_right(calls, now - self.seconds)
        used = len(calls) - oldest
        free_in = calls[oldest] + self.seconds - now if used else self.seconds
        return RateState(used < self.limit, self.limit, max(0, self.limit - used), max(1, math.ceil(free_in)))


class MemoryRateLimiter:
    """For one process. Who has been quiet for an hour is forgotten, and of too many askers the quietest.

    Nothing is awaited between looking and counting, and a call costs the same however many askers there are.
    """

    def __init__(self, per_minute: int, per_hour: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._windows = (_Window(per_minute, MINUTE), _Window(per_hour, HOUR))
        self._clock = clock
        # Ordered by the last call: whoever has been quiet the longest is in front.
        self._calls: OrderedDict[str, array[float]] = OrderedDict()

    @property
    def askers(self) -> int:
        """How many are remembered."""
        return len(self._calls)

    async def hit(self, key: str) -> RateState:
        now = self._clock()
        self._forget(now)
        calls = self._calls.get(key, array("d"))
        del calls[: bisect_right(calls, now - HOUR)]
        refused = [state for window in self._windows if not (state := window.state(calls, now)).allowed]
        if refused:
            return max(refused, key=lambda state: state.reset)
        calls.append(now)
        self._calls[key] = calls
        self._calls.move_to_end(key)
        tightest = min((window.state(calls, now) for window in self._windows), key=lambda state: state.remaining)
        return RateState(True, tightest.limit, tightest.remaining, tightest.reset)

    async def forgive(self, key: str) -> None:
        calls = self._calls.get(key)
        if calls:
            calls.pop()
            if not calls:
                del self._calls[key]

    def _forget(self, now: float) -> None:
        while self._calls:
            key, calls = next(iter(self._calls.items()))
            if calls[-1] > now - HOUR and len(self._calls) <= MOST_ASKERS:
                return
            del self._calls[key]
