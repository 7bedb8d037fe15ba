"""Many calls at once: the circuit, the queue, the budget, and what they leave behind."""

import asyncio
import gc
import time
from collections import Counter

import pytest

from endy.llm.breaker import BreakerRules
from endy.llm.budget import Budget, Caps, MemoryLedger, Prices
from endy.llm.call import Patience
from endy.llm.client import OpenAiModel
from endy.llm.models import LlmRequest, LlmUnavailable
from tests.llm.conftest import Build, Setup
from tests.llm.scripted import KOREAN, Scripted, chunk, cut, events, failing, honest

REQUEST = LlmRequest.of("출처로만 답하세요.", "연차는 며칠이에요?", max_tokens=100)
ONE_TRY = Patience(first_token=0.6, between_tokens=0.4, total=3.0, retries=0)
TOUCHY = BreakerRules(failures=5, window=30, rest=0.4)


async def result(model: OpenAiModel, request: LlmRequest = REQUEST) -> str:
    try:
        await model.write(request)
    except LlmUnavailable as error:
        return f"{error.reason} {error.detail}".strip()
    return "success"


async def results(model: OpenAiModel, count: int, request: LlmRequest = REQUEST) -> Counter[str]:
    return Counter(await asyncio.gather(*(result(model, request) for _ in range(count))))


async def test_circuit_opens_and_sends_one_probe(server: Scripted, build: Build) -> None:
    """After five failures nothing is sent; after the rest, 50 callers at once send a single call between them."""
    model = build(Setup(server.url, patience=ONE_TRY, rules=TOUCHY))
    server.play(failing(500))
    assert await results(model, 5) == {"down 500": 5}
    assert not model.available
    assert await results(model, 50) == {"down circuit open": 50}
    assert len(server.seen) == 5
    await asyncio.sleep(0.45)
    assert await results(model, 50) == {"down 500": 1, "down circuit open": 49}
    await asyncio.sleep(0.45)
    server.play(honest(before=0.1))
    assert await results(model, 50) == {"success": 1, "down circuit open": 49}
    assert len(server.seen) == 7
    assert model.available
    # Not fifty at once again: on a busy machine that alone takes longer than a first token may.
    assert await results(model, 5) == {"success": 5}


async def test_cancelled_probe_lets_the_next_one_try(server: Scripted, build: Build) -> None:
    """A probe whose caller left says nothing, and does not keep the circuit open for ever."""
    model = build(Setup(server.url, patience=ONE_TRY, rules=TOUCHY))
    server.play(failing(500))
    await results(model, 5)
    await asyncio.sleep(0.45)
    server.play(honest(before=5))
    probe = asyncio.create_task(model.write(REQUEST))
    await asyncio.sleep(0.1)
    probe.cancel()
    await asyncio.wait([probe])
    server.play(honest())
    assert await result(model) == "success"


async def test_circuit_is_per_model(server: Scripted, build: Build) -> None:
    """With the first model's circuit open, calls go straight to the second."""
    model = build(Setup(server.url, models=("big", "small"), patience=ONE_TRY, rules=TOUCHY))
    server.play(*[failing(500), honest()] * 5)
    for _ in range(5):
        assert await result(model) == "success"
    server.seen.clear()
    server.play(honest())
    assert await results(model, 10) == {"success": 10}
    assert {seen.body["model"] for seen in server.seen} == {"small"}


async def test_circuit_opens_on_answers_cut_in_the_middle(server: Scripted, build: Build) -> None:
    """A model that always breaks off after its first words is away, too."""
    model = build(Setup(server.url, patience=ONE_TRY, rules=TOUCHY))
    server.play(cut("연차는 "))
    for _ in range(8):
        await result(model)
    assert await result(model) == "down circuit open"


async def test_own_mistakes_do_not_open_the_circuit(server: Scripted, build: Build) -> None:
    """Requests that are refused for their content or cut by their own limit say nothing about the model."""
    model = build(Setup(server.url, patience=ONE_TRY, rules=TOUCHY))
    for script in (failing(400), failing(400, code="content_filter"), honest(finish="length")):
        server.play(script)
        await results(model, 10)
    assert model.available


async def test_cap_and_queue(server: Scripted, build: Build) -> None:
    """At most so many calls run; the next ones wait their turn, up to the queue's time, and the rest hear "busy"."""
    model = build(Setup(server.url, slots=4, wait=0.5))
    server.play(honest(before=0.1))
    assert await results(model, 12) == {"success": 12}
    assert server.most <= 4
    server.play(honest(before=0.55))
    started = time.monotonic()
    got = await results(model, 60)
    assert got["success"] == 4
    assert got["busy queue"] + got["busy queue full"] == 56
    assert got["busy queue full"] == 60 - 4 - 16
    assert time.monotonic() - started < 1.5


async def test_slots_come_back(server: Scripted, build: Build) -> None:
    """However a call ends, its place is free again: failed, cancelled while running, cancelled in the queue."""
    model = build(Setup(server.url, slots=2, wait=5, patience=ONE_TRY))
    server.play(cut("가"), failing(500), events("data: {\n\n"), honest(before=5))
    for _ in range(3):
        await result(model)
    tasks = [asyncio.create_task(result(model)) for _ in range(8)]
    await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    server.play(honest(between=0.02))
    assert await results(model, 2) == {"success": 2}


