"""Errors as JSON: one format for everything that goes wrong, without paths, traces or what was typed."""

from typing import TYPE_CHECKING, Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from endy.errors import EndyError, NotFound, RateLimitExceeded, UnsupportedMediaType, ValidationFailed
from endy.web.envelope import error_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import Request

_BY_STATUS: dict[int, type[EndyError]] = {404: NotFound, 415: UnsupportedMediaType}


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(EndyError, _endy_error)
    app.add_exception_handler(RequestValidationError, _request_error)
    app.add_exception_handler(HTTPException, _http_error)


def validation_failed(problems: "Sequence[Any]") -> ValidationFailed:
    """pydantic's findings as details: where and what, never the value."""
    fields = [{"field": ".".join(map(str, item["loc"])), "problem": item["msg"]} for item in problems]
    return ValidationFailed(details={"fields": fields})


async def _endy_error(_request: "Request", error: Exception) -> JSONResponse:
    known = cast("EndyError", error)
    response = JSONResponse(error_body(known), known.status)
    wait = known.retry_after if isinstance(known, RateLimitExceeded) else known.details.get("retry_after")
    if wait:
        response.headers["Retry-After"] = str(wait)
    if known.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def _request_error(request: "Request", error: Exception) -> JSONResponse:
    problems = cast("RequestValidationError", error).errors()
    return await _endy_error(request, validation_failed(problems))


async def _http_error(request: "Request", error: Exception) -> JSONResponse:
    known = cast("HTTPException", error)
    if known.status_code in _BY_STATUS:
        return await _endy_error(request, _BY_STATUS[known.status_code]())
    if known.status_code == 405:
        body = {"error": "not_found", "message": "이 주소는 그 방식으로 부를 수 없어요.", "details": {}}
        return JSONResponse(body, 405, headers=known.headers)
    code = "validation_error" if known.status_code < 500 else "internal_error"
    body = {"error": code, "message": "요청을 처리할 수 없어요.", "details": {}}
    return JSONResponse(body, known.status_code, headers=known.headers)
