"""Redis: quick to notice that it is away, quiet about it, quick to notice that it is back, and never mixed up."""

import asyncio
import time
from collections import Counter
from contextlib import suppress

import pytest
import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as LostConnection

from endy.errors import StartupError
from endy.storage.redis import REST_SECONDS, RedisAway, RedisStore
from tests.redis_server import RedisServer

SECRET = "a secret that signs keys"


class Clock:
    """The real time, and more when told to."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


class Watched:
    """A store with the fallbacks that it counted."""

    def __init__(self, url: str) -> None:
        self.fallbacks: Counter[str] = Counter()
        self.clock = Clock()
        self.store = RedisStore(url, SECRET, self._count, self.clock)

    def _count(self, use: str) -> None:
        self.fallbacks[use] += 1

    async def echo(self, text: str) -> str:
        return (await self.store.call("answer_cache", lambda redis: redis.echo(text))).decode()


@pytest.mark.parametrize("url", ["http://redis:6379", "redis://redis:port/0", "redis"])
def test_an_address_that_cannot_work_stops_the_start(url: str) -> None:
    """One line that shows how to write it."""
    with pytest.raises(StartupError, match="redis://"):
        Watched(url)


async def test_keys_tell_nothing(redis_server: RedisServer) -> None:
    """Neither a question nor an employee number can be read, or tried out without the secret."""
    watched = Watched(redis_server.url)
    key = watched.store.key("rate", "user:2024001")
    assert key.startswith("endy:1:rate:")
    assert "2024001" not in key
    assert key != RedisStore(redis_server.url, "another", lambda _: None).key("rate", "user:2024001")
    assert watched.store.key("x", "a", "bc") != watched.store.key("x", "ab", "c")


def test_only_what_we_have_put_there_is_read(redis_server: RedisServer) -> None:
    """Redis may be shared: a value counts if it was sealed with our secret, for this key, and is as it was."""
    store = Watched(redis_server.url).store
    sealed = store.seal("here", b"value")
    assert store.unseal("here", sealed) == b"value"
    assert store.unseal("here", store.seal("here", b"")) == b""
    for other in (b"", b"value", sealed + b"!", sealed[:-1], b"x" + sealed[1:], sealed[:10]):
        assert store.unseal("here", other) is None
    assert store.unseal("there", sealed) is None
    assert RedisStore(redis_server.url, "another", lambda _: None).unseal("here", sealed) is None


async def test_away_costs_one_wait_and_two_lines(own_redis: RedisServer) -> None:
    """The first call notices, the others do without at once and are counted; one line as it goes, one as it comes."""
    watched = Watched(own_redis.url)
    # Many connections, each of which dies.
    assert await asyncio.gather(*(watched.echo("가") for _ in range(30))) == ["가"] * 30
    own_redis.stop()
    with structlog.testing.capture_logs() as logs:
        began = time.monotonic()
        for _ in range(200):
            with pytest.raises(RedisAway):
                await watched.echo("나")
        assert time.monotonic() - began < 1.5
        assert not await watched.store.ping()
        own_redis.start()
        watched.clock.ahead += REST_SECONDS
        assert await watched.echo("다") == "다"
        assert await asyncio.gather(*(watched.echo("라") for _ in range(60))) == ["라"] * 60
        assert await watched.store.ping()
    assert [entry["event"] for entry in logs] == ["redis_away", "redis_back"]
    assert watched.fallbacks == {"answer_cache": 200}
    await watched.store.aclose()


async def test_a_silent_server_holds_nobody_up(own_redis: RedisServer) -> None:
    """It takes connections and says nothing: a crowd waits for one call's time, the next ones not at all."""
    watched = Watched(own_redis.url)
    await watched.echo("가")
    own_redis.pause()
    began = time.monotonic()
    results = await asyncio.gather(*(watched.echo("나") for _ in range(300)), return_exceptions=True)
    first = time.monotonic() - began
    began = time.monotonic()
    with pytest.raises(RedisAway):
        await watched.echo("다")
    second = time.monotonic() - began
    own_redis.resume()
    assert all(isinstance(result, RedisAway) for result in results)
    assert first < 1.5
    assert second < 0.1
    watched.clock.ahead += REST_SECONDS
    assert await watched.echo("라") == "라"
    await watched.store.aclose()


