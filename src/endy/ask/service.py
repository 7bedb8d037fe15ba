"""Answering: understand, retrieve, decide, write, guard and remember; every door comes through here."""

import asyncio
import hashlib
import math
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

import structlog

from endy.ask import compose, wording
from endy.ask.answers import Answers
from endy.ask.cache import CacheKey
from endy.ask.decision import Confidence
from endy.ask.flight import Flights
from endy.ask.followup import search_with_turns
from endy.ask.models import ANONYMOUS, Answer, AskRequest, StreamEvent
from endy.ask.offtopic import OffTopic
from endy.ask.question_log import QuestionLog
from endy.ask.repository import AskedQuestion
from endy.ask.similar import SimilarAnswers
from endy.ask.writer import Task, Writer, Written
from endy.errors import ServiceUnavailable
from endy.llm.models import Usage
from endy.observability.metrics import Metrics
from endy.observability.steps import begin, step, took
from endy.privacy.masking import mask
from endy.retrieval.analysis import normalise
from endy.retrieval.search import Searcher, SearchResult

TURNS = 3
"""How many earlier questions a follow-up may lean on."""

STORE_SECONDS = 1.0
"""How long an answer waits to be noted; what is late is stored all the same."""

WORTH_READING = 0.1
"""From this probability on a model looks through the sources. On the nuri set 98 % of the answerable questions lie
above, and three quarters of the off-topic ones below, where a call would be wasted."""

_WAITING = 1000
_PIECE = 24
_ENDS = " ?!.~"
_CACHE_SECONDS = 86_400.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Asking:
    """One question on its way: `request` is masked, `turns` are the conversation's earlier questions."""

    id: str
    request: AskRequest
    conversation_id: str
    turns: tuple[str, ...]
    opens_conversation: bool
    key: CacheKey
    started: float
    steps: dict[str, float]
    """Seconds by step, filled while it is answered."""


@dataclass(frozen=True, slots=True)
class _Result:
    """A whole answer and what it cost; whoever is not its payer got it for nothing."""

    answer: Answer
    payer: str = ""
    model: str = ""
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Examination:
    """An answer with the search behind it, for evaluation and for explaining a ranking."""

    result: SearchResult
    probability: float
    answer: Answer


