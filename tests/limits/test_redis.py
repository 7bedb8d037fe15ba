"""Shared rate limits: the same answers as one process gives, counted once for all replicas."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endy.limits.rate import MemoryRateLimiter
from endy.limits.redis import RedisRateLimiter
from endy.storage.redis import REST_SECONDS, RedisStore
from tests.redis_server import RedisServer
from tests.storage.test_redis import Watched

PASSES = st.lists(
    st.one_of(
        st.tuples(st.just("hit"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("forgive"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 7.25, 30.0, 61.0, 1800.5])),
    ),
    max_size=60,
)


@pytest.fixture
async def watched(redis_server: RedisServer) -> AsyncIterator[Watched]:
    watched = Watched(redis_server.url)
    yield watched
    await watched.store.aclose()


def limiter(store: RedisStore, per_minute: int = 10, per_hour: int = 100) -> RedisRateLimiter:
    return RedisRateLimiter(store, "rate_limit", "ask", per_minute, per_hour)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=PASSES)
def test_it_counts_as_one_process_does(running_redis: RedisServer, steps: list[tuple[str, str | float]]) -> None:
    """Any sequence of calls, takings back and pauses gives the same states as the limiter in memory."""

    async def compare() -> None:
        running_redis.client.flushall()
        now = [1_000_000.0]
        watched = Watched(running_redis.url)
        shared = RedisRateLimiter(watched.store, "rate_limit", "ask", 3, 5, clock=lambda: now[0])
        local = MemoryRateLimiter(3, 5, clock=lambda: now[0])
        for step, value in steps:
            if step == "wait":
                now[0] += float(value)
            elif step == "hit":
                now[0] += 0.001
                assert await shared.hit(str(value)) == await local.hit(str(value))
            else:
                await shared.forgive(str(value))
                await local.forgive(str(value))
        await watched.store.aclose()

    asyncio.run(compare())


async def test_exactly_ten_of_two_hundred_pass_over_four_replicas(watched: Watched) -> None:
    """All at once, whoever gets the call."""
    replicas = [limiter(watched.store) for _ in range(4)]
    states = await asyncio.gather(*(replicas[number % 4].hit("10.0.0.1") for number in range(200)))
    assert sum(state.allowed for state in states) == 10
    assert watched.fallbacks == {}
    refused = next(state for state in states if not state.allowed)
    assert (refused.limit, refused.remaining) == (10, 0)
    assert 55 <= refused.reset <= 60


async def test_without_redis_a_replica_counts_alone_and_with_it_they_share_again(own_redis: RedisServer) -> None:
    """A limit always holds; what was counted meanwhile is not held against anybody later."""
    watched = [Watched(own_redis.url) for _ in range(2)]
    first, second = (limiter(each.store, 3, 100) for each in watched)
    assert (await first.hit("a")).allowed
    own_redis.stop()
    alone = [(await replica.hit("a")).allowed for replica in (first, first, first, first, second)]
    assert alone == [True, True, True, False, True]
    await first.forgive("a")
    assert (await first.hit("a")).allowed
    assert sum(each.fallbacks["rate_limit"] for each in watched) == 7
    own_redis.start()
    for each in watched:
        each.clock.ahead += REST_SECONDS
    shared = [(await replica.hit("a")).allowed for replica in (first, second, first, second)]
    assert shared == [True, True, True, False]
    for each in watched:
        await each.store.aclose()


async def test_quiet_askers_are_forgotten(redis_server: RedisServer, watched: Watched) -> None:
    """Every key ends by itself, so a shared Redis does not fill up."""
    await limiter(watched.store).hit("10.0.0.1")
    (key,) = redis_server.client.keys("*")
    assert 3500 < redis_server.client.ttl(key) <= 3600
