"""Answers that are remembered: in this process, and for all replicas where there is Redis."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from endy import __version__
from endy.ask.cache import AnswerCache, CacheKey
from endy.ask.models import Answer
from endy.storage.redis import RedisAway, RedisStore

if TYPE_CHECKING:
    from redis.asyncio import Redis

FLIGHT_SECONDS = 5.0
"""A replica that writes an answer and falls silent is waited for so long."""

LOOK_EVERY = 0.05
LONGEST_WAIT = 30.0

_answer = TypeAdapter(Answer)
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_PROLONG = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"


class Answers:
    """Two levels: the process's own cache, then Redis; each answer is kept for `seconds`."""

    def __init__(self, seconds: float, store: RedisStore | None = None) -> None:
        self._local: AnswerCache[Answer] = AnswerCache(seconds)
        self.seconds = seconds
        self._store = store

    async def get(self, key: CacheKey) -> Answer | None:
        found = self._local.get(key)
        if found is None and self._store is not None:
            found = await self._shared(self._store, key)
        return found

    async def put(self, key: CacheKey, answer: Answer) -> None:
        self._local.put(key, answer)
        if self._store is None or self.seconds < 1:
            return
        place = self._place(self._store, "answer", key)
        sealed = self._store.seal(place, _answer.dump_json(answer))
        with suppress(RedisAway):
            await self._store.call("answer_cache", lambda redis: redis.set(place, sealed, ex=int(self.seconds)))

    @asynccontextmanager
    async def flight(self, key: CacheKey) -> AsyncIterator[Answer | None]:
        """For expensive answers: None if it is for this replica to find the answer, else another replica's answer.

        One replica at a time flies; when it gives up or is killed, one that waits goes on.
        """
        if self._store is None:
            yield None
            return
        token, place = secrets.token_hex(8), self._place(self._store, "flight", key)
        flying: asyncio.Task[None] | None = None
        try:
            found = await self._take_off_or_wait(self._store, key, place, token)
            if found is None:
                flying = asyncio.create_task(_stay(self._store, place, token))
            yield found
        finally:
            if flying is not None:
                flying.cancel()
                await asyncio.wait((flying,))
            # Whoever leaves while taking off may hold the lock, too.
            with suppress(RedisAway):
                await self._store.call("single_flight", lambda redis: redis.eval(_RELEASE, 1, place, token))

    async def _take_off_or_wait(self, store: RedisStore, key: CacheKey, place: str, token: str) -> Answer | None:
        ends = asyncio.get_running_loop().time() + LONGEST_WAIT
        milliseconds = int(FLIGHT_SECONDS * 1000)

        async def take(redis: "Redis") -> bool:
            return bool(await redis.set(place, token, px=milliseconds, nx=True))

        with suppress(RedisAway):
            while not await store.call("single_flight", take):
                if asyncio.get_running_loop().time() > ends:
                    return None
                await asyncio.sleep(LOOK_EVERY)
                found = await self._shared(store, key)
                if found is not None:
                    return found
            # The one before may have landed between the last look and this take-off.
            return await self._shared(store, key)
        return None

    async def _shared(self, store: RedisStore, key: CacheKey) -> Answer | None:
        place = self._place(store, "answer", key)

        async def look(redis: "Redis") -> tuple[bytes | None, int]:
            both = redis.pipeline(transaction=False)
            both.get(place)
            both.pttl(place)
            sealed, milliseconds = await both.execute()
            return sealed, milliseconds

        try:
            sealed, milliseconds = await store.call("answer_cache", look)
            text = store.unseal(place, sealed) if sealed else None
            found = _answer.validate_json(text) if text else None
        except (RedisAway, ValidationError):
            return None
        if found is not None:
            self._local.put(key, found, milliseconds / 1000)
        return found

    def _place(self, store: RedisStore, kind: str, key: CacheKey) -> str:
        # Another release may write other answers to the same question.
        named = [__version__, key.question, key.turns, key.category, sorted(key.audiences), key.knowledge_version]
        return store.key(kind, json.dumps([*named, key.model], ensure_ascii=False))


async def _stay(store: RedisStore, place: str, token: str) -> None:
    while True:
        await asyncio.sleep(FLIGHT_SECONDS / 3)
        with suppress(RedisAway):
            await store.call(
                "single_flight",
                lambda redis: redis.eval(_PROLONG, 1, place, token, str(int(FLIGHT_SECONDS * 1000))),
            )
