"""What is asked of a language model, what comes back, and how it fails."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

Reason = Literal["off", "down", "slow", "limited", "budget", "busy", "cut", "refused", "garbage"]
Purpose = Literal["answer", "rewrite", "enrich", "evaluate"]


class LlmUnavailable(Exception):
    """No usable answer; the caller answers without the model, so this never reaches HTTP.

    off       no model is configured
    down      connection failed, 5xx, or the circuit is open after many failures
    slow      no connection, first token, next token or end in time
    limited   429, and the server asks for a longer wait than anybody has
    budget    the day's money or the user's calls of the day are used up
    busy      too many calls are under way here
    cut       the answer stopped in the middle (no finish reason, or "length")
    refused   the server or the model said no: wrong key, unknown model, content filter
    garbage   not the protocol: malformed chunks, an empty or an endless answer

    `detail` is a short fixed word or a status code for logs, never the server's own text.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason: Reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation with the model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class LlmRequest:
    """One call. `user_key` is a hash, used only to count the user's calls of the day; it is not sent."""

    messages: tuple[Message, ...]
    max_tokens: int = 800
    temperature: float = 0.2
    user_key: str | None = None
    purpose: Purpose = "answer"

    @classmethod
    def of(
        cls,
        system: str,
        user: str,
        *,
        max_tokens: int = 800,
        temperature: float = 0.2,
        user_key: str | None = None,
        purpose: Purpose = "answer",
    ) -> Self:
        """A request with one instruction and one question."""
        messages = (Message("system", system), Message("user", user))
        return cls(messages, max_tokens, temperature, user_key, purpose)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call cost; `estimated` when the server did not report its tokens."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost_krw: float = 0.0
    estimated: bool = False

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cost_krw + other.cost_krw,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True)
class LlmAnswer:
    """A whole answer, ended by the model itself."""

    text: str
    model: str
    usage: Usage
    first_token_seconds: float
    seconds: float


class Writing:
    """An answer while it is written.

    async with model.stream(request) as writing:
        async for piece in writing: ...

    Leaving the block closes the HTTP stream at once. `model`, `finish_reason`, `usage` and the two times are filled
    in by the model as it goes and are final after the block, also when it ended with LlmUnavailable.
    """

    def __init__(self, write: Callable[["Writing"], AsyncGenerator[str, None]]) -> None:
        self.model = ""
        self.finish_reason: str | None = None
        self.usage = Usage()
        self.first_token_seconds = 0.0
        self.seconds = 0.0
        self._pieces = write(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        return await anext(self._pieces)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop writing; safe to call twice."""
        await self._pieces.aclose()


class LanguageModel(Protocol):
    """A model that writes; every failure is LlmUnavailable."""

    @property
    def available(self) -> bool:
        """Whether it is believed to answer, for the health page."""
        ...

    async def write(self, request: LlmRequest) -> LlmAnswer:
        """The whole answer at once."""
        ...

    def stream(self, request: LlmRequest) -> Writing:
        """The answer in pieces; nothing is sent before the first piece is asked for."""
        ...

    async def spent_today(self) -> float:
        """Won, with what is reserved for calls under way."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
