"""Two replicas over one PostgreSQL and one Redis: to whom they talk must not matter to anybody."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from endy.ask.answers import FLIGHT_SECONDS
from endy.bootstrap import running_services
from endy.errors import StartupError
from endy.settings import Settings
from tests.llm import characters
from tests.llm.characters import saying
from tests.llm.scripted import Scripted, scripted_server
from tests.postgres import free_port
from tests.redis_server import RedisServer
from tests.web.conftest import Client, sign_in
from tests.web.test_streams import events_of

ASK = "/api/ask"
UNLIMITED = {"rate_limit_per_minute": 10_000, "rate_limit_per_hour": 10_000}
QUESTION = "연차 이월 언제까지 신청해?"


class Cluster:
    """Two replicas, called in turn."""

    def __init__(self, first: httpx.AsyncClient, second: httpx.AsyncClient) -> None:
        self.both = (first, second)

    async def ask(self, replica: int, question: str, **body: Any) -> dict[str, Any]:
        answer = await self.both[replica].post(ASK, json={"question": question, **body})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture
def cluster(client: Client, postgres_url: str) -> Any:
    @asynccontextmanager
    async def run(redis: str, **values: Any) -> AsyncIterator[Cluster]:
        shared = {"database_url": postgres_url, "redis_url": redis, **values}
        async with client(**shared) as first, client(**shared) as second:
            yield Cluster(first, second)

    return run


@pytest.fixture
def model() -> Iterator[Scripted]:
    with scripted_server() as server:
        server.play(saying(characters.faithful))
        yield server


async def test_the_eleventh_call_is_refused_whoever_gets_it(cluster: Any, redis_server: RedisServer) -> None:
    """The guide's loop, by turns: ten pass together, and the headers count down over both."""
    async with cluster(redis_server.url) as replicas:
        answers = [await replicas.both[n % 2].post(ASK, json={"question": "주차"}) for n in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers[:10]] == [
        str(left) for left in range(9, -1, -1)
    ]


async def test_of_two_hundred_at_once_ten_pass(cluster: Any, redis_server: RedisServer) -> None:
    """Not one more because they arrive at the same moment at different replicas."""
    async with cluster(redis_server.url) as replicas:
        calls = (replicas.both[n % 2].post(ASK, json={"question": "주차"}) for n in range(200))
        answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429] * 190


async def test_sessions_and_conversations_go_along(cluster: Any, redis_server: RedisServer) -> None:
    """Signed in here is signed in there, a conversation goes on there, feedback is given there, and out is out."""
    async with cluster(redis_server.url, **UNLIMITED) as replicas:
        here, there = replicas.both
        me = await sign_in(here, "2024003", "박민수")
        first = (await here.post(ASK, json={"question": "연차 이월"}, headers=me)).json()
        follow = {"question": "언제까지 신청해?", "conversation_id": first["conversation_id"]}
        second = (await there.post(ASK, json=follow, headers=me)).json()
        said = await there.post(
            "/api/feedback", json={"question_id": first["question_id"], "is_helpful": True}, headers=me
        )
        await here.post("/api/logout", headers=me)
        after = await there.get("/api/me", headers=me)
    assert second["conversation_id"] == first["conversation_id"]
    assert "12월 10일" in second["answer"]
    assert said.status_code == 200
    assert after.status_code == 401


async def test_guessing_is_slowed_over_all_replicas(cluster: Any, redis_server: RedisServer) -> None:
    """Five tries a minute for an account from one address, and not five at each replica."""
    wrong = {"employee_id": "2024001", "name": "아무개"}
    async with cluster(redis_server.url) as replicas:
        codes = [(await replicas.both[n % 2].post("/api/login", json=wrong)).status_code for n in range(8)]
    assert codes == [401] * 5 + [429] * 3


async def test_a_change_is_live_everywhere_within_five_seconds(
    cluster: Any, redis_server: RedisServer, tmp_path: Path
) -> None:
    """One file changes; both replicas answer from it, and no remembered answer survives."""
    async with cluster(redis_server.url, **UNLIMITED) as replicas:
        before = [await replicas.ask(n, QUESTION) for n in (0, 1)]
        assert all("12월 10일" in answer["answer"] for answer in before)
        page = tmp_path / "docs" / "people.md"
        page.write_text(page.read_text(encoding="utf-8").replace("12월 10일", "11월 30일"), encoding="utf-8")
        began = time.monotonic()
        for replica in (0, 1):
            while "11월 30일" not in (await replicas.ask(replica, QUESTION))["answer"]:
                assert time.monotonic() - began < 5
                await asyncio.sleep(0.05)


async def test_an_answer_is_found_once(cluster: Any, redis_server: RedisServer) -> None:
    """What one replica has answered the other knows, with nothing of the question to be read in Redis."""
    async with cluster(redis_server.url, **UNLIMITED) as replicas:
        first = await replicas.ask(0, QUESTION)
        second = await replicas.ask(1, QUESTION)
    assert (first["mode"], second["mode"]) == ("extractive", "cached")
    assert second["answer"] == first["answer"]
    assert second["question_id"] != first["question_id"]
    assert all("연차".encode() not in key for key in redis_server.client.keys("*"))


