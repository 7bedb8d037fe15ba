"""Tracing: where the time of an answer went, by a real receiver of OTLP and by the log of slow questions."""

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from endy.observability import tracing
from endy.observability.steps import begin, step
from tests.llm import characters
from tests.llm.characters import saying
from tests.llm.scripted import Scripted, scripted_server
from tests.web.conftest import Client, client, make_settings

__all__ = ["client", "make_settings"]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


class Receiver:
    """A collector that keeps the spans it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                sent = ExportTraceServiceRequest.FromString(body)
                receiver.spans += [s for r in sent.resource_spans for scope in r.scope_spans for s in scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def model() -> Iterator[Scripted]:
    with scripted_server() as server:
        server.play(saying(characters.faithful))
        yield server


async def test_every_step_of_an_answer_is_a_span_of_the_caller_s_trace(client: Client, receiver: Receiver) -> None:
    """Reading, embedding, searching, quoting and storing, all under the request; nothing of the question in them."""
    async with client(tracing_endpoint=receiver.url) as http:
        await http.post("/api/ask", json={"question": "까마귀 휴가 며칠?"}, headers={"traceparent": PARENT})
    names = {span.name for span in receiver.spans}
    assert {"http", "read", "embed", "search", "quote", "store"} <= names
    asked = [span for span in receiver.spans if span.trace_id.hex() == TRACE]
    assert {"http", "search"} <= {span.name for span in asked}
    assert "까마귀" not in str(receiver.spans)


async def test_without_a_receiver_answers_go_on(client: Client) -> None:
    """A collector that is away delays nobody."""
    async with client(tracing_endpoint="http://127.0.0.1:9/v1/traces") as http:
        assert (await http.post("/api/ask", json={"question": "주차"})).status_code == 200


@pytest.mark.parametrize("traced", [True, False], ids=["tracing", "off"])
async def test_the_trace_goes_on_to_the_model_and_into_the_log(
    client: Client, receiver: Receiver, model: Scripted, tmp_path: Path, traced: bool
) -> None:
    """The same trace id in the header of the model's call and in every line about the request."""
    settings = {"openai_api_key": "sk-test", "openai_base_url": model.url, "environment": "production"}
    secret = {"secret_key": "k" * 40, "allowed_origins": ("https://endy.example",), "anonymous_access": True}
    tracing_endpoint = receiver.url if traced else None
    async with client(tracing_endpoint=tracing_endpoint, **settings, **secret) as http:
        await http.post("/api/ask", json={"question": "연차 이월 언제까지?"}, headers={"traceparent": PARENT})
    sent = model.seen[-1].headers["traceparent"]
    assert tracing.trace_id_of(sent) == TRACE
    assert sent != PARENT
    lines = [json.loads(line) for line in (tmp_path / "endy.log").read_text(encoding="utf-8").splitlines()]
    assert {line["trace_id"] for line in lines if line["event"] == "request"} == {TRACE}


@pytest.mark.parametrize("given", ["", "00-0-0-0", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"{PARENT}-x", "a" * 5000])
def test_what_is_no_trace_is_not_passed_on(given: str) -> None:
    """Whatever a caller sends, nothing but a well-formed id reaches the log or another server."""
    with tracing.exchange({"traceparent": given}, "http") as trace_id:
        assert trace_id == ""
        assert tracing.outgoing() == {}


async def test_a_slow_question_says_where_its_time_went(client: Client) -> None:
    """Seconds by step, and nothing of the question."""
    async with client(slow_question_seconds=0.0001) as http:
        with structlog.testing.capture_logs() as logs:
            await http.post("/api/ask", json={"question": "까마귀 휴가"})
    (slow,) = [entry for entry in logs if entry["event"] == "slow_question"]
    assert {"wait", "read", "search", "store"} <= set(slow["steps"])
    assert slow["seconds"] > 0
    assert "까마귀" not in str(slow)


async def test_a_quick_question_is_not_noted(client: Client) -> None:
    """The log of slow questions holds slow ones only."""
    async with client() as http:
        with structlog.testing.capture_logs() as logs:
            await http.post("/api/ask", json={"question": "주차"})
    assert not [entry for entry in logs if entry["event"] == "slow_question"]


def test_a_step_that_fails_counts_too() -> None:
    """And the same step twice counts together."""
    times = begin()
    for _ in range(2):
        with pytest.raises(ValueError, match="x"), step("search"):
            raise ValueError("x")
    assert set(times) == {"search"}
