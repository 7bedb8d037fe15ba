"""What calls cost, counted for all replicas together."""

import asyncio
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING

from endy.llm.budget import Caps, MemoryLedger, Reservation
from endy.storage.redis import RedisAway, RedisStore

if TYPE_CHECKING:
    from redis.asyncio import Redis

KEPT_SECONDS = 2 * 24 * 3600

# Fields of a day's hash: krw, tokens, and per user `c:<user>` (calls) and `t:<user>` (tokens). 0 is no cap.
_RESERVE = """
local krw, tokens, user = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local function used(field) return tonumber(redis.call('HGET', KEYS[1], field) or '0') end
local function passes(amount, cap) return tonumber(cap) > 0 and amount > tonumber(cap) end
if passes(used('krw') + krw, ARGV[4]) or passes(used('tokens') + tokens, ARGV[5]) then return 0 end
if user ~= '' then
  if passes(used('c:' .. user) + 1, ARGV[6]) or passes(used('t:' .. user) + tokens, ARGV[7]) then return 0 end
  redis.call('HINCRBY', KEYS[1], 'c:' .. user, 1)
  redis.call('HINCRBY', KEYS[1], 't:' .. user, tokens)
end
redis.call('HINCRBYFLOAT', KEYS[1], 'krw', ARGV[1])
redis.call('HINCRBY', KEYS[1], 'tokens', tokens)
redis.call('EXPIRE', KEYS[1], ARGV[8])
return 1
"""
_SETTLE = """
local krw, tokens, user = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local function add(field, amount)
  local sum = math.max(0, tonumber(redis.call('HGET', KEYS[1], field) or '0') + amount)
  redis.call('HSET', KEYS[1], field, string.format('%.6f', sum))
end
local function count(field, amount)
  local sum = math.max(0, tonumber(redis.call('HGET', KEYS[1], field) or '0') + amount)
  redis.call('HSET', KEYS[1], field, string.format('%d', sum))
end
add('krw', krw)
count('tokens', tokens)
if user ~= '' then
  count('t:' .. user, tokens)
  if ARGV[4] == '0' then count('c:' .. user, -1) end
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 1
"""


class RedisLedger:
    """A Ledger in Redis; while that is away it counts in this process, so that a cap holds per replica."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self._local = MemoryLedger()
        self._local_ones: dict[int, Reservation] = {}
        self._giving: set[asyncio.Task[None]] = set()

    async def reserve(self, reservation: Reservation, caps: Caps) -> bool:
        reserving = asyncio.create_task(self._reserve(reservation, caps))
        try:
            return await asyncio.shield(reserving)
        except asyncio.CancelledError:
            # Whoever leaves in this moment would leave money set aside that nobody settles.
            giving = asyncio.create_task(self._give_back(reserving, reservation))
            self._giving.add(giving)
            giving.add_done_callback(self._giving.discard)
            raise

    async def _give_back(self, reserving: asyncio.Task[bool], reservation: Reservation) -> None:
        if await reserving:
            await self.settle(reservation, 0.0, 0, called=False)

    async def _reserve(self, reservation: Reservation, caps: Caps) -> bool:
        amounts = (caps.daily_krw, caps.daily_tokens, caps.user_calls, caps.user_tokens)
        told = (reservation.krw, reservation.tokens, self._user(reservation), *amounts, KEPT_SECONDS)

        async def run(redis: "Redis") -> bool:
            return bool(await redis.eval(_RESERVE, 1, self._day(reservation.day), *map(str, told)))

        try:
            return await self._store.call("llm_budget", run)
        except RedisAway:
            allowed = await self._local.reserve(reservation, caps)
            if allowed:
                self._local_ones[id(reservation)] = reservation
            return allowed

    async def settle(self, reservation: Reservation, krw: float, tokens: int, *, called: bool) -> None:
        if self._local_ones.pop(id(reservation), None) is not None:
            await self._local.settle(reservation, krw, tokens, called=called)
            return
        spent = (krw - reservation.krw, tokens - reservation.tokens, self._user(reservation), int(called))

        async def run(redis: "Redis") -> None:
            told = map(str, (*spent, KEPT_SECONDS))
            await redis.eval(_SETTLE, 1, self._day(reservation.day), *told)

        # While Redis is away what was reserved stays counted: rather too much than too little.
        with suppress(RedisAway):
            await self._store.call("llm_budget", run)

    async def spent(self, day: date) -> float:
        async def run(redis: "Redis") -> float:
            return float(await redis.hget(self._day(day), "krw") or 0.0)

        try:
            return await self._store.call("llm_budget", run)
        except RedisAway:
            return await self._local.spent(day)

    def _user(self, reservation: Reservation) -> str:
        return self._store.name("llm", reservation.user_key) if reservation.user_key else ""

    def _day(self, day: date) -> str:
        return self._store.key("llm", day.isoformat())
