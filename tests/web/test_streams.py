"""Streams: their framing, their comments while nothing comes, and their end when the reader leaves."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from endy.ask.models import Answer, AskRequest, StreamEvent
from endy.errors import ServiceUnavailable
from endy.settings import Settings
from endy.web.api import ask
from tests.web.conftest import Client
from tests.web.serving import serving

STREAM = "/api/ask/stream"
QUESTION = {"question": "연차 이월 언제까지 신청해?"}
AWKWARD = (
    "첫 줄\n둘째 줄\r\n셋째\r넷째\n\n빈 줄 뒤, \"따옴표\" '작은' \\역슬래시, data: event: done\n: 주석\n"
    "\u2028\u2029\x85 \U0001f469\u200d\U0001f469\u200d\U0001f467 🇰🇷 e\u0301 </script>"
)


def events_of(text: str) -> list[tuple[str, dict]]:
    """As the standard reads a stream: blocks of lines, comments dropped, data as JSON."""
    events = []
    for block in text.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        fields = dict(line.split(": ", 1) for line in lines)
        assert len(fields) == len(lines), "a field came twice"
        if fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return events


class SlowAsk:
    """Answers like the service, when told to go on; says whether it was ended."""

    def __init__(self, answer: Answer, pieces: list[str]) -> None:
        self.answer = answer
        self.pieces = pieces
        self.go_on = asyncio.Event()
        self.at_work = asyncio.Event()
        self.ended = asyncio.Event()

    async def stream(self, _request: AskRequest) -> AsyncIterator[StreamEvent]:
        try:
            yield StreamEvent("meta", self.answer)
            for piece in self.pieces:
                yield StreamEvent("delta", piece)
            self.at_work.set()
            await self.go_on.wait()
            yield StreamEvent("done", replace(self.answer, answer="".join(self.pieces)))
        finally:
            # Closing a connection to a model takes a moment, too.
            await asyncio.sleep(0.01)
            self.ended.set()


async def slowly(app: FastAPI, pieces: list[str]) -> SlowAsk:
    """Put a slow service in place of the real one, with a real answer."""
    services = app.state.services
    slow = SlowAsk(await services.ask.ask(AskRequest("주차는 어디에 하나요?")), pieces)
    app.state.services = replace(services, ask=slow)
    return slow


async def test_awkward_text_arrives_unchanged(client: Client) -> None:
    """Line ends of every kind, quotes, things that look like fields and joined emoji survive the framing."""
    async with client() as http:
        slow = await slowly(http.app, list(AWKWARD))  # type: ignore[attr-defined]
        slow.go_on.set()
        response = await http.post(STREAM, json=QUESTION)
    events = events_of(response.text)
    assert "\r" not in response.text
    assert [name for name, _ in events] == ["meta", *["delta"] * len(AWKWARD), "done"]
    assert "".join(data["text"] for name, data in events if name == "delta") == AWKWARD
    assert events[-1][1]["answer"] == AWKWARD


async def test_a_stream_is_neither_stored_nor_held_back(client: Client) -> None:
    """No cache keeps it, no proxy buffers it, and it is not compressed, which would hold it back."""
    async with client() as http:
        response = await http.post(STREAM, json=QUESTION, headers={"Accept-Encoding": "gzip"})
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in response.headers


async def test_silence_is_filled_with_comments(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing comes, comments keep proxies from closing the connection; they are no events."""
    monkeypatch.setattr(ask, "KEEP_ALIVE_SECONDS", 0.05)
    async with client() as http:
        slow = await slowly(http.app, ["가"])  # type: ignore[attr-defined]
        asyncio.get_running_loop().call_later(0.3, slow.go_on.set)
        text = (await http.post(STREAM, json=QUESTION)).text
    assert 3 <= text.count(": still here\n\n") <= 6
    assert [name for name, _ in events_of(text)] == ["meta", "delta", "done"]


def test_the_comment_comes_every_fifteen_seconds() -> None:
    """As the contract says."""
    assert ask.KEEP_ALIVE_SECONDS == 15


