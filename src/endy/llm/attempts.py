"""Which model to try, when to try again, and when to give up: all before the first token, none after it."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass

import structlog
from openai import APIStatusError, AsyncOpenAI, AsyncStream

from endy.llm.breaker import Breaker, BreakerRules
from endy.llm.call import Call, now
from endy.llm.dialect import Dialect
from endy.llm.faults import MALFORMED, SDK_ERRORS, Fault, fault_of
from endy.llm.reading import Reading

FIRST_PAUSE = 0.25
"""Seconds before the first retry, doubled each time; less a random part, so that callers do not come back at once."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Lane:
    """One model on the server."""

    model: str
    dialect: Dialect
    breaker: Breaker


class Attempts:
    """Opens readings, on the first model that answers."""

    def __init__(self, sdk: AsyncOpenAI, models: tuple[str, ...], rules: BreakerRules) -> None:
        self._sdk = sdk
        self._lanes = {model: _Lane(model, Dialect(model), Breaker(rules)) for model in models}

    @property
    def available(self) -> bool:
        return any(lane.breaker.closed for lane in self._lanes.values())

    async def begin(self, call: Call) -> Reading:
        """A reading that has its first piece; Fault when no model brought one."""
        fault = Fault("down", "circuit open")
        for lane in self._lanes.values():
            outcome = await self._try(lane, call)
            if isinstance(outcome, Reading):
                return outcome
            fault = outcome or fault
            if not fault.advice.elsewhere or now() >= call.deadline:
                break
        raise fault

    async def proceed(self, reading: Reading, call: Call) -> str | None:
        """The next piece of a reading, or None after the last one."""
        patience = call.patience.between_tokens
        try:
            return await reading.piece(call.limit(patience), patience, call)
        except Fault as fault:
            self._note(self._lanes[reading.model], fault)
            if fault.advice.counts:
                self._lanes[reading.model].breaker.failed()
            raise

    async def _try(self, lane: _Lane, call: Call) -> Reading | Fault | None:
        """Attempts with one model; None when its circuit let nothing through."""
        fault = None
        for pause in _pauses(call.patience.retries):
            ticket = lane.breaker.admit()
            if ticket is None:
                return fault
            try:
                reading = await self._attempt(lane, call)
                ticket.end(ok=True)
                return reading
            except Fault as error:
                fault = error
                ticket.end(ok=False if fault.advice.counts else None)
                self._note(lane, fault)
            finally:
                ticket.end(ok=None)
            if pause is None or not await _waited(pause, fault, call):
                return fault
        return fault

    async def _attempt(self, lane: _Lane, call: Call) -> Reading:
        limit = call.limit(call.patience.first_token)
        chunks = await self._send(lane, call, limit)
        reading = Reading(chunks, lane.model, call.request.max_tokens)
        try:
            reading.first = await reading.piece(limit, call.patience.between_tokens, call) or ""
        except BaseException:
            call.charge("", reading.reported)
            await reading.close()
            raise
        return reading

    async def _send(self, lane: _Lane, call: Call, limit: float) -> AsyncStream[object]:
        try:
            async with asyncio.timeout_at(limit):
                return await self._ask(lane, call)
        except asyncio.CancelledError:
            call.charge()
            raise
        except TimeoutError:
            call.charge()
            fault = Fault("slow", "first token")
        except (*SDK_ERRORS, *MALFORMED) as error:
            fault = fault_of(error)
        raise fault

    async def _ask(self, lane: _Lane, call: Call) -> AsyncStream[object]:
        """One request, and another one for each parameter that the model turns out not to know."""
        while True:
            try:
                return await lane.dialect.send(self._sdk, call.request)
            except APIStatusError as error:
                if not lane.dialect.learns_from(error):
                    raise

    def _note(self, lane: _Lane, fault: Fault) -> None:
        circuit = "closed" if lane.breaker.closed else "open"
        _log.warning("llm_attempt_failed", model=lane.model, reason=fault.reason, detail=fault.detail, circuit=circuit)


def _pauses(retries: int) -> Iterator[float | None]:
    """The pause after each attempt; None after the last one."""
    yield from (FIRST_PAUSE * 2**turn for turn in range(retries))
    yield None


async def _waited(pause: float, fault: Fault, call: Call) -> bool:
    """Whether to try once more, after the pause that the server asks for or our own."""
    asked = fault.advice.retry_after
    seconds = pause * random.uniform(0.5, 1.0) if asked is None else asked  # noqa: S311  no secret hangs on it  # nosec B311
    # A longer wait than for a first token is no use to whoever asked.
    if not fault.advice.again or seconds > call.patience.first_token or now() + seconds >= call.deadline:
        return False
    await asyncio.sleep(seconds)
    return True
