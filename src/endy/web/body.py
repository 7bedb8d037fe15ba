"""The body of a request: how much of it may come, how long that may take, and which JSON is too strange to read."""

import asyncio
import json
import math
import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any, ClassVar, TypeVar

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from endy.errors import PayloadTooLarge, ValidationFailed

MAX_BODY = 256 * 1024
MAX_DEPTH = 32
BODY_SECONDS = 30.0
"""For the whole body; a larger limit (`accepts_body`) may come with more time."""

Handler = TypeVar("Handler", bound=Callable[..., Any])

# An open quotation mark reads to the end, so that nothing is ever read twice.
_TEXTS = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS = re.compile(r"[\[\]{}]")
_NULS = re.compile(r"(?<!\\)(?:\\\\)*+\\u0000")
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


class TooSlow(ValidationFailed):
    """The contract's codes have none for time; the status tells programs."""

    status: ClassVar[int] = 408
    message = "요청이 끝까지 오지 않았어요. 연결을 확인하고 다시 보내 주세요."


def accepts_body(size: int, seconds: float = BODY_SECONDS) -> Callable[[Handler], Handler]:
    """For handlers that take files: another limit than everybody's, set before anything is read."""

    def mark(handler: Handler) -> Handler:
        handler.body_limits = (size, seconds)  # type: ignore[attr-defined]
        return handler

    return mark


class Body:
    """What comes in of one request, piece by piece, as the application asks for it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
        self._is_json = kind == "application/json" or kind.endswith("+json")
        self._kept: list[bytes] = []
        self._size = 0
        self._deadline = 0.0
        self._complete = False

    async def take(self) -> Message:
        """The next piece. Raises PayloadTooLarge, TooSlow and, for JSON that is all there, ValidationFailed."""
        if self._complete:
            return await self._receive()
        limit, seconds = getattr(self._scope.get("endpoint"), "body_limits", (MAX_BODY, BODY_SECONDS))
        message = await self._in_time(seconds)
        if message["type"] == "http.request":
            self._add(message.get("body", b""), limit)
            if not message.get("more_body", False):
                self._finish()
        return message

    async def _in_time(self, seconds: float) -> Message:
        self._deadline = self._deadline or asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError:
            raise TooSlow from None

    def _add(self, piece: bytes, limit: int) -> None:
        self._size += len(piece)
        if self._size > limit:
            raise PayloadTooLarge
        if self._is_json:
            self._kept.append(piece)

    def _finish(self) -> None:
        self._complete = True
        if self._is_json and self._size:
            check_json(b"".join(self._kept))
            self._kept.clear()


def check_json(body: bytes) -> None:
    """Raise ValidationFailed for what is no JSON, or what readers of JSON take differently or choke on."""
    try:
        text = body.decode("utf-8-sig")
        if is_deep(text):
            raise _problem(f"{MAX_DEPTH}겹까지만 받아요")
        found = json.loads(
            text, object_pairs_hook=_unique, parse_int=_whole, parse_float=_finite, parse_constant=_finite
        )
        if "\\u" in text:
            _check_escaped(found)
    except (UnicodeError, json.JSONDecodeError):
        raise _problem("UTF-8로 적은 JSON이 아니에요") from None


def is_deep(text: str) -> bool:
    """Whether it is nested deeper than allowed, found out without recursion."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    steps = (_STEPS[bracket[0]] for bracket in _BRACKETS.finditer(_TEXTS.sub("", text)))
    return any(level > MAX_DEPTH for level in accumulate(steps))


def _check_escaped(found: Any) -> None:
    """Half characters and the character that ends a text in databases; both can only come escaped."""
    written = json.dumps(found, ensure_ascii=False)
    written.encode()
    if _NULS.search(written):
        raise _problem("널 문자(\\u0000)는 받지 않아요")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _problem("같은 이름이 두 번 나와요")
    return found


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= (number := int(digits)) < 2**63:
        raise _problem("너무 큰 수가 있어요")
    return number


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise _problem("셀 수 있는 수만 받아요")
    return number


def _problem(problem: str) -> ValidationFailed:
    return ValidationFailed(details={"fields": [{"field": "body", "problem": problem}]})
