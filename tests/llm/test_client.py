"""Answers over real HTTP: whole ones, late ones, broken ones."""

import asyncio
import socket
import time
from email.utils import formatdate

import anyio
import pytest

from endy.llm.call import Patience
from endy.llm.client import OpenAiModel
from endy.llm.models import LlmRequest, LlmUnavailable
from tests.llm.conftest import Build, Setup
from tests.llm.scripted import (
    DONE,
    KOREAN,
    Script,
    Scripted,
    chunk,
    cut,
    endless,
    events,
    failing,
    honest,
)

REQUEST = LlmRequest.of("출처로만 답하세요.", "연차는 며칠이에요?", max_tokens=100)
ANSWER = "".join(KOREAN)


async def reason(model: OpenAiModel, request: LlmRequest = REQUEST) -> tuple[str, str]:
    """Why an answer did not come."""
    with pytest.raises(LlmUnavailable) as caught:
        await model.write(request)
    return caught.value.reason, caught.value.detail


async def test_whole_answer(server: Scripted, model: OpenAiModel) -> None:
    """An answer comes with its model, tokens, cost and times; the request carries what was asked and no user."""
    server.play(honest())
    answer = await model.write(LlmRequest.of("규칙", "질문", max_tokens=77, temperature=0.1, user_key="hashed"))
    assert (answer.text, answer.model) == (ANSWER, "small")
    assert (answer.usage.tokens_in, answer.usage.tokens_out, answer.usage.estimated) == (120, 30, False)
    assert answer.usage.cost_krw == pytest.approx((120 * 200 + 30 * 800) / 1e6)
    assert 0 < answer.first_token_seconds <= answer.seconds
    body = server.seen[0].body
    assert body["messages"] == [{"role": "system", "content": "규칙"}, {"role": "user", "content": "질문"}]
    assert (body["model"], body["max_tokens"], body["temperature"], body["stream"]) == ("small", 77, 0.1, True)
    assert "hashed" not in str(server.seen[0])


async def test_pieces_come_as_they_are_written(server: Scripted, model: OpenAiModel) -> None:
    """The first piece is there long before the last, and usage is final after the block."""
    server.play(honest(between=0.1))
    times = []
    async with model.stream(REQUEST) as writing:
        pieces = []
        async for piece in writing:
            pieces.append(piece)
            times.append(time.monotonic())
    assert pieces == KOREAN
    assert times[-1] - times[0] > 0.3
    assert (writing.finish_reason, writing.usage.tokens_out) == ("stop", 30)


async def test_usage_is_estimated_when_absent(server: Scripted, model: OpenAiModel) -> None:
    """A server that reports no tokens is charged by characters."""
    server.play(honest(usage=None))
    usage = (await model.write(REQUEST)).usage
    assert usage.estimated
    assert usage.tokens_in > 10
    assert 5 <= usage.tokens_out <= len(ANSWER)


async def test_connections_are_reused(server: Scripted, model: OpenAiModel) -> None:
    """Calls one after the other go over one connection."""
    server.play(honest())
    for _ in range(4):
        await model.write(REQUEST)
    assert len({seen.client for seen in server.seen}) == 1


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (honest(before=5), ("slow", "first token")),
        (events(chunk("", role="assistant"), 5.0), ("slow", "first token")),
        (events(chunk("첫"), 5.0), ("slow", "next token")),
        (honest(["가"] * 40, between=0.1), ("slow", "total")),
        (failing(500), ("down", "500")),
        (failing(503), ("down", "503")),
        (failing(429), ("limited", "429")),
        (failing(429, code="insufficient_quota"), ("limited", "429")),
        (failing(401), ("refused", "401")),
        (failing(403), ("refused", "403")),
        (failing(404, code="model_not_found"), ("refused", "404")),
        (failing(400), ("refused", "400")),
        (failing(400, code="content_filter"), ("refused", "content filter")),
        (failing(307, {"Location": "http://127.0.0.1:9/v1/chat/completions"}), ("refused", "307")),
        (cut("연차는 "), ("cut", "connection")),
        (cut(), ("down", "connection")),
        (events(chunk("연차는 ")), ("cut", "no finish reason")),
        (events(chunk("연차는 "), DONE), ("cut", "no finish reason")),
        (honest(finish="length"), ("cut", "length")),
        (honest(finish="content_filter"), ("refused", "content filter")),
        (events(chunk(refusal="아니요"), chunk(finish="stop"), DONE), ("refused", "content filter")),
        (events(chunk(tool_calls=[]), chunk(finish="tool_calls"), DONE), ("garbage", "empty")),
        (honest([]), ("garbage", "empty")),
        (events("data: {not json\n\n"), ("garbage", "malformed")),
        (events(chunk("연차"), "data: {not json\n\n"), ("garbage", "malformed")),
        (events("data: [1, 2]\n\n"), ("garbage", "not a chunk")),
        (events('data: {"choices": [{"delta": {"content": 7}}]}\n\n'), ("garbage", "malformed")),
        (events('data: {"choices": "x"}\n\n'), ("garbage", "malformed")),
        (events('data: {"choices": [null]}\n\n'), ("garbage", "malformed")),
        (events("data: " + "[" * 200_000 + "\n\n"), ("garbage", "malformed")),
        (events("<html>로그인하세요</html>", media_type="text/html"), ("garbage", "no chunks")),
        (events(DONE), ("garbage", "no chunks")),
        (events('data: {"error": {"message": "out of memory"}}\n\n'), ("down", "error event")),
        (events(chunk("연차"), 'data: {"error": {"message": "out of memory"}}\n\n'), ("cut", "error event")),
        (endless(), ("garbage", "endless")),
        (endless(""), ("garbage", "endless")),
        (events(*["data: " + "x" * 1_000_000] * 12), ("garbage", "too many bytes")),
    ],
)  # fmt: skip
async def test_every_failure_has_its_reason(
    server: Scripted, model: OpenAiModel, script: Script, expected: tuple[str, str]
) -> None:
    """Whatever a server does, the caller gets LlmUnavailable with the right reason, within the total time."""
    server.play(script)
    started = time.monotonic()
    assert await reason(model) == expected
    assert time.monotonic() - started < 4


