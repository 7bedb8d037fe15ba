"""A scripted OpenAI-compatible server on a real socket: each call plays the next script, the last one for ever."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Script = Callable[[Request, dict[str, Any]], Awaitable[Response]]
KOREAN = ["연차는 ", "입사 1년 뒤 ", "15일", "이에요. ", "[1]"]
USAGE = {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150}


@dataclass
class Seen:
    """One request as the server saw it."""

    method: str
    url: str
    headers: dict[str, str]
    body: dict[str, Any]
    client: tuple[str, int]


@dataclass
class Scripted:
    """What the server plays and what it saw."""

    scripts: list[Script] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    """When clients went away in the middle, by time.monotonic()."""
    running: int = 0
    most: int = 0
    """The most calls that were under way at once."""
    site: str = ""

    @property
    def url(self) -> str:
        return f"{self.site}/v1"

    def play(self, *scripts: Script) -> None:
        self.scripts = list(scripts)

    def app(self) -> Starlette:
        """The application that plays the scripts on every path."""
        paths = ["/v1/chat/completions", "/{rest:path}"]
        return Starlette(routes=[Route(path, self.answer, methods=["GET", "POST"]) for path in paths])

    def next_script(self) -> Script:
        return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]

    async def answer(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"object": "list", "data": []})
        body = await request.json()
        client = request.client
        assert client is not None
        self.seen.append(
            Seen(request.method, str(request.url), dict(request.headers), body, (client.host, client.port))
        )
        response = await self.next_script()(request, body)
        if isinstance(response, StreamingResponse):
            response.body_iterator = self._watched(response.body_iterator)
        return response

    async def _watched(self, parts: Any) -> AsyncIterator[Any]:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            async for part in parts:
                yield part
        except (asyncio.CancelledError, GeneratorExit):
            self.left.append(time.monotonic())
            raise
        finally:
            self.running -= 1


def chunk(text: str | None = None, finish: str | None = None, usage: dict[str, int] | None = None, **delta: Any) -> str:
    """One chunk as OpenAI sends it."""
    content = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": content | delta, "finish_reason": finish}
    choices = [] if usage else [choice]
    body = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": choices}
    return f"data: {json.dumps(body | ({'usage': usage} if usage else {}), ensure_ascii=False)}\n\n"


DONE = "data: [DONE]\n\n"


def events(*parts: str | float, headers: dict[str, str] | None = None, media_type: str = "text/event-stream") -> Script:
    """Send the parts in their order; a number is a pause in seconds."""

    async def script(_request: Request, _body: dict[str, Any]) -> Response:
        async def body() -> AsyncIterator[str]:
            for part in parts:
                if isinstance(part, str):
                    yield part
                else:
                    await asyncio.sleep(part)

        return StreamingResponse(body(), media_type=media_type, headers=headers)

    return script


def honest(
    pieces: list[str] | None = None,
    *,
    before: float = 0.0,
    between: float = 0.0,
    usage: dict[str, int] | None = USAGE,
    finish: str | None = "stop",
) -> Script:
    """A whole answer, as slow as asked for."""
    parts: list[str | float] = [before, chunk("", role="assistant")]
    for piece in KOREAN if pieces is None else pieces:
        parts += [chunk(piece), between]
    parts.append(chunk(finish=finish))
    if usage:
        parts.append(chunk(usage=usage))
    return events(*parts, DONE)


def failing(status: int, headers: dict[str, str] | None = None, **error: Any) -> Script:
    """An error answer in OpenAI's form."""

    async def script(_request: Request, _body: dict[str, Any]) -> Response:
        return JSONResponse({"error": {"message": "scripted", **error}}, status, headers=headers)

    return script


def cut(*pieces: str) -> Script:
    """Some pieces, and then the connection breaks inside the chunked body."""

    async def script(_request: Request, _body: dict[str, Any]) -> Response:
        async def body() -> AsyncIterator[str]:
            for piece in pieces:
                yield chunk(piece)
            await asyncio.sleep(0.02)
            raise ConnectionResetError

        return StreamingResponse(body(), media_type="text/event-stream")

    return script


def endless(piece: str = "끝이 없어요 ") -> Script:
    """Pieces without an end, as fast as they are read."""

    async def script(_request: Request, _body: dict[str, Any]) -> Response:
        async def body() -> AsyncIterator[str]:
            while True:
                yield chunk(piece)
                await asyncio.sleep(0)

        return StreamingResponse(body(), media_type="text/event-stream")

    return script


@contextmanager
def scripted_server() -> Iterator[Scripted]:
    """Run the server in a thread on a free port of the loopback address."""
    state = Scripted()
    config = uvicorn.Config(
        state.app(), host="127.0.0.1", port=0, log_level="critical", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    state.site = f"http://127.0.0.1:{port}"
    try:
        yield state
    finally:
        # Scripts that hang would keep a polite shutdown waiting.
        server.should_exit = server.force_exit = True
        with suppress(RuntimeError):
            thread.join(5)