async def test_budget_is_not_overshot(server: Scripted, build: Build) -> None:
    """Of 100 calls at once only as many are made as the day's money surely allows; corrected by what they did cost."""
    setup = Setup(server.url, prices=Prices(0, 10_000), caps=Caps(daily_krw=10.0))
    model = build(setup)
    server.play(honest(before=0.1))
    # 100 tokens reserve 1 won, 30 tokens cost 0.3.
    assert await results(model, 100) == {"success": 10, "budget": 90}
    assert await model.spent_today() == pytest.approx(3.0)
    assert await results(model, 100) == {"success": 7, "budget": 93}
    assert await model.spent_today() == pytest.approx(5.1)


async def test_user_calls_are_counted_each(server: Scripted, build: Build) -> None:
    """Each user has the day's calls; calls that never reached a model are given back."""
    model = build(Setup(server.url, caps=Caps(user_calls=5), patience=ONE_TRY))
    mine = LlmRequest.of("규칙", "질문", user_key="a")
    server.play(failing(500))
    assert await results(model, 5, mine) == {"down 500": 5}
    server.play(honest())
    assert await results(model, 50, mine) == {"success": 5, "budget": 45}
    assert await results(model, 5, LlmRequest.of("규칙", "질문", user_key="b")) == {"success": 5}
    assert await results(model, 20) == {"success": 20}


async def test_tokens_are_bounded_by_day_and_by_user(server: Scripted, build: Build) -> None:
    """Tokens are set aside before a call, corrected by what it used, and given back where nothing was called."""
    most = Budget(Prices(), Caps(), MemoryLedger())
    mine = LlmRequest.of("규칙", "질문", user_key="a", max_tokens=200)
    aside = (await most.reserve(mine)).tokens
    # The scripted server reports 150 tokens a call: four calls leave too few for a fifth.
    model = build(Setup(server.url, caps=Caps(user_tokens=3 * 150 + aside), patience=ONE_TRY))
    server.play(failing(500))
    assert await results(model, 1, mine) == {"down 500": 1}
    server.play(honest())
    assert [await results(model, 1, mine) for _ in range(6)] == [{"success": 1}] * 4 + [{"budget": 1}] * 2
    other = LlmRequest.of("규칙", "질문", user_key="b", max_tokens=200)
    assert await results(model, 1, other) == {"success": 1}
    model = build(Setup(server.url, caps=Caps(daily_tokens=10 * aside), patience=ONE_TRY))
    counted = await results(model, 100, LlmRequest.of("규칙", "질문", max_tokens=200))
    assert counted["success"] <= 10
    assert counted["success"] + counted["budget"] == 100


async def test_what_nobody_waited_for_is_paid(server: Scripted, build: Build) -> None:
    """A call that was left or cut is charged for what it read and wrote, by estimate."""
    model = build(Setup(server.url))
    server.play(events(chunk("연차는 "), chunk("15일"), 5.0))
    async with model.stream(REQUEST) as writing:
        await anext(writing)
    assert writing.usage.estimated
    assert writing.usage.tokens_in > 10
    assert await model.spent_today() == pytest.approx(writing.usage.cost_krw)


async def test_metrics(server: Scripted, build: Build) -> None:
    """Every call counts once, under its end, with its tokens and won."""
    setup = Setup(server.url, patience=ONE_TRY)
    model = build(setup)
    for script in (honest(), failing(500), failing(429), cut("가"), honest(before=5)):
        server.play(script)
        await result(model)
    server.play(honest())
    async with model.stream(REQUEST) as writing:
        await anext(writing)
    text = setup.metrics.exposition()[0].decode()
    for status in ("success", "down", "limited", "cut", "slow", "left"):
        assert f'llm_requests_total{{status="{status}"}} 1.0' in text
    assert "llm_response_seconds_count 6.0" in text
    assert 'llm_tokens_total{kind="out"}' in text
    assert "llm_cost_krw_total" in text


async def test_five_hundred_streams(server: Scripted, build: Build) -> None:
    """500 streams on one loop all end, and leave no task behind."""
    model = build(Setup(server.url, slots=500, connect=10, patience=Patience(10, 10, 30)))
    server.play(honest(between=0.05))
    before = len(asyncio.all_tasks())
    assert await results(model, 500) == {"success": 500}
    gc.collect()
    await asyncio.sleep(0.1)
    assert len(asyncio.all_tasks()) == before


async def test_abandoned_stream_is_closed(server: Scripted, model: OpenAiModel) -> None:
    """A stream that is dropped without its block frees its slot once it is collected."""
    server.play(honest(KOREAN * 20, between=0.05))
    writing = model.stream(REQUEST)
    await anext(writing)
    del writing
    gc.collect()
    started = time.monotonic()
    while not server.left:
        assert time.monotonic() - started < 1
        await asyncio.sleep(0.02)
