"""uvicorn's HTTP protocol with the clocks and limits that it lacks, whose refusals look like all others."""

import asyncio
import json
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from endy.errors import EndyError, ValidationFailed
from endy.web.body import TooSlow
from endy.web.envelope import TOO_MANY, error_body, made_id
from endy.web.headers import security_headers

MAX_HEAD = 64 * 1024
HEAD_SECONDS = 15.0
READ_SECONDS = 60.0
"""How long a reader may leave what is ready for it lying: with uvicorn's buffer, 0.8 KB/s is fast enough."""


class Unreadable(ValidationFailed):
    status: ClassVar[int] = 400
    message = "요청을 읽을 수 없어요. 주소와 형식을 확인해 주세요."


class HeadTooLarge(ValidationFailed):
    status: ClassVar[int] = 431
    message = "요청 머리글이 너무 커요. 쿠키를 지우고 다시 시도해 주세요."


class PatientProtocol(HttpToolsProtocol):
    """One connection. Between requests and in their heads a clock runs; bodies have theirs in `web.body`."""

    production: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_size = 0
        self._head_clock: asyncio.TimerHandle | None = None
        self._reader_clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clocks()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Also for a body that comes after its answer was given: nobody else waits for that any more.
        if self.cycle is None or self.cycle.response_complete:
            self._await_head()
        if self._in_head:
            self._head_size += len(data)
        super().data_received(data)
        if self._head_size > MAX_HEAD and not self.transport.is_closing():
            self._refuse(HeadTooLarge())

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_size = 0
        if self._head_clock is not None:
            self._head_clock.cancel()
            self._head_clock = None
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer is no header: nothing may be added to a request that has been let in.
        if self._in_head:
            super().on_header(name, value)

    def on_message_complete(self) -> None:
        self._in_head = True
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reader_clock = self._reader_clock or self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reader_clock is not None:
            self._reader_clock.cancel()
            self._reader_clock = None

    def send_400_response(self, msg: str) -> None:
        self._refuse(Unreadable())

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if app is service_unavailable:
            cycle.scope["state"][TOO_MANY] = True
            cycle.keep_alive = False
            app = self.app
        super()._start_asgi_task(cycle, app)

    def _await_head(self) -> None:
        self._head_clock = self._head_clock or self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self._in_head and self._head_size:
            self._refuse(TooSlow())
        else:
            self.transport.close()

    def _refuse(self, error: EndyError) -> None:
        # In the middle of another answer these bytes would be read as a part of it.
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(self._answer(error))
        self.transport.close()

    def _answer(self, error: EndyError) -> bytes:
        request_id = made_id()
        body = json.dumps(error_body(error, request_id), ensure_ascii=False).encode()
        headers = [
            *self.server_state.default_headers,
            *security_headers(self.production),
            (b"x-request-id", request_id.encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        head = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n".encode()
        return b"".join([head, *(name + b": " + value + b"\r\n" for name, value in headers), b"\r\n", body])

    def _stop_clocks(self) -> None:
        for clock in (self._head_clock, self._reader_clock):
            if clock is not None:
                clock.cancel()


class ProductionProtocol(PatientProtocol):
    """The same, with what only production says."""

    production = True
