"""The client of any OpenAI-compatible server: budget, queue and metrics around each answer."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
from openai import AsyncOpenAI

from endy.llm.attempts import Attempts
from endy.llm.breaker import BreakerRules
from endy.llm.budget import Budget
from endy.llm.call import Call, Patience, now
from endy.llm.models import LlmAnswer, LlmRequest, LlmUnavailable, Writing
from endy.llm.reading import Reading
from endy.llm.slots import Slots
from endy.observability.metrics import Metrics


class OpenAiModel:
    """A LanguageModel over HTTP; `models` are in the order of preference."""

    def __init__(
        self,
        sdk: AsyncOpenAI,
        models: tuple[str, ...],
        slots: Slots,
        budget: Budget,
        metrics: Metrics,
        patience: Patience | None = None,
        rules: BreakerRules | None = None,
    ) -> None:
        self._sdk = sdk
        self._attempts = Attempts(sdk, models, rules or BreakerRules())
        self._slots = slots
        self._budget = budget
        self._metrics = metrics
        self._patience = patience or Patience()

    @property
    def available(self) -> bool:
        """Whether some model is believed to answer, for the health page."""
        return self._attempts.available

    async def write(self, request: LlmRequest) -> LlmAnswer:
        """The whole answer; streamed all the same, so that a silent server is noticed and can be left."""
        async with self.stream(request) as writing:
            text = "".join([piece async for piece in writing])
        return LlmAnswer(text, writing.model, writing.usage, writing.first_token_seconds, writing.seconds)

    def stream(self, request: LlmRequest) -> Writing:
        return Writing(partial(self._write, request))

    async def aclose(self) -> None:
        await self._sdk.close()

    async def spent_today(self) -> float:
        """Won, with what is reserved for calls under way."""
        return await self._budget.spent_today()

    async def _write(self, request: LlmRequest, writing: Writing) -> AsyncGenerator[str, None]:
        call = Call(request, writing, self._patience, self._budget, now())
        status = "left"
        try:
            async with self._paid(call), self._slots.taken(), self._reading(call) as reading:
                yield reading.first
                while (piece := await self._attempts.proceed(reading, call)) is not None:
                    yield piece
                status = "success"
        except LlmUnavailable as error:
            status = error.reason
            raise
        finally:
            self._record(call, status)

    @asynccontextmanager
    async def _paid(self, call: Call) -> AsyncIterator[None]:
        reservation = await self._budget.reserve(call.request)
        try:
            yield
        finally:
            with anyio.move_on_after(1, shield=True):
                await self._budget.settle(reservation, call.writing.usage)

    @asynccontextmanager
    async def _reading(self, call: Call) -> AsyncIterator[Reading]:
        reading = await self._attempts.begin(call)
        call.writing.model = reading.model
        call.writing.first_token_seconds = call.seconds()
        try:
            yield reading
        finally:
            call.writing.finish_reason = reading.finish_reason
            call.charge("".join(reading.written), reading.reported)
            await reading.close()

    def _record(self, call: Call, status: str) -> None:
        usage = call.writing.usage
        call.writing.seconds = call.seconds()
        self._metrics.llm_requests.labels(status).inc()
        self._metrics.llm_seconds.observe(call.writing.seconds)
        self._metrics.llm_tokens.labels("in").inc(usage.tokens_in)
        self._metrics.llm_tokens.labels("out").inc(usage.tokens_out)
        self._metrics.llm_cost_krw.inc(usage.cost_krw)