@pytest.mark.parametrize(
    ("fault", "code"), [(ServiceUnavailable(), "service_unavailable"), (ZeroDivisionError("/secret"), "internal_error")]
)
async def test_a_fault_in_mid_stream_is_an_event(client: Client, fault: Exception, code: str) -> None:
    """The status is gone by then: an error event with the usual body and the request's id, and nothing of the cause."""
    async with client() as http:
        slow = await slowly(http.app, ["가"])  # type: ignore[attr-defined]

        async def failing(request: AskRequest) -> AsyncIterator[StreamEvent]:
            yield StreamEvent("meta", slow.answer)
            raise fault

        slow.stream = failing  # type: ignore[method-assign]
        response = await http.post(STREAM, json=QUESTION, headers={"X-Request-ID": "request-of-mine"})
        metrics = (await http.get("/metrics")).text
    name, body = events_of(response.text)[-1]
    assert (name, body["error"]) == ("error", code)
    assert body["details"] == {"request_id": "request-of-mine"}
    assert "secret" not in response.text
    assert f'errors_total{{error_type="{type(fault).__name__}"}} 1.0' in metrics


@pytest.mark.parametrize("body", [{}, {"question": ""}, {"question": "가" * 501}])
async def test_what_is_wrong_from_the_start_is_an_ordinary_error(client: Client, body: dict) -> None:
    """Before the stream begins, refusals have a status."""
    async with client() as http:
        response = await http.post(STREAM, json=body)
    assert (response.status_code, response.json()["error"]) == (422, "validation_error")


def since(before: set[asyncio.Task]) -> set[str]:
    """The tasks that were started since then and have not ended."""
    return {task.get_coro().__qualname__ for task in asyncio.all_tasks() - before if not task.done()}


@pytest.mark.parametrize("while_at", ["work", "event"])
async def test_a_reader_who_leaves_ends_the_work(make_settings: Callable[..., Settings], while_at: str) -> None:
    """Whether the work is waiting for a model or handing over pieces: it ends at once, and no task is left over."""
    pieces = ["가"] if while_at == "work" else ["가" * 10_000] * 2000
    async with serving(make_settings()) as (app, port):
        slow = await slowly(app, pieces)
        before = asyncio.all_tasks()
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
            http.stream("POST", STREAM, json=QUESTION) as response,
        ):
            await anext(response.aiter_bytes())
            if while_at == "work":
                await slow.at_work.wait()
        await asyncio.wait_for(slow.ended.wait(), 3)
        await asyncio.sleep(0.1)
        left = since(before)
    assert slow.at_work.is_set() == (while_at == "work")
    assert not left


async def test_fifty_who_leave_leave_nothing(make_settings: Callable[..., Settings]) -> None:
    """Readers who leave the real service in mid-answer leave no waiting place, no task and no lock behind."""
    async with serving(make_settings(rate_limit_per_minute=1000)) as (app, port):
        before = asyncio.all_tasks()

        async def leave(number: int) -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            body = json.dumps({"question": f"연차 이월 {number}번째 질문이에요"}).encode()
            head = f"POST {STREAM} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            writer.write(head.encode() + b"\r\n\r\n" + body)
            await writer.drain()
            await asyncio.sleep(number / 1000)
            writer.transport.abort()

        await asyncio.gather(*(leave(number) for number in range(50)))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            answer = await http.post("/api/ask", json=QUESTION)
            metrics = (await http.get("/metrics")).text
        for _ in range(50):
            await asyncio.sleep(0.05)
            if not since(before):
                break
        left = since(before)
        waiting = app.state.services.ask._waiting
    assert answer.status_code == 200
    assert (left, waiting) == (set(), 0)
    assert "errors_total{" not in metrics


async def test_who_leaves_before_the_body_is_there_is_no_fault(make_settings: Callable[..., Settings]) -> None:
    """Half a body and a closed connection: no error is counted, and no 500 is in the metrics."""
    async with serving(make_settings()) as (_app, port):
        for path in ("/api/ask", "/api/login"):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
            writer.write(head.encode() + b'{"question": "')
            await writer.drain()
            await asyncio.sleep(0.1)
            writer.transport.abort()
        await asyncio.sleep(0.2)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            metrics = (await http.get("/metrics")).text
    assert "errors_total{" not in metrics
    assert 'status="500"' not in metrics
    assert 'status="499"' in metrics
