"""Answering: understand, retrieve, decide, write, guard and remember; every door comes through here."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from endy.ask.cache import AnswerCache, CacheKey
from endy.ask.compose import compose
from endy.ask.decision import Confidence
from endy.ask.followup import search_with_turns
from endy.ask.models import Answer, AskRequest, StreamEvent
from endy.ask.offtopic import OffTopic
from endy.ask.question_log import QuestionLog
from endy.ask.repository import AskedQuestion
from endy.errors import ServiceUnavailable
from endy.observability.metrics import Metrics
from endy.privacy.masking import mask
from endy.retrieval.analysis import normalise
from endy.retrieval.search import Searcher, SearchResult

TURNS = 3
"""How many earlier questions a follow-up may lean on."""

STORE_SECONDS = 1.0
"""How long an answer waits to be noted; what is late is stored all the same."""

_WAITING = 200
_PIECE = 24
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Opened:
    """The conversation that a question belongs to, and its earlier questions."""

    id: str
    turns: tuple[str, ...]
    new: bool


@dataclass(frozen=True, slots=True)
class Examination:
    """An answer with the search behind it, for evaluation and for explaining a ranking."""

    result: SearchResult
    probability: float
    answer: Answer


class AskService:
    """Answers questions over the current knowledge snapshot, which `searcher` returns."""

    def __init__(
        self,
        log: QuestionLog,
        searcher: Callable[[], Searcher],
        confidence: Confidence,
        offtopic: OffTopic,
        metrics: Metrics,
    ) -> None:
        self._log = log
        self._searcher = searcher
        self._confidence = confidence
        self._offtopic = offtopic
        self._metrics = metrics
        self._cache: AnswerCache[Answer] = AnswerCache()
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="ask")
        self._waiting = 0

    async def ask(self, request: AskRequest) -> Answer:
        """The whole answer. Raises ServiceUnavailable when too many questions wait already."""
        started = time.perf_counter()
        question = mask(request.question)
        conversation = await self._open(request)
        answer = await self._answer(request, question, conversation.turns)
        answer = replace(
            answer,
            question_id=uuid.uuid4().hex,
            conversation_id=conversation.id,
            response_time=round(time.perf_counter() - started, 4),
        )
        await self._remember(request, question, conversation, answer)
        self._metrics.answers.labels(answer.status, answer.mode).inc()
        return answer

    async def stream(self, request: AskRequest) -> AsyncIterator[StreamEvent]:
        """The same answer as events: everything known first, then its text in pieces, then the whole."""
        answer = await self.ask(request)
        yield StreamEvent("meta", replace(answer, answer="", answer_html=""))
        for start in range(0, len(answer.answer), _PIECE):
            yield StreamEvent("delta", answer.answer[start : start + _PIECE])
        yield StreamEvent("done", answer)

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        await self._log.close()

    async def _open(self, request: AskRequest) -> _Opened:
        if request.conversation_id:
            turns = None
            with suppress(ServiceUnavailable):
                turns = await self._log.earlier(request.conversation_id, request.asker.key, TURNS)
            if turns is not None:
                return _Opened(request.conversation_id, tuple(turns), new=False)
        return _Opened(uuid.uuid4().hex, request.turns[-TURNS:], new=True)

    async def _answer(self, request: AskRequest, question: str, turns: tuple[str, ...]) -> Answer:
        searcher = self._searcher()
        key = CacheKey(
            normalise(question), turns, request.category, request.asker.audiences, searcher.version, "extractive"
        )
        cached = self._cache.get(key)
        self._metrics.cache_operations.labels("miss" if cached is None else "hit").inc()
        if cached is not None:
            return replace(cached, mode="cached")
        answer = (await self.examine(replace(request, question=question), turns)).answer
        self._cache.put(key, answer)
        return answer

    async def examine(self, request: AskRequest, turns: tuple[str, ...] = ()) -> Examination:
        """How a question is answered and why, without remembering it. Raises ServiceUnavailable when overloaded."""
        if self._waiting >= _WAITING:
            raise ServiceUnavailable("지금 질문이 몰려 있어요. 잠시 뒤에 다시 물어봐 주세요.", {"retry_after": 5})
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._examine, request, turns or request.turns)
        finally:
            self._waiting -= 1

    def _examine(self, request: AskRequest, turns: tuple[str, ...]) -> Examination:
        with self._metrics.retrieval_seconds.time():
            result, probability = search_with_turns(
                self._searcher().view(request.asker.audiences),
                self._judge,
                self._chance_offtopic,
                request.question,
                turns,
                request.category,
            )
        verdict = self._confidence.verdict(result, probability)
        return Examination(result, probability, compose(request.question, result, probability, verdict))

    def _judge(self, result: SearchResult) -> float:
        return self._confidence.probability(result) * (1 - self._chance_offtopic(result))

    def _chance_offtopic(self, result: SearchResult) -> float:
        return self._confidence.chance_offtopic(result, self._offtopic.closeness(result.query.vector))

    async def _remember(self, request: AskRequest, question: str, conversation: _Opened, answer: Answer) -> None:
        asked = AskedQuestion(
            id=answer.question_id,
            conversation_id=conversation.id,
            asker=request.asker.key,
            question=question,
            status=answer.status,
            mode=answer.mode,
            category=answer.category,
            department=answer.department,
            confidence=answer.confidence_score,
            source_ids=[source.id for source in answer.sources],
            response_seconds=answer.response_time,
            knowledge_version=self._searcher().version,
            asked_at=datetime.now(UTC),
            opens_conversation=conversation.new,
        )
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._log.add(asked)
        except (ServiceUnavailable, TimeoutError) as error:
            # The answer is there: that it cannot be noted is no reason to withhold it.
            self._metrics.errors.labels("QuestionNotStored").inc()
            _log.warning("question_not_stored", reason=str(error))
