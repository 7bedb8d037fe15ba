"""The budget of all replicas together: never passed, and kept while Redis is away."""

import asyncio
import hashlib
from contextlib import suppress
from datetime import date

from endy.llm.budget import Caps, MemoryLedger, Reservation
from endy.llm.ledger import RedisLedger
from tests.redis_server import RedisServer
from tests.storage.test_redis import Watched

TODAY = date(2026, 11, 23)


async def test_it_counts_as_one_process_does(redis_server: RedisServer) -> None:
    """The same reservations are allowed, and the same sums stand, as in memory."""
    watched = Watched(redis_server.url)
    ledgers = [MemoryLedger(), RedisLedger(watched.store)]
    caps = Caps(daily_krw=100.0, user_calls=3, daily_tokens=5000, user_tokens=2500)
    outcomes: list[list[object]] = []
    for ledger in ledgers:
        told: list[object] = []
        for number, (user, krw, tokens, cost) in enumerate(
            [("a", 10.5, 800, 3.25), ("a", 10.0, 900, 0.0), ("b", 70.0, 1000, 70.0), ("a", 20.0, 100, 1.0),
             ("a", 1.0, 2000, 0.5), (None, 30.0, 10, 1.0), ("a", 1.0, 100, 1.0), ("c", 1.0, 9000, 0.0)]
        ):  # fmt: skip
            reservation = Reservation(TODAY, user, krw, tokens)
            allowed = await ledger.reserve(reservation, caps)
            told.append(allowed)
            if allowed and number % 2 == 0:
                await ledger.settle(reservation, cost, tokens // 2, called=bool(cost))
            told.append(round(await ledger.spent(TODAY), 6))
        outcomes.append(told)
    assert outcomes[0] == outcomes[1]
    await watched.store.aclose()


async def test_many_at_once_never_pass_a_cap(redis_server: RedisServer) -> None:
    """A hundred reservations over two replicas: exactly as many as the day's money allows."""
    watched = Watched(redis_server.url)
    ledgers = [RedisLedger(watched.store) for _ in range(2)]
    calls = (ledgers[n % 2].reserve(Reservation(TODAY, "a", 7.0, 10), Caps(daily_krw=100.0)) for n in range(100))
    assert sum(await asyncio.gather(*calls)) == 14
    assert abs(await ledgers[0].spent(TODAY) - 98.0) < 1e-6
    await watched.store.aclose()


async def test_whoever_leaves_leaves_no_money_set_aside(redis_server: RedisServer) -> None:
    """A reservation that is broken off at any moment counts for nothing in the end."""
    watched = Watched(redis_server.url)
    ledger = RedisLedger(watched.store)
    kept = 0
    for number in range(100):
        reserving = asyncio.create_task(ledger.reserve(Reservation(TODAY, "a", 1.0, 10), Caps(daily_krw=1000.0)))
        await asyncio.sleep(0.00003 * (number % 20))
        reserving.cancel()
        with suppress(asyncio.CancelledError):
            kept += await reserving
    for _ in range(200):
        if await ledger.spent(TODAY) == kept:
            break
        await asyncio.sleep(0.01)
    assert await ledger.spent(TODAY) == kept
    (day,) = redis_server.client.keys("*")
    assert {int(value) for field, value in redis_server.client.hgetall(day).items() if field[:2] == b"c:"} <= {kept}
    await watched.store.aclose()


async def test_nobody_can_be_recognised(redis_server: RedisServer) -> None:
    """Employee numbers are few, so not even their hashes are told without the secret; and a day is forgotten."""
    watched = Watched(redis_server.url)
    user = hashlib.sha256(b"user:2024001").hexdigest()
    assert await RedisLedger(watched.store).reserve(Reservation(TODAY, user, 1.0, 10), Caps())
    (day,) = redis_server.client.keys("*")
    assert all(user.encode() not in field for field in redis_server.client.hgetall(day))
    assert 0 < redis_server.client.ttl(day) <= 2 * 24 * 3600
    await watched.store.aclose()


async def test_while_redis_is_away_a_replica_counts_alone(own_redis: RedisServer) -> None:
    """A cap still holds, and what was reserved here is settled here."""
    watched = Watched(own_redis.url)
    ledger = RedisLedger(watched.store)
    own_redis.stop()
    reservations = [Reservation(TODAY, "a", 40.0, 10) for _ in range(3)]
    allowed = [await ledger.reserve(each, Caps(daily_krw=100.0)) for each in reservations]
    assert allowed == [True, True, False]
    own_redis.start()
    watched.clock.ahead += 3
    await ledger.settle(reservations[0], 5.0, 1, called=True)
    assert await ledger.spent(TODAY) == 0.0
    assert await ledger._local.spent(TODAY) == 45.0
    await watched.store.aclose()
