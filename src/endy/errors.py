"""The one tree of errors that Endy raises on purpose.

EndyError                   code, HTTP status and a Korean sentence for people
├── ValidationFailed        422  the request breaks a documented limit
├── AuthenticationRequired  401  no session where one is needed
├── AuthenticationFailed    401  wrong number, name, password or token
├── InsufficientPermissions 403  signed in, but not allowed
├── NotFound                404  missing, or not for this asker: the two answer alike
├── Conflict                409  somebody else changed it first
├── PayloadTooLarge         413
├── UnsupportedMediaType    415
├── RateLimitExceeded       429  carries the seconds to wait
└── ServiceUnavailable      503  a dependency is away or a queue is full

StartupError                a setting, port or folder that stops the start; never reaches HTTP
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class EndyError(Exception):
    """An error with a stable code; `message` is shown to people, `details` to programs."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    message: str = "일시적인 오류가 생겼어요. 잠시 뒤에 다시 시도해 주세요."

    def __init__(self, message: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        self.message = message or type(self).message
        self.details: dict[str, Any] = dict(details or {})
        super().__init__(self.message)


class ValidationFailed(EndyError):
    code = "validation_error"
    status = 422
    message = "입력값을 확인해 주세요."


class AuthenticationRequired(EndyError):
    code = "authentication_required"
    status = 401
    message = "로그인이 필요해요."


class AuthenticationFailed(EndyError):
    code = "authentication_failed"
    status = 401
    message = "로그인 정보가 맞지 않아요. 다시 확인해 주세요."


class InsufficientPermissions(EndyError):
    code = "insufficient_permissions"
    status = 403
    message = "관리자만 접근 가능합니다"


class NotFound(EndyError):
    code = "not_found"
    status = 404
    message = "찾을 수 없어요."


class Conflict(EndyError):
    code = "conflict"
    status = 409
    message = "다른 분이 먼저 바꿨어요. 새로 고친 뒤 다시 시도해 주세요."


class PayloadTooLarge(EndyError):
    code = "payload_too_large"
    status = 413
    message = "보낸 내용이 너무 커요."


class UnsupportedMediaType(EndyError):
    code = "unsupported_media_type"
    status = 415
    message = "지원하지 않는 형식이에요. JSON으로 보내 주세요."


class RateLimitExceeded(EndyError):
    """`retry_after` is in whole seconds, at least 1."""

    code = "rate_limit_exceeded"
    status = 429
    message = "질문이 잠시 많았어요. 조금 뒤에 다시 시도해 주세요."

    def __init__(self, retry_after: int, message: str | None = None) -> None:
        super().__init__(message, {"retry_after": retry_after})
        self.retry_after = retry_after


class ServiceUnavailable(EndyError):
    code = "service_unavailable"
    status = 503
    message = "지금은 답할 수 없어요. 잠시 뒤에 다시 시도해 주세요."


class StartupError(Exception):
    """What keeps Endy from starting, one sentence per line, ready to be printed."""
