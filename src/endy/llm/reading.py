"""One HTTP stream of chunks, made into pieces of text and an honest end."""

import asyncio
from typing import Any

import anyio
from openai import AsyncStream

from endy.llm.call import Call
from endy.llm.faults import MALFORMED, SDK_ERRORS, Advice, Fault, fault_of
from endy.llm.thinking import Thoughts

CHARACTERS_PER_TOKEN = 8
"""More than any model writes per token: an answer that is longer ignores its limit and would never end."""

LAST_WORDS_SECONDS = 1.0
"""How long to wait for the usage after the model has said that it is done."""

_NOT_OURS = Advice(elsewhere=False, counts=False)


class Reading:
    """Reads one answer. After the last piece `finish_reason` and `reported` (tokens in and out) are final."""

    def __init__(self, chunks: AsyncStream[object], model: str, max_tokens: int) -> None:
        self.model = model
        self.first = ""
        self.finish_reason: str | None = None
        self.reported: tuple[int, int] | None = None
        self.written: list[str] = []
        self._chunks = chunks
        self._thoughts = Thoughts()
        self._thinking = False
        self._refused = False
        self._silent = True
        self._left = (max_tokens + 64) * CHARACTERS_PER_TOKEN

    async def piece(self, limit: float, thinking_patience: float, call: Call) -> str | None:
        """The next text before `limit`, or None when the model has ended its answer; any other end is a Fault.

        While the model thinks aloud, each thought gives it `thinking_patience` more seconds.
        """
        while (chunk := await self._next(limit, call.deadline)) is not None:
            if text := self._take(chunk):
                self.written.append(text)
                return text
            if self._thinking:
                limit = call.limit(thinking_patience)
            if self.finish_reason is not None:
                limit = call.limit(LAST_WORDS_SECONDS)
        return self._end()

    async def close(self) -> None:
        """Close the HTTP response, also when the caller is being cancelled."""
        with anyio.move_on_after(1, shield=True):
            await self._chunks.close()

    async def _next(self, limit: float, deadline: float) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout_at(limit):
                chunk = await anext(self._chunks, None)
        except TimeoutError:
            fault = Fault("slow", "total" if limit >= deadline else self._place())
        except (*SDK_ERRORS, *MALFORMED) as error:
            fault = fault_of(error)
        else:
            if chunk is None or isinstance(chunk, dict):
                return chunk
            fault = Fault("garbage", "not a chunk")
        # What goes wrong after the last word takes nothing from the answer.
        if self.finish_reason is not None:
            return None
        raise self._in_the_middle(fault)

    def _place(self) -> str:
        return "next token" if self.written else "first token"

    def _in_the_middle(self, fault: Fault) -> Fault:
        return Fault("cut", fault.detail) if self.written and fault.reason in ("down", "limited") else fault

    def _take(self, chunk: dict[str, Any]) -> str:
        try:
            text, size = self._read(chunk)
        except MALFORMED:
            size, text = 0, None
        if text is None:
            raise Fault("garbage", "malformed")
        self._silent = False
        self._left -= max(1, size)
        if self._left < 0:
            raise Fault("garbage", "endless")
        return text

    def _read(self, chunk: dict[str, Any]) -> tuple[str, int]:
        if (usage := chunk.get("usage")) is not None:
            self.reported = _tokens(usage.get("prompt_tokens"), usage.get("completion_tokens")) or self.reported
        self._thinking = False
        if not chunk.get("choices"):
            return "", 0
        choice = chunk["choices"][0]
        if choice.get("finish_reason") is not None:
            self.finish_reason = str(choice["finish_reason"])
        # The last chunk of some servers has no delta at all.
        delta = choice.get("delta") or {}
        raw = delta.get("content") or ""
        if not isinstance(raw, str):
            raise TypeError
        self._refused = self._refused or bool(delta.get("refusal"))
        text = self._thoughts.feed(raw)
        thought = _thought(delta)
        self._thinking = bool(thought or raw) and not text
        return text, len(raw) + len(thought)

    def _end(self) -> str | None:
        if rest := self._thoughts.rest():
            self.written.append(rest)
            return rest
        if self._silent:
            raise Fault("garbage", "no chunks", Advice(again=True))
        if self.finish_reason is None:
            raise Fault("cut", "no finish reason", Advice(again=not self.written))
        if self.finish_reason == "length":
            raise Fault("cut", "length", Advice(elsewhere=not self.written, counts=False))
        if self.finish_reason == "content_filter" or self._refused:
            raise Fault("refused", "content filter", _NOT_OURS)
        if not self.written or self.finish_reason in ("tool_calls", "function_call"):
            raise Fault("garbage", "empty")
        return None


def _thought(delta: dict[str, Any]) -> str:
    """Reasoning text, which vLLM, llama.cpp and Ollama send beside the content."""
    found = delta.get("reasoning_content") or delta.get("reasoning")
    return found if isinstance(found, str) else ""


def _tokens(read: object, written: object) -> tuple[int, int] | None:
    if isinstance(read, int) and isinstance(written, int) and read >= 0 and written >= 0:
        return read, written
    return None