async def test_while_it_is_away_one_call_at_a_time_tries(own_redis: RedisServer) -> None:
    """A silent server must not make a whole crowd wait again every two seconds."""
    watched = Watched(own_redis.url)
    own_redis.pause()
    with pytest.raises(RedisAway):
        await watched.echo("가")
    watched.clock.ahead += REST_SECONDS
    waited = []

    async def call() -> None:
        began = time.monotonic()
        with suppress(RedisAway):
            await watched.echo("나")
        waited.append(time.monotonic() - began)

    await asyncio.gather(*(call() for _ in range(40)))
    own_redis.resume()
    assert sum(seconds > 0.2 for seconds in waited) == 1
    await watched.store.aclose()


class Ends:
    """Work that ends when told to, well or badly."""

    def __init__(self, error: Exception | None = None) -> None:
        self.now = asyncio.Event()
        self._error = error

    async def __call__(self, _redis: "Redis") -> str:
        await self.now.wait()
        if self._error is not None:
            raise self._error
        return "done"


async def test_calls_from_before_tell_nothing_about_now(redis_server: RedisServer) -> None:
    """An answer from before an outage does not end it, and a failure from before it ended does not begin another."""
    watched = Watched(redis_server.url)
    fine, lost, lost_late = Ends(), Ends(LostConnection()), Ends(LostConnection())
    with structlog.testing.capture_logs() as logs:
        early, failing, late = (
            asyncio.create_task(watched.store.call("answer_cache", work)) for work in (fine, lost, lost_late)
        )
        await asyncio.sleep(0)
        lost.now.set()
        await asyncio.wait((failing,))
        fine.now.set()
        assert await early == "done"
        with pytest.raises(RedisAway):
            await watched.echo("가")
        watched.clock.ahead += REST_SECONDS
        assert await watched.echo("나") == "나"
        lost_late.now.set()
        await asyncio.wait((late,))
        assert await watched.echo("다") == "다"
    assert isinstance(late.exception(), RedisAway)
    assert isinstance(failing.exception(), RedisAway)
    assert [entry["event"] for entry in logs] == ["redis_away", "redis_back"]
    assert watched.fallbacks == {"answer_cache": 3}
    await watched.store.aclose()


async def test_a_wrong_password_is_away_and_never_logged() -> None:
    """Endy starts and answers; the log gives the reason without the password."""
    server = RedisServer("--requirepass", "right")
    server.start()
    watched = Watched(server.url.replace("redis://", "redis://:hunter2@"))
    with structlog.testing.capture_logs() as logs:
        assert not await watched.store.ping()
    server.stop()
    assert [entry["event"] for entry in logs] == ["redis_away"]
    assert "Auth" in logs[0]["reason"]
    assert "hunter2" not in str(logs)
    await watched.store.aclose()


async def test_whoever_is_cancelled_stops(redis_server: RedisServer) -> None:
    """At whatever step of a call: a cancellation that got lost would let an asker who has left go on asking a model."""
    watched = Watched(redis_server.url)
    for steps in range(120):
        call = asyncio.create_task(watched.echo("가"))
        for _ in range(steps % 30):
            await asyncio.sleep(0)
        if call.cancel():
            await asyncio.wait((call,))
            assert call.cancelled()
    assert await watched.echo("나") == "나"
    assert watched.fallbacks == {}
    await watched.store.aclose()


async def test_cancelled_calls_never_hand_their_answer_to_others(redis_server: RedisServer) -> None:
    """Six hundred calls, many cancelled in the middle: whoever gets an answer gets their own."""
    watched = Watched(redis_server.url)

    async def ask(number: int) -> None:
        with suppress(RedisAway):
            assert await watched.echo(f"{number}") == f"{number}"

    for start in range(0, 600, 20):
        tasks = [asyncio.create_task(ask(start + offset)) for offset in range(20)]
        await asyncio.sleep(0.0002 * (start % 7))
        for task in tasks[::2]:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
    assert await asyncio.gather(*(watched.echo(f"{n}") for n in range(50))) == [f"{n}" for n in range(50)]
    await watched.store.aclose()
