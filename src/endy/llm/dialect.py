"""The parameters that one model takes: learned from its refusals, since no server says so beforehand."""

from typing import TypeVar

from openai import APIStatusError, AsyncOpenAI, AsyncStream, Omit, omit
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from endy.llm.faults import refused_parameter
from endy.llm.models import LlmRequest, Message

_T = TypeVar("_T")
_OPTIONAL = ("max_tokens", "temperature", "stream_options")


class Dialect:
    """Starts with what every server is documented to take and drops what this one refuses."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._refused: set[str] = set()

    def learns_from(self, error: APIStatusError) -> bool:
        """Whether the next call will differ in the parameter that this one was refused for."""
        name = refused_parameter(error, tuple(name for name in _OPTIONAL if name not in self._refused))
        if name is not None:
            self._refused.add(name)
        return name is not None

    async def send(self, sdk: AsyncOpenAI, request: LlmRequest) -> AsyncStream[ChatCompletionChunk]:
        """Make the call; comes back with the response's headers."""
        renamed = "max_tokens" in self._refused
        return await sdk.chat.completions.create(
            model=self._model,
            messages=[_parameter(message) for message in request.messages],
            stream=True,
            stream_options=self._unless_refused("stream_options", {"include_usage": True}),
            temperature=self._unless_refused("temperature", request.temperature),
            max_tokens=omit if renamed else request.max_tokens,
            max_completion_tokens=request.max_tokens if renamed else omit,
        )

    def _unless_refused(self, name: str, value: _T) -> _T | Omit:
        return omit if name in self._refused else value


def _parameter(message: Message) -> ChatCompletionMessageParam:
    if message.role == "system":
        return {"role": "system", "content": message.content}
    if message.role == "assistant":
        return {"role": "assistant", "content": message.content}
    return {"role": "user", "content": message.content}