@pytest.mark.parametrize("poison", [b"{}", b"\x80\x04", b"null", b'{"answer": "<script>"}', b"\xff"])
async def test_a_poisoned_cache_is_no_answer(cluster: Any, redis_server: RedisServer, poison: bytes) -> None:
    """What is not an answer of this release is found anew."""
    async with cluster(redis_server.url, **UNLIMITED) as replicas:
        await replicas.ask(0, QUESTION)
        for key in redis_server.client.keys("endy:1:answer:*"):
            redis_server.client.set(key, poison)
        answer = await replicas.ask(1, QUESTION)
    assert answer["mode"] == "extractive"


async def test_equal_questions_at_both_cost_one_call(cluster: Any, redis_server: RedisServer, model: Scripted) -> None:
    """A hundred colleagues ask the same at once, at either replica: the model is asked once."""
    values = {"openai_api_key": "sk-test", "openai_base_url": model.url, **UNLIMITED}
    async with cluster(redis_server.url, **values) as replicas:
        answers = await asyncio.gather(*(replicas.ask(n % 2, QUESTION) for n in range(100)))
    assert len(model.seen) == 1
    assert len({answer["answer"] for answer in answers}) == 1


async def test_a_stream_at_the_other_replica_gets_the_whole_answer(
    cluster: Any, redis_server: RedisServer, model: Scripted
) -> None:
    """Two readers at two replicas, one call: both see the sources first, and deltas that add up to the answer."""
    model.play(saying(characters.faithful, before=0.3))
    values = {"openai_api_key": "sk-test", "openai_base_url": model.url, **UNLIMITED}
    async with cluster(redis_server.url, **values) as replicas:
        calls = (each.post(f"{ASK}/stream", json={"question": QUESTION}) for each in replicas.both)
        told = [events_of(answer.text) for answer in await asyncio.gather(*calls)]
    assert len(model.seen) == 1
    for events in told:
        assert events[0][0] == "meta"
        assert events[0][1]["sources"]
        assert "".join(data["text"] for kind, data in events if kind == "delta").strip() == events[-1][1]["answer"]
    assert sorted(events[-1][1]["mode"] for events in told) == ["cached", "llm"]
    assert len({events[-1][1]["answer"] for events in told}) == 1


async def test_whoever_waits_for_a_killed_replica_goes_on(
    cluster: Any, redis_server: RedisServer, model: Scripted
) -> None:
    """The flight of a replica that was killed ends by itself after some seconds, and another one writes the answer."""
    values = {"openai_api_key": "sk-test", "openai_base_url": model.url, **UNLIMITED}
    async with cluster(redis_server.url, **values) as replicas:
        await replicas.ask(0, QUESTION)
        for key in redis_server.client.keys("endy:1:answer:*"):
            redis_server.client.set(key.replace(b":answer:", b":flight:"), b"killed", px=int(FLIGHT_SECONDS * 1000))
            redis_server.client.delete(key)
        began = time.monotonic()
        answer = await replicas.ask(1, QUESTION)
    assert answer["mode"] == "llm"
    assert time.monotonic() - began < FLIGHT_SECONDS + 2


async def test_without_redis_everything_goes_on(cluster: Any, own_redis: RedisServer) -> None:
    """Answers, limits and logins work on; health says degraded, a metric counts, and all is well when it is back."""
    async with cluster(own_redis.url, rate_limit_per_minute=12) as replicas:
        here, there = replicas.both
        assert (await here.get("/health")).json()["checks"]["redis"] is True
        own_redis.stop()
        codes = [(await here.post(ASK, json={"question": "주차"})).status_code for _ in range(13)]
        await asyncio.sleep(3.1)
        health = (await here.get("/health")).json()
        metrics = (await here.get("/metrics")).text
        assert (await there.get("/readiness")).status_code == 200
        own_redis.start()
        await asyncio.sleep(5.1)
        back = (await here.get("/health")).json()
    assert codes == [200] * 12 + [429]
    assert (health["status"], health["checks"]["redis"]) == ("degraded", False)
    assert 'redis_fallbacks_total{use="rate_limit"} 13.0' in metrics
    assert back["checks"]["redis"] is True


async def test_a_redis_that_is_not_there_is_told_at_the_start(make_settings: Any) -> None:
    """Endy starts without it, and the operator need not wait for a question to read why."""
    settings: Settings = make_settings(redis_url=f"redis://:hunter2@127.0.0.1:{free_port()}/0")
    with structlog.testing.capture_logs() as logs:
        async with running_services(settings, background=False) as services:
            report = await services.health.report()
    told = [entry for entry in logs if entry["event"] == "redis_away"]
    assert [entry["log_level"] for entry in told] == ["warning"]
    assert "hunter2" not in str(logs)
    assert (report.status, report.checks["redis"]) == ("degraded", False)


async def test_a_wrong_address_of_redis_stops_the_start(make_settings: Any) -> None:
    """Like every setting: one line that says what to write."""
    settings: Settings = make_settings(redis_url="memcached://somewhere")
    with pytest.raises(StartupError, match="REDIS_URL"):
        async with running_services(settings, background=False):
            pass
