"""The parameters that one model takes: learned from its refusals, since no server says so beforehand."""

from openai import APIStatusError, AsyncOpenAI, AsyncStream

from endy.llm.faults import refused_parameter
from endy.llm.models import LlmRequest
from endy.observability.tracing import outgoing

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

    async def send(self, sdk: AsyncOpenAI, request: LlmRequest) -> AsyncStream[object]:
        """Make the call; comes back with the response's headers, its chunks are plain JSON.

        The SDK's own chunk objects take twenty times as long to make, which at hundreds of streams is a whole core.
        """
        limit = "max_completion_tokens" if "max_tokens" in self._refused else "max_tokens"
        optional = {"stream_options": {"include_usage": True}, "temperature": request.temperature}
        body = {
            "model": self._model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "stream": True,
            limit: request.max_tokens,
            **{name: value for name, value in optional.items() if name not in self._refused},
        }
        return await sdk.post(
            "/chat/completions",
            body=body,
            cast_to=object,
            options={"headers": outgoing()},
            stream=True,
            stream_cls=AsyncStream[object],
        )
