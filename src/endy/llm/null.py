"""The model that is not there: Endy answers extractively."""

from collections.abc import AsyncGenerator

from endy.llm.models import LlmAnswer, LlmRequest, LlmUnavailable, Writing


class NullModel:
    """A LanguageModel for installations without a key."""

    available = False

    async def write(self, request: LlmRequest) -> LlmAnswer:
        raise LlmUnavailable("off")

    def stream(self, request: LlmRequest) -> Writing:
        return Writing(_nothing)

    async def spent_today(self) -> float:
        return 0.0

    async def aclose(self) -> None:
        """There is nothing to close."""


async def _nothing(writing: Writing) -> AsyncGenerator[str, None]:
    raise LlmUnavailable("off")
    yield ""  # makes this a generator
