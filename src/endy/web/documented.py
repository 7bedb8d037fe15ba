"""What can go wrong, for the API's description: every status that a route may answer with."""

from typing import Any

from pydantic import BaseModel, Field

from endy.errors import EndyError


class ErrorBody(BaseModel):
    """The one format of errors."""

    error: str = Field(examples=["not_found"])
    message: str = Field(examples=["찾을 수 없어요."])
    details: dict[str, Any] = {}


_EVERYWHERE = (400, 403, 408, 413, 415, 422, 503)
"""Hosts that are not ours, cookies from other sites, slow, large, strange and wrong bodies, a database that is away."""

_CODES = {error.status: error.code for error in EndyError.__subclasses__()} | {400: "validation_error"}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a router: those statuses, and the ones that any call may get."""
    return {
        status: {"model": ErrorBody, "description": _CODES.get(status, "validation_error")}
        for status in sorted({*_EVERYWHERE, *statuses})
    }
