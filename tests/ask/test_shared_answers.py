"""Answers that replicas share: found once, written once, and never taken from whoever else writes into Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from endy.ask.answers import FLIGHT_SECONDS, Answers
from endy.ask.cache import CacheKey
from endy.ask.models import Answer, Source
from endy.storage.redis import RedisStore
from tests.redis_server import RedisServer
from tests.storage.test_redis import SECRET

SOURCE = Source("faq:1", 1, "연차", ("휴가", "연차"), "faq.json", "", "5일까지 넘겨요.", "2026-11-01", 0.5)
ANSWER = Answer(
    "5일까지 넘겨요. [1]", "<p>5일까지 넘겨요.</p>", "answered", "llm", "q", "c", "HR", "P&C팀", "3100", "", 0.9,
    (SOURCE,), ("언제까지 신청해요?",), 0.1,
)  # fmt: skip
KEY = CacheKey("연차 이월", (), None, frozenset({"admin", "hr"}), 7, "model")

Replica = Callable[..., Answers]


@pytest.fixture
async def stores() -> AsyncIterator[list[RedisStore]]:
    opened: list[RedisStore] = []
    yield opened
    for store in opened:
        await store.aclose()


@pytest.fixture
def replica(redis_server: RedisServer, stores: list[RedisStore]) -> Replica:
    """Each call is another replica with its own connections."""

    def make(seconds: float = 60.0, secret: str = SECRET, url: str = redis_server.url) -> Answers:
        stores.append(RedisStore(url, secret, lambda _: None))
        return Answers(seconds, stores[-1])

    return make


async def test_what_one_has_answered_the_other_knows_whole(replica: Replica) -> None:
    """Every field comes back as it was, tuples included; other audiences, versions and models are other answers."""
    await replica().put(KEY, ANSWER)
    other = replica()
    assert await other.get(KEY) == ANSWER
    for changed in (
        replace(KEY, audiences=frozenset({"hr"})),
        replace(KEY, knowledge_version=8),
        replace(KEY, model="another"),
        replace(KEY, turns=("앞 질문",)),
        replace(KEY, category="HR"),
    ):
        assert await other.get(changed) is None


async def test_an_answer_gets_no_younger_on_its_way(replica: Replica, redis_server: RedisServer) -> None:
    """Whoever finds it late forgets it when it was to be forgotten."""
    await replica().put(KEY, ANSWER)
    (place,) = redis_server.client.keys("endy:1:answer:*")
    redis_server.client.pexpire(place, 300)
    other = replica()
    assert await other.get(KEY) == ANSWER
    await asyncio.sleep(0.35)
    assert await other.get(KEY) is None


async def test_only_our_own_answers_to_this_question_count(replica: Replica, redis_server: RedisServer) -> None:
    """Somebody with another secret, or who copies an answer to another key, is not believed."""
    secretly = replace(KEY, audiences=frozenset())
    await replica().put(KEY, ANSWER)
    (place,) = redis_server.client.keys("endy:1:answer:*")
    sealed = redis_server.client.get(place)
    assert sealed
    await replica().put(secretly, ANSWER)
    (elsewhere,) = set(redis_server.client.keys("endy:1:answer:*")) - {place}
    redis_server.client.set(elsewhere, sealed, ex=60)
    assert await replica().get(secretly) is None
    redis_server.client.set(place, sealed.replace(b"3100", b"3199"), ex=60)
    assert await replica().get(KEY) is None
    redis_server.client.set(place, sealed, ex=60)
    assert await replica().get(KEY) == ANSWER
    assert await replica(secret="another").get(KEY) is None


async def test_a_long_flight_keeps_its_lock_and_the_others_get_its_answer(
    replica: Replica, redis_server: RedisServer
) -> None:
    """The lock is prolonged while the answer is written; who waited writes nothing."""
    first, second = replica(), replica()
    waited: list[Answer | None] = []

    async def wait() -> None:
        async with second.flight(KEY) as landed:
            waited.append(landed)

    async with first.flight(KEY) as landed:
        assert landed is None
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(FLIGHT_SECONDS / 2)
        (place,) = redis_server.client.keys("endy:1:flight:*")
        left = redis_server.client.pttl(place)
        assert left > 1000 * FLIGHT_SECONDS * 0.6
        assert waited == []
        await first.put(KEY, ANSWER)
    await asyncio.wait_for(waiting, 2)
    assert waited == [ANSWER]
    assert redis_server.client.keys("endy:1:flight:*") == []


@pytest.mark.parametrize("how", ["error", "cancelled"])
async def test_a_flight_that_fails_is_taken_over_at_once(replica: Replica, redis_server: RedisServer, how: str) -> None:
    """Whoever waits does not have to wait for the lock to run out."""
    first, second = replica(), replica()
    flies = asyncio.Event()

    async def fail() -> None:
        async with first.flight(KEY):
            flies.set()
            await asyncio.sleep(0.3 if how == "error" else 60)
            raise ValueError("no answer")

    failing = asyncio.create_task(fail())
    await flies.wait()
    if how == "cancelled":
        asyncio.get_running_loop().call_later(0.3, failing.cancel)
    began = time.monotonic()
    async with second.flight(KEY) as landed:
        assert landed is None
    assert 0.2 < time.monotonic() - began < 1.5
    with suppress(ValueError, asyncio.CancelledError):
        await failing


async def test_nobody_frees_another_ones_lock(replica: Replica, redis_server: RedisServer) -> None:
    """A replica that was so slow that its lock ran out leaves the next one's alone."""
    async with replica().flight(KEY):
        (place,) = redis_server.client.keys("endy:1:flight:*")
        redis_server.client.set(place, "the next one", px=5000)
    assert redis_server.client.get(place) == b"the next one"


async def test_whoever_leaves_at_any_moment_leaves_no_lock(replica: Replica, redis_server: RedisServer) -> None:
    """Cancelled before, while or after taking off: the next one flies at once."""
    first = replica()

    async def fly() -> None:
        async with first.flight(KEY):
            await asyncio.sleep(60)

    for number in range(60):
        task = asyncio.create_task(fly())
        await asyncio.sleep(0.00005 * number)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert redis_server.client.keys("endy:1:flight:*") == []


async def test_when_redis_goes_whoever_waits_writes_the_answer(replica: Replica, own_redis: RedisServer) -> None:
    """One call per replica is the price of an outage, not an error and not a wait."""
    first, second = replica(url=own_redis.url), replica(url=own_redis.url)
    async with first.flight(KEY) as landed:
        assert landed is None
        asyncio.get_running_loop().call_later(0.3, own_redis.stop)
        began = time.monotonic()
        async with second.flight(KEY) as also:
            assert also is None
        assert time.monotonic() - began < 1.5
        await first.put(KEY, ANSWER)
    assert await first.get(KEY) == ANSWER
