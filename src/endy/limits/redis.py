"""Rate limits that all replicas share."""

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from endy.limits.rate import MemoryRateLimiter, RateState
from endy.storage.redis import RedisAway, RedisStore, Use

if TYPE_CHECKING:
    from redis.asyncio import Redis

# The same arithmetic as MemoryRateLimiter, in one step. Redis's own time is one for all replicas.
_HIT = """
local now = tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local windows = {{tonumber(ARGV[1]), 60}, {tonumber(ARGV[2]), 3600}}
local function text(moment) return string.format('%.6f', moment) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - 3600))
local function look(window, added)
  local after = '(' .. text(now - window[2])
  local used = redis.call('ZCOUNT', KEYS[1], after, '+inf')
  local first = redis.call('ZRANGEBYSCORE', KEYS[1], after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local free = window[2]
  if used > 0 then free = tonumber(first[2]) + window[2] - now end
  return {used < window[1] and 1 or 0, window[1], math.max(0, window[1] - used), math.max(1, math.ceil(free))}
end
local worst
for _, window in ipairs(windows) do
  local state = look(window)
  if state[1] == 0 and (not worst or state[4] > worst[4]) then worst = state end
end
if worst then return worst end
redis.call('ZADD', KEYS[1], text(now), ARGV[4])
redis.call('EXPIRE', KEYS[1], 3600)
local tightest
for _, window in ipairs(windows) do
  local state = look(window)
  if not tightest or state[3] < tightest[3] then tightest = state end
end
tightest[1] = 1
return tightest
"""


class RedisRateLimiter:
    """Counts in Redis; while that is away, in this process."""

    def __init__(
        self, store: RedisStore, use: Use, name: str, per_minute: int, per_hour: int,
        clock: Callable[[], float] | None = None,
    ) -> None:  # fmt: skip
        """`name` tells limiters of the same use apart; `clock` gives seconds in place of Redis's time."""
        self._store = store
        self._use: Use = use
        self._name = name
        self._limits = (per_minute, per_hour)
        self._clock = clock
        self._local = MemoryRateLimiter(per_minute, per_hour)

    async def hit(self, key: str) -> RateState:
        now = "" if self._clock is None else f"{self._clock():.6f}"
        # Two calls in the same microsecond, at whichever replica, are two members.
        arguments = (*map(str, self._limits), now, secrets.token_hex(8))
        place = self._store.key("rate", self._use, self._name, key)

        async def count(redis: "Redis") -> RateState:
            allowed, limit, remaining, reset = await redis.eval(_HIT, 1, place, *arguments)
            return RateState(bool(allowed), int(limit), int(remaining), int(reset))

        try:
            return await self._store.call(self._use, count)
        except RedisAway:
            return await self._local.hit(key)

    async def forgive(self, key: str) -> None:
        place = self._store.key("rate", self._use, self._name, key)
        try:
            await self._store.call(self._use, lambda redis: redis.zpopmax(place))
        except RedisAway:
            await self._local.forgive(key)