async def test_connection_refused(build: Build) -> None:
    """Nobody listening is "down", after the retries."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert await reason(build(Setup(f"http://127.0.0.1:{port}/v1"))) == ("down", "connection")


async def test_server_that_accepts_and_says_nothing(build: Build) -> None:
    """A hanging socket ends with the first-token patience, not with the total."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        assert await reason(build(Setup(f"http://127.0.0.1:{silent.getsockname()[1]}/v1"))) == ("slow", "first token")
    assert time.monotonic() - started < 1.2


@pytest.mark.parametrize("first", [failing(500), failing(429), failing(503, {"Retry-After": "0"}), cut()])
async def test_retries_before_the_first_token(server: Scripted, model: OpenAiModel, first: Script) -> None:
    """A fault that may pass is tried again, unseen by the caller."""
    server.play(first, honest())
    assert (await model.write(REQUEST)).text == ANSWER
    assert len(server.seen) == 2


async def test_no_retry_after_the_first_token(server: Scripted, model: OpenAiModel) -> None:
    """What was shown is never written twice."""
    server.play(cut("연차는 "), honest())
    async with model.stream(REQUEST) as writing:
        assert await anext(writing) == "연차는 "
        with pytest.raises(LlmUnavailable, match="cut"):
            await anext(writing)
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_no_retry_of_what_will_not_change(server: Scripted, model: OpenAiModel, status: int) -> None:
    """A wrong key, model or request is asked once."""
    server.play(failing(status))
    await reason(model)
    assert len(server.seen) == 1


async def test_retry_after_is_honoured(server: Scripted, model: OpenAiModel) -> None:
    """The wait that the server asks for is kept, in seconds, in milliseconds and as a date."""
    for header in ({"Retry-After": "0.5"}, {"Retry-After-Ms": "500"}):
        server.play(failing(429, header), honest())
        started = time.monotonic()
        await model.write(REQUEST)
        assert 0.45 < time.monotonic() - started < 1.0


async def test_retry_after_as_a_date(server: Scripted, build: Build) -> None:
    """An HTTP date in the near future is waited for."""
    model = build(Setup(server.url, patience=Patience(first_token=4, total=8)))
    server.play(failing(429, {"Retry-After": formatdate(time.time() + 2, usegmt=True)}), honest())
    started = time.monotonic()
    await model.write(REQUEST)
    assert 0.9 < time.monotonic() - started < 3


@pytest.mark.parametrize("header", ["30", "1e309", "Wed, 21 Oct 2099 07:28:00 GMT"])
async def test_long_retry_after_is_not_waited_for(server: Scripted, model: OpenAiModel, header: str) -> None:
    """Nobody waits half a minute for a retry: the caller answers without the model at once."""
    server.play(failing(429, {"Retry-After": header}))
    started = time.monotonic()
    assert await reason(model) == ("limited", "429")
    assert time.monotonic() - started < 0.5
    assert len(server.seen) == 1


async def test_unreadable_retry_after_is_ignored(server: Scripted, model: OpenAiModel) -> None:
    """Nonsense in the header means our own pause."""
    server.play(failing(429, {"Retry-After": "soon, nan"}), failing(429, {"Retry-After": "nan"}), honest())
    assert (await model.write(REQUEST)).text == ANSWER


@pytest.mark.parametrize("first", [failing(404), failing(500), failing(403), honest(before=5)])
async def test_falls_back_to_the_next_model(server: Scripted, build: Build, first: Script) -> None:
    """The second model answers when the first cannot, and the answer names it."""
    model = build(Setup(server.url, models=("big", "small"), patience=Patience(0.3, 0.3, 3, retries=0)))
    server.play(first, honest())
    assert (await model.write(REQUEST)).model == "small"
    assert [seen.body["model"] for seen in server.seen] == ["big", "small"]