class AskService:
    """Answers questions over the current knowledge snapshot, which `searcher` returns; a `writer` may word them."""

    def __init__(
        self,
        log: QuestionLog,
        searcher: Callable[[], Searcher],
        confidence: Confidence,
        offtopic: OffTopic,
        metrics: Metrics,
        writer: Writer | None = None,
        answers: Answers | None = None,
        slow_seconds: float = math.inf,
    ) -> None:
        self._log = log
        self._searcher = searcher
        self._confidence = confidence
        self._offtopic = offtopic
        self._metrics = metrics
        self._slow_seconds = slow_seconds
        self._writer = writer
        self._model_key = writer.key if writer else "extractive"
        self._answers = answers or Answers(_CACHE_SECONDS)
        self._similar: SimilarAnswers[Answer] = SimilarAnswers(self._answers.seconds)
        self._flights: Flights[Answer | str | _Result] = Flights()
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="ask")
        self._waiting = 0

    async def ask(self, request: AskRequest) -> Answer:
        """The whole answer. Raises ServiceUnavailable when too many questions wait already."""
        asking = await self._begin(request)
        result = await self._cached(asking)
        if result is None:
            async with aclosing(self._flights.join(asking.key, lambda: self._answer(asking))) as items:
                async for item in items:
                    if isinstance(item, _Result):
                        result = item
        assert result is not None  # noqa: S101  every answering ends with one  # nosec B101
        return await self._finish(asking, result)

    async def stream(self, request: AskRequest) -> AsyncIterator[StreamEvent]:
        """The same answer as events: everything known first, then its text in pieces, then the whole."""
        asking = await self._begin(request)
        result = await self._cached(asking)
        told = spoke = False
        if result is None:
            async with aclosing(self._flights.join(asking.key, lambda: self._answer(asking))) as items:
                async for item in items:
                    if isinstance(item, _Result):
                        result = item
                    elif isinstance(item, str):
                        spoke = True
                        yield StreamEvent("delta", item)
                    else:
                        told = True
                        yield StreamEvent("meta", self._named(asking, item))
        assert result is not None  # noqa: S101  every answering ends with one  # nosec B101
        answer = await self._finish(asking, result)
        if not told:
            yield StreamEvent("meta", replace(answer, answer="", answer_html=""))
        if not spoke:
            for start in range(0, len(answer.answer), _PIECE):
                yield StreamEvent("delta", answer.answer[start : start + _PIECE])
        yield StreamEvent("done", answer)

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        await self._log.close()

    async def _begin(self, request: AskRequest) -> _Asking:
        started, steps = time.perf_counter(), begin()
        masked = replace(request, question=mask(request.question))
        conversation_id, turns, opens = await self._conversation(request)
        key = CacheKey(
            normalise(masked.question).rstrip(_ENDS),
            turns,
            request.category,
            request.asker.audiences,
            self._searcher().version,
            self._model_key,
        )
        return _Asking(uuid.uuid4().hex, masked, conversation_id, turns, opens, key, started, steps)

    async def _conversation(self, request: AskRequest) -> tuple[str, tuple[str, ...], bool]:
        """Its id, its last questions, and whether it is new."""
        if request.conversation_id:
            turns = None
            with suppress(ServiceUnavailable):
                turns = await self._log.earlier(request.conversation_id, request.asker.key, TURNS)
            if turns is not None:
                return request.conversation_id, tuple(turns), False
        return uuid.uuid4().hex, request.turns[-TURNS:], True

    async def _cached(self, asking: _Asking) -> _Result | None:
        cached = await self._answers.get(asking.key)
        self._metrics.cache_operations.labels("miss" if cached is None else "hit").inc()
        return None if cached is None else _Result(replace(cached, mode="cached"))

    async def _answer(self, asking: _Asking) -> AsyncGenerator[Answer | str | _Result]:
        """The answer on its way: what is known at first, sentences, the result; or the result alone."""
        examination = await self.examine(asking.request, asking.turns)
        if self._writer is None or not _worth_writing(examination):
            await self._answers.put(asking.key, examination.answer)
            yield _Result(examination.answer)
            return
        scope = replace(asking.key, question="")
        similar = self._similar.find(scope, examination.result) if not asking.turns else None
        if similar is not None:
            self._metrics.cache_operations.labels("similar").inc()
            yield _Result(replace(similar, mode="cached"))
            return
        yield compose.begun(examination.answer, examination.result)
        async with self._answers.flight(asking.key) as landed:
            if landed is not None:
                yield _Result(replace(landed, mode="cached"))
                return
            async with aclosing(self._write(self._writer, asking, examination, scope)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _write(
        self, writer: Writer, asking: _Asking, examination: Examination, scope: CacheKey
    ) -> AsyncGenerator[str | _Result]:
        written = Written("unavailable")
        since = time.perf_counter()
        async with aclosing(writer.write(_task(asking, examination))) as pieces:
            async for piece in pieces:
                if isinstance(piece, Written):
                    written = piece
                else:
                    yield piece
        took("write", time.perf_counter() - since)
        self._metrics.written.labels(written.outcome).inc()
        korean = wording.is_korean(asking.request.question)
        answer = compose.finished(examination.answer, examination.result, written, korean)
        if written.outcome != "unavailable":
            await self._answers.put(asking.key, answer)
            if not asking.turns and answer.mode == "llm":
                self._similar.put(scope, examination.result, answer)
        yield _Result(answer, asking.id, written.model, written.usage)

    async def _finish(self, asking: _Asking, result: _Result) -> Answer:
        seconds = round(time.perf_counter() - asking.started, 4)
        answer = replace(self._named(asking, result.answer), response_time=seconds)
        with step("store"):
            await self._remember(asking, answer, result)
        self._note_if_slow(asking, answer)
        self._metrics.answers.labels(answer.status, answer.mode).inc()
        return answer

    def _note_if_slow(self, asking: _Asking, answer: Answer) -> None:
        seconds = time.perf_counter() - asking.started
        if seconds >= self._slow_seconds:
            steps = {name: round(taken, 3) for name, taken in asking.steps.items()}
            told = {"status": answer.status, "mode": answer.mode, "confidence": answer.confidence_score}
            _log.warning("slow_question", question_id=asking.id, seconds=round(seconds, 3), steps=steps, **told)

    def _named(self, asking: _Asking, answer: Answer) -> Answer:
        return replace(answer, question_id=asking.id, conversation_id=asking.conversation_id)

    async def examine(self, request: AskRequest, turns: tuple[str, ...] = ()) -> Examination:
        """How a question is answered and why, without remembering it. Raises ServiceUnavailable when overloaded."""
        if self._waiting >= _WAITING:
            raise ServiceUnavailable("지금 질문이 몰려 있어요. 잠시 뒤에 다시 물어봐 주세요.", {"retry_after": 5})
        self._waiting += 1
        try:
            loop, context = asyncio.get_running_loop(), copy_context()
            work = partial(self._examine, request, turns or request.turns, time.perf_counter())
            return await loop.run_in_executor(self._pool, context.run, work)
        finally:
            self._waiting -= 1

    def _examine(self, request: AskRequest, turns: tuple[str, ...], since: float) -> Examination:
        waited = time.perf_counter() - since
        took("wait", waited)
        self._metrics.search_queue_seconds.observe(waited)
        with self._metrics.retrieval_seconds.time():
            result, probability = search_with_turns(
                self._searcher().view(request.asker.audiences),
                self._judge,
                self._chance_offtopic,
                request.question,
                turns,
                request.category,
            )
        with step("quote"):
            verdict = self._confidence.verdict(result, probability)
            answer = compose.compose(request.question, result, probability, verdict)
        return Examination(result, probability, answer)

    def _judge(self, result: SearchResult) -> float:
        return self._confidence.probability(result) * (1 - self._chance_offtopic(result))

    def _chance_offtopic(self, result: SearchResult) -> float:
        return self._confidence.chance_offtopic(result, self._offtopic.closeness(result.query.vector))

    async def _remember(self, asking: _Asking, answer: Answer, result: _Result) -> None:
        paid = result.payer == asking.id
        asked = AskedQuestion(
            id=asking.id,
            conversation_id=asking.conversation_id,
            asker=asking.request.asker.key,
            question=asking.request.question,
            status=answer.status,
            mode=answer.mode,
            category=answer.category,
            department=answer.department,
            confidence=answer.confidence_score,
            source_ids=[source.id for source in answer.sources],
            response_seconds=answer.response_time,
            knowledge_version=asking.key.knowledge_version,
            asked_at=datetime.now(UTC),
            opens_conversation=asking.opens_conversation,
            model=result.model if paid else "",
            tokens_in=result.usage.tokens_in if paid else 0,
            tokens_out=result.usage.tokens_out if paid else 0,
            cost_krw=result.usage.cost_krw if paid else 0.0,
        )
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._log.add(asked)
        except (ServiceUnavailable, TimeoutError) as error:
            # The answer is there: that it cannot be noted is no reason to withhold it.
            self._metrics.errors.labels("QuestionNotStored").inc()
            _log.warning("question_not_stored", reason=str(error))


def _worth_writing(examination: Examination) -> bool:
    """Whether a model is asked: not to ask back, and not where nothing that was found could answer."""
    return examination.answer.status != "clarify" and examination.probability >= WORTH_READING


def _task(asking: _Asking, examination: Examination) -> Task:
    asker = asking.request.asker.key
    # Everybody without a login shares one key, so a limit for one user would shut all of them out.
    user = None if asker == ANONYMOUS else hashlib.sha256(asker.encode()).hexdigest()
    return Task(asking.request.question, asking.turns, examination.result, user)
