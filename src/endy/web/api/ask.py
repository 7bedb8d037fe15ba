"""`POST /api/ask` and `/api/ask/stream`."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

import structlog
from anyio import CancelScope
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, TypeAdapter, ValidationError
from starlette.routing import Match, Route
from starlette.types import Scope

from endy.accounts.roles import Permission
from endy.ask.models import Answer, Asker, AskRequest, StreamEvent
from endy.bootstrap import Services as BuiltServices
from endy.errors import EndyError, UnsupportedMediaType
from endy.web.deps import declares, get_services, limited_asker
from endy.web.documented import errors
from endy.web.envelope import error_body
from endy.web.errors import is_json, note, validation_failed
from endy.web.typed import is_blank, readable

KEEP_ALIVE_SECONDS = 15.0

_LINE_ENDS = str.maketrans("\t\r\n", "   ")

router = APIRouter(prefix="/api", tags=["질문"], responses=errors(401, 429))
_answers = TypeAdapter(Answer)
_log = structlog.get_logger(__name__)


def _one_line(text: str) -> str:
    kept = readable(text).translate(_LINE_ENDS).strip()
    if is_blank(kept):
        raise ValueError("질문을 적어 주세요")
    return kept


class AskBody(BaseModel):
    """What is sent; the question is 1-500 characters after trimming."""

    question: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_one_line)
    ]
    conversation_id: Annotated[str, Field(max_length=64)] | None = None
    category: Annotated[str, Field(max_length=200)] | None = None


_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": AskBody.model_json_schema()}}}
}


@router.post("/ask", openapi_extra=_BODY, response_model=Answer)
@declares(Permission.ASK)
async def ask(request: Request) -> Response:
    """질문에 답합니다."""
    services = get_services(request)
    asker = await limited_asker(request, services)
    answer = await services.ask.ask(await _parse(request, asker))
    return Response(_answers.dump_json(answer), media_type="application/json")


@router.post("/ask/stream", openapi_extra=_BODY, response_class=StreamingResponse)
@declares(Permission.ASK)
async def ask_stream(request: Request) -> StreamingResponse:
    """같은 답을 server-sent events로 보냅니다: meta, delta, done, error."""
    services = get_services(request)
    asker = await limited_asker(request, services)
    events = _events(services, await _parse(request, asker), request.state.request_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


class QuickRoute(Route):
    """A route without FastAPI's own dispatch, which takes a fifth of a cached answer's time and is not needed here."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        return match, {**child, "route": self}


quick_routes = [
    QuickRoute("/api/ask", ask, methods=["POST"]),
    QuickRoute("/api/ask/stream", ask_stream, methods=["POST"]),
]
"""They come before the routes above, which describe the API."""


async def _parse(request: Request, asker: Asker) -> AskRequest:
    if not is_json(request):
        raise UnsupportedMediaType
    try:
        body = AskBody.model_validate_json(await request.body())
    except ValidationError as error:
        raise validation_failed(error.errors(include_url=False, include_input=False, include_context=False)) from None
    return AskRequest(body.question, body.conversation_id or None, body.category or None, asker)


async def _events(services: BuiltServices, request: AskRequest, request_id: str) -> AsyncIterator[bytes]:
    try:
        async with aclosing(_with_keep_alive(services.ask.stream(request))) as events:
            async for event in events:
                yield b": still here\n\n" if event is None else _encode(event)
    except EndyError as error:
        note(services, error)
        yield _error(error, request_id)
    except Exception as error:  # noqa: BLE001  the headers are gone: an event is the only way to say it
        services.metrics.errors.labels(type(error).__name__).inc()
        _log.exception("stream_failed")
        yield _error(EndyError(), request_id)


async def _with_keep_alive(events: AsyncIterator[StreamEvent]) -> AsyncGenerator[StreamEvent | None]:
    """The events, and None whenever nothing came for a while; leaving ends the work behind them."""
    coming: asyncio.Future[StreamEvent | None] | None = None
    try:
        while True:
            coming = asyncio.ensure_future(anext(events, None))
            while not (await asyncio.wait((coming,), timeout=KEEP_ALIVE_SECONDS))[0]:
                yield None
            event = coming.result()
            if event is None:
                return
            yield event
    finally:
        # A left client's scope cancels every await again; the end must be seen through all the same.
        with CancelScope(shield=True):
            await _end(coming, events)


async def _end(coming: asyncio.Future[StreamEvent | None] | None, events: AsyncIterator[StreamEvent]) -> None:
    if coming is not None:
        coming.cancel()
        await asyncio.wait((coming,))
    if isinstance(events, AsyncGenerator):
        await events.aclose()


def _encode(event: StreamEvent) -> bytes:
    if isinstance(event.data, str):
        return _frame(event.name, json.dumps({"text": event.data}, ensure_ascii=False).encode())
    return _frame(event.name, _answers.dump_json(event.data))


def _error(error: EndyError, request_id: str) -> bytes:
    return _frame("error", json.dumps(error_body(error, request_id), ensure_ascii=False).encode())


def _frame(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
