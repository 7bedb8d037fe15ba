"""What sharing through Redis costs: `python -m benchmarks.sharing`. Redis and Endy run on this machine.

A limiter's call and a remembered answer, in this process and in Redis, one at a time; then remembered answers a second
over HTTP without and with REDIS_URL, in turns, so that both see the same machine.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console
from rich.table import Table
from tests.redis_server import RedisServer

from benchmarks.speed import _rate, endy, golden_questions
from endy.ask.answers import Answers
from endy.ask.cache import CacheKey
from endy.ask.models import Answer, Source
from endy.limits.rate import MemoryRateLimiter
from endy.limits.redis import RedisRateLimiter
from endy.storage.redis import RedisStore

CALLS = 2000
ROUNDS = 2
KEY = CacheKey("연차 이월", (), None, frozenset({"hr"}), 7, "extractive")
SOURCE = Source("faq:1", 1, "연차", ("휴가", "연차"), "faq.json", "", "남은 연차는 5일까지 넘겨요. " * 20, "", 0.5)
ANSWER = Answer(
    "5일까지 넘겨요. " * 20, "<p>5일까지 넘겨요.</p>" * 10, "answered", "extractive", "q", "c", "HR", "P&C팀", "3100",
    "", 0.9, (SOURCE,) * 5, ("언제까지 신청해요?",) * 5, 0.1,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="duration of each rate measurement")
    options = parser.parse_args()
    table = Table("무엇", "이 프로세스", "Redis", title="Redis로 함께 쓰는 값")
    server = RedisServer()
    server.start()
    try:
        for name, here, shared in asyncio.run(_calls(server.url)):
            table.add_row(name, *(" / ".join(f"{np.percentile(t, p):.3f}" for p in (50, 95)) for t in (here, shared)))
        without, with_redis = _rates(server.url, options.seconds)
        table.add_row("캐시된 답 (건/s)", f"{without:.0f}", f"{with_redis:.0f}")
    finally:
        server.stop()
    Console(width=100).print(table)


async def _calls(url: str) -> list[tuple[str, list[float], list[float]]]:
    """Milliseconds of each call, by what was called."""
    store = RedisStore(url, "secret", print)
    local, shared = MemoryRateLimiter(10, 100), RedisRateLimiter(store, "rate_limit", "ask", 10, 100)
    remembered, first = Answers(3600), Answers(3600, store)
    await remembered.put(KEY, ANSWER)
    await first.put(KEY, ANSWER)
    told = [
        ("한도 한 번, p50 / p95 (ms)", await _timed(lambda: local.hit("a")), await _timed(lambda: shared.hit("a"))),
        (
            "기억한 답 읽기, p50 / p95 (ms)",
            await _timed(lambda: remembered.get(KEY)),
            # A new one each time: what this process knows it would not look for.
            await _timed(lambda: Answers(3600, store).get(KEY)),
        ),
    ]
    await store.aclose()
    return told


async def _timed(call: Callable[[], Awaitable[object]]) -> list[float]:
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await call()
        times.append((time.perf_counter() - began) * 1000)
    return times


def _rates(url: str, seconds: float) -> tuple[float, float]:
    """The best of some rounds each."""
    rates: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for redis in ("", url):
                with endy(Path(folder), EMBEDDINGS="none", REDIS_URL=redis) as server:
                    rate = asyncio.run(_rate(server.port, golden_questions()[:1], seconds))
                    rates[redis] = max(rate, rates.get(redis, 0.0))
    return rates[""], rates[url]


if __name__ == "__main__":
    main()
