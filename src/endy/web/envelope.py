"""What every HTTP exchange carries: request id, security headers, limits, metrics and an access line."""

import json
import re
import time
import uuid
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endy.errors import EndyError, ServiceUnavailable
from endy.limits.rate import RateState
from endy.observability import tracing
from endy.observability.metrics import Metrics
from endy.privacy.masking import mask
from endy.web.body import Body
from endy.web.headers import security_headers
from endy.web.hosts import Hosts, relative

TOO_MANY = "too_many_connections"
"""Set in a request's state by the server that has no place for it."""

_UNREAD = {408, 413}
"""Else the server would go on reading what nobody wants."""
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}")
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
_log = structlog.get_logger("endy.access")


class Envelope:
    """Outermost middleware: nothing leaves without these headers, and no exception leaves at all."""

    def __init__(self, app: ASGIApp, metrics: Metrics, production: bool, public_url: str | None = None) -> None:
        self._app = app
        self._metrics = metrics
        self._headers = security_headers(production)
        self._hosts = Hosts(public_url if production else None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Exchange(self, scope, receive, send).run()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["state"].pop(TOO_MANY, False):
            raise ServiceUnavailable(details={"retry_after": 1})
        self._hosts.check(scope)
        await self._app(scope, receive, send)

    def finish(self, scope: Scope, method: str, status: int, seconds: float) -> None:
        # Mounted files have no route; where they are mounted names them.
        endpoint = getattr(scope.get("route"), "path", scope.get("root_path") or "unmatched")
        method = method if method in _METHODS else "OTHER"
        self._metrics.requests.labels(method, endpoint, str(status)).inc()
        trace_id = structlog.contextvars.get_contextvars().get("trace_id")
        self._metrics.response_seconds.labels(endpoint).observe(seconds, {"trace_id": trace_id} if trace_id else None)
        quiet = endpoint in ("/liveness", "/readiness", "/health", "/metrics", "/static")
        user = scope.get("state", {}).get("user")
        write = _log.debug if quiet else _log.info
        write(
            "request",
            method=method,
            route=endpoint,
            status=status,
            duration_ms=round(seconds * 1000, 1),
            user=f"{user.employee_id[:4]}***" if user else None,
        )

    def failed(self, error: BaseException) -> None:
        self._metrics.errors.labels(type(error).__name__).inc()
        _log.error("request_failed", exc_info=error)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return self._headers


class _Exchange:
    """One request and its response."""

    def __init__(self, envelope: Envelope, scope: Scope, receive: Receive, send: Send) -> None:
        self._envelope = envelope
        # Pages and files answer HEAD as GET. Calls of the API do things, and mail scanners try links by HEAD.
        self._method = scope["method"]
        self._headless = self._method == "HEAD" and not scope["path"].startswith("/api/")
        self._scope = {**scope, "method": "GET"} if self._headless else scope
        self._take = Body(self._scope, receive).take
        self._send = send
        self._status = 0
        self._id = _request_id(Headers(scope=scope).get("x-request-id", ""))

    async def run(self) -> None:
        started = time.perf_counter()
        self._scope.setdefault("state", {})["request_id"] = self._id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=self._id)
        with tracing.exchange(Headers(scope=self._scope), "http") as trace_id:
            if trace_id:
                structlog.contextvars.bind_contextvars(trace_id=trace_id)
            await self._serve(started)

    async def _serve(self, started: float) -> None:
        try:
            await self._envelope.serve(self._scope, self._take, self._give)
        except EndyError as error:
            await self._refuse(error)
        except ClientDisconnect:
            _log.debug("client_left")
        except Exception as error:  # noqa: BLE001  the edge: nothing but our error format leaves
            self._envelope.failed(error)
            await self._refuse(EndyError())
        finally:
            self._envelope.finish(self._scope, self._method, self._status or 499, time.perf_counter() - started)

    async def _give(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._complete(message)
        elif self._headless:
            message = {**message, "body": b""}
        await self._send(message)

    def _complete(self, message: Message) -> None:
        present = {name for name, _ in message["headers"]}
        message["headers"] = [
            *message["headers"],
            *(pair for pair in self._envelope.headers if pair[0] not in present),
            (b"x-request-id", self._id.encode()),
        ]
        headers = MutableHeaders(raw=message["headers"])
        if message["status"] in _UNREAD or self._draining():
            headers["Connection"] = "close"
        if "location" in headers:
            headers["Location"] = relative(headers["location"], self._scope)
        rate: RateState | None = self._scope["state"].get("rate")
        if rate is not None:
            headers["RateLimit-Limit"] = str(rate.limit)
            headers["RateLimit-Remaining"] = str(rate.remaining)
            headers["RateLimit-Reset"] = str(rate.reset)
        message["headers"] = headers.raw

    def _draining(self) -> bool:
        """Whether the next request on this connection had better go to another replica."""
        services = getattr(self._scope["app"].state, "services", None)
        return services is not None and services.health.draining

    async def _refuse(self, error: EndyError) -> None:
        if self._status:
            return
        body = json.dumps(error_body(error, self._id), ensure_ascii=False).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if "retry_after" in error.details:
            headers.append((b"retry-after", str(error.details["retry_after"]).encode()))
        await self._give({"type": "http.response.start", "status": error.status, "headers": headers})
        await self._give({"type": "http.response.body", "body": body})


def error_body(error: EndyError, request_id: str) -> dict[str, Any]:
    """The one format of errors; a fault of ours names the request, so that people can report it."""
    named = {"request_id": request_id} if error.status >= 500 else {}
    return {"error": error.code, "message": error.message, "details": error.details | named}


def _request_id(given: str) -> str:
    if _WELL_FORMED.fullmatch(given) and mask(given) == given:
        return given
    return made_id()


def made_id() -> str:
    """An id of letters only: logs mask long numbers, and must show the id that was sent."""
    return uuid.uuid4().hex.translate(_LETTERS)
