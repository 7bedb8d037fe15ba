"""What the SDK raises, made into reasons; no text of the server, its address or the key gets out of here."""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx2
from openai import APIError, APIStatusError, APITimeoutError, OpenAIError

from endy.llm.models import LlmUnavailable, Reason

SDK_ERRORS = (OpenAIError, httpx2.HTTPError, httpx2.StreamError)
MALFORMED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What the SDK lets through when chunks are not JSON or not the JSON that it expects."""

_FILTERED = re.compile(r"content_filter|content_policy|ResponsibleAI")
_UNKNOWN_PARAMETER = re.compile(
    r"unsupported|not support|unrecogni|unknown|extra|not permitted|unexpected", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do after a fault: the same model again, another one, and whether it speaks against the model."""

    again: bool = False
    elsewhere: bool = True
    counts: bool = True
    retry_after: float | None = None


class Fault(LlmUnavailable):
    """A failed attempt, with what may be done about it."""

    def __init__(self, reason: Reason, detail: str, advice: Advice | None = None) -> None:
        super().__init__(reason, detail)
        self.advice = advice or Advice()


class Oversized(httpx2.RequestError):
    """The response has more bytes than any answer."""


def fault_of(error: Exception) -> Fault:
    """The fault behind an exception of the SDK or of reading its chunks."""
    if isinstance(error, APIStatusError):
        return _status_fault(error)
    if isinstance(error, Oversized) or isinstance(error.__cause__, Oversized):
        return Fault("garbage", "too many bytes")
    if isinstance(error, APITimeoutError | httpx2.TimeoutException):
        return Fault("slow", "connect" if isinstance(error.__cause__, httpx2.ConnectTimeout) else "read")
    if isinstance(error, MALFORMED):
        return Fault("garbage", "malformed")
    if type(error) is APIError:
        return _event_fault(error)
    return Fault("down", "connection", Advice(again=True))


def _status_fault(error: APIStatusError) -> Fault:
    status, detail = error.status_code, str(error.status_code)
    if status == 429:
        # The money is gone, not the minute's share: nothing to wait for.
        used_up = "insufficient_quota" in (error.code, error.type)
        return Fault("limited", detail, Advice(again=not used_up, retry_after=retry_after(error.response.headers)))
    if status >= 500 or status in (408, 409):
        return Fault("down", detail, Advice(again=True, retry_after=retry_after(error.response.headers)))
    if status in (403, 404):
        return Fault("refused", detail)
    if status in (400, 413, 422):
        filtered = bool(_FILTERED.search(_text(error)))
        return Fault("refused", "content filter" if filtered else detail, Advice(elsewhere=not filtered, counts=False))
    return Fault("refused", detail, Advice(elsewhere=False))


def _event_fault(error: APIError) -> Fault:
    """An error that came as an event of the stream."""
    if _FILTERED.search(_text(error)):
        return Fault("refused", "content filter", Advice(elsewhere=False, counts=False))
    if error.code == "429":
        return Fault("limited", "error event", Advice(again=True))
    return Fault("down", "error event", Advice(again=True))


def refused_parameter(error: APIStatusError, names: tuple[str, ...]) -> str | None:
    """Which of the parameters the server does not know, if that is its complaint."""
    text = _text(error)
    if error.status_code not in (400, 422) or not _UNKNOWN_PARAMETER.search(text):
        return None
    if error.param in names:
        return error.param
    return next((name for name in names if re.search(rf"\b{name}\b", text)), None)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait; None when it says nothing that can be read."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        seconds = _seconds(headers.get(name, "")) / unit
        if not math.isnan(seconds):
            return max(0.0, seconds)
    return None


def _seconds(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return math.nan


def _text(error: APIError) -> str:
    return f"{error.code} {error.type} {error.message} {error.body}"[:4000]
