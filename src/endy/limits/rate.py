"""Rate limits: so many questions a minute and an hour per asker, counted over a moving window."""

import math
import time
from dataclasses import dataclass
from typing import Protocol

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter


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


class MemoryRateLimiter:
    """For one process; keys that have been quiet for an hour are forgotten."""

    def __init__(self, per_minute: int, per_hour: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._items: tuple[RateLimitItem, ...] = (RateLimitItemPerMinute(per_minute), RateLimitItemPerHour(per_hour))

    async def hit(self, key: str) -> RateState:
        # All limits are tested before any is counted: a refused call must not use up the other window.
        for item in self._items:
            if not await self._limiter.test(item, key):
                return await self._state(item, key, allowed=False)
        for item in self._items:
            if not await self._limiter.hit(item, key):
                return await self._state(item, key, allowed=False)
        states = [await self._state(item, key, allowed=True) for item in self._items]
        return min(states, key=lambda state: state.remaining)

    async def _state(self, item: RateLimitItem, key: str, *, allowed: bool) -> RateState:
        window = await self._limiter.get_window_stats(item, key)
        reset = max(1, math.ceil(window.reset_time - time.time()))
        return RateState(allowed, item.amount, window.remaining if allowed else 0, reset)
