"""Errors as JSON: one format for everything that goes wrong, without paths, traces or what was typed."""

from typing import TYPE_CHECKING, Any, cast

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from endy.errors import EndyError, NotFound, RateLimitExceeded, UnsupportedMediaType, ValidationFailed
from endy.web.deps import get_services
from endy.web.envelope import error_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import Request

    from endy.bootstrap import Services

_BY_STATUS: dict[int, type[EndyError]] = {
    400: ValidationFailed,
    404: NotFound,
    415: UnsupportedMediaType,
}
_log = structlog.get_logger(__name__)


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(EndyError, _endy_error)
    app.add_exception_handler(RequestValidationError, _request_error)
    app.add_exception_handler(HTTPException, _http_error)


def is_json(request: "Request") -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def validation_failed(problems: "Sequence[Any]") -> ValidationFailed:
    """pydantic's findings as details: where and what, never the value."""
    fields = [{"field": ".".join(map(str, item["loc"])), "problem": item["msg"]} for item in problems]
    return ValidationFailed(details={"fields": fields})


async def _endy_error(request: "Request", error: Exception) -> JSONResponse:
    known = cast("EndyError", error)
    note(get_services(request), known)
    response = JSONResponse(error_body(known, request.state.request_id), known.status)
    wait = known.retry_after if isinstance(known, RateLimitExceeded) else known.details.get("retry_after")
    if wait:
        response.headers["Retry-After"] = str(wait)
    if known.status == 413:
        # Else the server would go on reading what nobody wants.
        response.headers["Connection"] = "close"
    if known.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def note(services: "Services", error: EndyError) -> None:
    """Count and log a fault of ours with its cause; what callers do wrong is in the access line."""
    if error.status < 500:
        return
    services.metrics.errors.labels(type(error).__name__).inc()
    _log.warning("request_failed", error=error.code, reason=error.message, cause=str(error.__cause__ or ""))


async def _request_error(request: "Request", error: Exception) -> JSONResponse:
    problems = cast("RequestValidationError", error).errors()
    if any(item["loc"][0] == "body" for item in problems) and not is_json(request):
        return await _endy_error(request, UnsupportedMediaType())
    return await _endy_error(request, validation_failed(problems))


async def _http_error(request: "Request", error: Exception) -> JSONResponse:
    known = cast("HTTPException", error)
    # The framework hides what went wrong while the body was read behind a 400.
    if isinstance(known.__cause__, EndyError):
        return await _endy_error(request, known.__cause__)
    if known.status_code in _BY_STATUS:
        return await _endy_error(request, _BY_STATUS[known.status_code]())
    if known.status_code == 405:
        body = {"error": "not_found", "message": "이 주소는 그 방식으로 부를 수 없어요.", "details": {}}
        return JSONResponse(body, 405, headers=known.headers)
    code = "validation_error" if known.status_code < 500 else "internal_error"
    body = {"error": code, "message": "요청을 처리할 수 없어요.", "details": {}}
    return JSONResponse(body, known.status_code, headers=known.headers)