async def test_no_fallback_around_a_content_filter(server: Scripted, build: Build) -> None:
    """What the provider's policy refuses is not tried on a model with another one."""
    server.play(failing(400, code="content_filter"))
    assert (await reason(build(Setup(server.url, models=("big", "small")))))[0] == "refused"
    assert len(server.seen) == 1


async def test_learns_the_parameters_of_newer_models(server: Scripted, model: OpenAiModel) -> None:
    """max_tokens, temperature and stream_options are renamed or dropped once, and remembered."""
    refusals = [
        failing(400, param="max_tokens", code="unsupported_parameter"),
        failing(400, param="temperature", code="unsupported_value", message="'temperature' does not support 0.2"),
        failing(422, message="body.stream_options: Extra inputs are not permitted"),
    ]
    server.play(*refusals, honest())
    assert (await model.write(REQUEST)).text == ANSWER
    await model.write(REQUEST)
    assert len(server.seen) == 5
    body = server.seen[-1].body
    assert body["max_completion_tokens"] == 100
    assert not {"max_tokens", "temperature", "stream_options"} & body.keys()


async def test_refusing_parameters_for_ever(server: Scripted, model: OpenAiModel) -> None:
    """A server that refuses every parameter is asked a bounded number of times."""
    server.play(failing(400, message="unsupported: max_tokens, temperature, stream_options"))
    assert await reason(model) == ("refused", "400")
    assert len(server.seen) == 4


async def test_answer_is_whole_without_a_goodbye(server: Scripted, model: OpenAiModel) -> None:
    """After the finish reason, neither silence nor garbage takes the answer away."""
    for ending in (5.0, "data: {not json\n\n", 'data: {"error": {"message": "late"}}\n\n'):
        server.play(events(chunk("네"), chunk(finish="stop"), ending))
        started = time.monotonic()
        assert (await model.write(REQUEST)).text == "네"
        assert time.monotonic() - started < 1.5


async def test_foreign_fields_and_odd_usage(server: Scripted, model: OpenAiModel) -> None:
    """Azure's empty first chunk, null deltas, unknown fields, comments and a senseless usage are taken as they come."""
    odd = 'data: {"choices": [], "prompt_filter_results": [{}], "usage": null}\n\n'
    last = (
        'data: {"choices": [{"index": 0, "delta": null, "finish_reason": "eos"}], "usage": {"prompt_tokens": -5}}\n\n'
    )
    server.play(events(odd, ": ping\n\n", chunk("네", reasoning=None, weird={"a": 1}), last, DONE))
    answer = await model.write(REQUEST)
    assert answer.text == "네"
    assert answer.usage.estimated


async def test_thoughts_are_not_shown(server: Scripted, model: OpenAiModel) -> None:
    """Thinking aloud, beside the content or before it, keeps the model waiting for but is no part of the answer."""
    thinking = [part for _ in range(4) for part in (chunk(reasoning_content="음"), 0.25)]
    server.play(events(*thinking, chunk("네"), chunk(finish="stop"), DONE))
    assert (await model.write(REQUEST)).text == "네"
    aloud = [part for text in ("<thi", "nk>규칙을", " 보면</th", "ink>\n\n네", "요") for part in (chunk(text), 0.2)]
    server.play(events(*aloud, chunk(finish="stop"), DONE))
    assert (await model.write(REQUEST)).text == "네요"


async def test_leaving_closes_the_stream_at_once(server: Scripted, model: OpenAiModel) -> None:
    """The server sees the disconnect when the block is left early."""
    server.play(honest(["가"] * 100, between=0.05))
    async with model.stream(REQUEST) as writing:
        assert await anext(writing) == "가"
    await _sees_leave(server)
    assert writing.usage.tokens_in > 0


async def test_cancelled_caller_closes_the_stream(server: Scripted, model: OpenAiModel) -> None:
    """Cancelling the task that waits, before or after the first token, reaches the server."""
    for script in (events(chunk("", role="assistant"), 5.0), honest(["가"] * 100, between=0.05)):
        server.left.clear()
        server.play(script)
        task = asyncio.create_task(model.write(REQUEST))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await _sees_leave(server)


async def test_cancelled_scope_closes_the_stream(server: Scripted, build: Build) -> None:
    """A cancel scope, which cancels every await again (a web server's way), still frees server, slot and budget."""
    model = build(Setup(server.url, slots=1, wait=0.1))
    for script in (events(chunk("", role="assistant"), 5.0), honest(["가"] * 100, between=0.05)):
        server.left.clear()
        server.play(script)
        with anyio.move_on_after(0.3) as scope:
            async with model.stream(REQUEST) as writing:
                async for _ in writing:
                    await anyio.sleep(0.01)
        assert scope.cancelled_caught
        await _sees_leave(server)
        server.play(honest())
        spent = await model.spent_today()
        assert (await model.write(REQUEST)).usage.cost_krw == pytest.approx(await model.spent_today() - spent)


async def _sees_leave(server: Scripted) -> None:
    started = time.monotonic()
    while not server.left:
        assert time.monotonic() - started < 0.5, "the server still thinks that somebody reads"
        await asyncio.sleep(0.01)
