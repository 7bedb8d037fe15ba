"""The job that has questions written for every changed section: within the budget, resumable, a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.ask.context import may_leave
from endy.ask.enrich.judge import Judge, Judged, lines
from endy.ask.instructions import readable, speaks_to_model
from endy.knowledge import repository
from endy.knowledge.repository import GeneratedQuestions
from endy.llm import prompts
from endy.llm.models import LanguageModel, LlmAnswer, LlmRequest, LlmUnavailable
from endy.privacy.masking import mask
from endy.retrieval.passages import split_passages
from endy.retrieval.search import Searcher
from endy.retrieval.section import Section
from endy.retrieval.vectors import Embedder
from endy.storage.transaction import reading, transaction

AT_ONCE = 4
BATCH = 20
"""Sections whose questions go live together."""

LONGEST = 4000
"""Characters of a section that are read."""

_PATIENCE = 3
_MAX_TOKENS = 500
_ENDS = frozenset({"off", "budget", "refused"})

Progress = Callable[[int, int], None]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EnrichmentReport:
    """Sections done in this run and still to do; `stopped` is LlmUnavailable's reason where it ended early."""

    done: int
    left: int
    kept: int
    rejected: int
    cost_krw: float
    stopped: str = ""


class Enrichment:
    """`searcher` gives the current snapshot, `refreshed` is awaited whenever new questions are stored."""

    def __init__(
        self,
        engine: AsyncEngine,
        model: LanguageModel,
        searcher: Callable[[], Searcher],
        judge: Judge,
        embedder: Embedder | None,
        allowed: frozenset[str],
        refreshed: Callable[[], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._model = model
        self._searcher = searcher
        self._judge = judge
        self._embedder = embedder
        self._allowed = allowed
        self._refreshed = refreshed
        self._prompt = prompts.load("questions", "ko")

    async def run(self, progress: Progress | None = None) -> EnrichmentReport:
        """Write for every section that has no questions yet. What was done stays done, however the run ends."""
        waiting = await self._waiting()
        rows: list[GeneratedQuestions] = []
        stopped, failures = "", 0
        for start in range(0, len(waiting), AT_ONCE):
            outcomes = await asyncio.gather(*map(self._write, waiting[start : start + AT_ONCE]), return_exceptions=True)
            rows += [outcome for outcome in outcomes if isinstance(outcome, GeneratedQuestions)]
            failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            stopped = _reason(failed)
            failures = failures + 1 if failed else 0
            if progress:
                progress(len(rows), len(waiting))
            if len(rows) % BATCH < AT_ONCE:
                await self._publish()
            if stopped in _ENDS or failures >= _PATIENCE:
                break
        if rows:
            await self._publish()
        report = _report(rows, len(waiting), stopped)
        if waiting:
            _log.info("questions_generated", done=report.done, left=report.left, kept=report.kept, stopped=stopped)
        return report

    async def _waiting(self) -> list[Section]:
        """Sections without questions by this prompt, one per content."""
        async with reading(self._engine) as connection:
            written = await repository.generated(connection)
            _, sections = await repository.load_sections(connection)
        done = {key for key, row in written.items() if row.prompt_version == self._prompt.version}
        open_ones = {section.content_hash: section for section in sections if may_leave(section, self._allowed)}
        return [section for key, section in open_ones.items() if key not in done]

    async def _write(self, section: Section) -> GeneratedQuestions:
        source = _source(section)
        system, user = self._prompt.parts["system"], self._prompt.fill("user", source=source)
        request = LlmRequest.of(system, user, max_tokens=_MAX_TOKENS, temperature=0.7, purpose="enrich")
        answer = await self._model.write(request)
        view = self._searcher().view(section.audience)
        judged = await asyncio.to_thread(self._judge.judge, lines(answer.text), section, view)
        row = self._row(section, judged, answer)
        vectors = await asyncio.to_thread(self._vectors, judged.kept)
        async with transaction(self._engine, "knowledge") as connection:
            await repository.put_generated(connection, row)
            if self._embedder is not None and len(vectors):
                model = repository.questions_model(self._embedder.name)
                await repository.put_embeddings(connection, model, {section.content_hash: vectors})
        return row

    def _row(self, section: Section, judged: Judged, answer: LlmAnswer) -> GeneratedQuestions:
        return GeneratedQuestions(
            content_hash=section.content_hash,
            kept=judged.kept,
            rejected=judged.rejected,
            model=answer.model,
            prompt_version=self._prompt.version,
            tokens_in=answer.usage.tokens_in,
            tokens_out=answer.usage.tokens_out,
            cost_krw=answer.usage.cost_krw,
            created_at=datetime.now(UTC),
        )

    def _vectors(self, questions: list[str]) -> repository.Vectors:
        if self._embedder is None or not questions:
            return np.empty((0, 0), np.float16)
        return self._embedder.passages(questions).astype(np.float16)

    async def _publish(self) -> None:
        async with transaction(self._engine, "knowledge") as connection:
            await repository.bump_version(connection)
        await self._refreshed()


def _source(section: Section) -> str:
    """What the model reads of a section: masked, and without what speaks to it."""
    path = " > ".join(section.heading_path) or section.title
    told = [part.markdown for part in split_passages(section.text) if not speaks_to_model(part.text)]
    return mask(readable("\n".join([path, section.title, *told])[:LONGEST])).replace("<", "‹")


def _reason(failed: Iterable[BaseException]) -> str:
    for error in failed:
        if not isinstance(error, LlmUnavailable):
            raise error
        return error.reason
    return ""


def _report(rows: list[GeneratedQuestions], waiting: int, stopped: str) -> EnrichmentReport:
    return EnrichmentReport(
        done=len(rows),
        left=waiting - len(rows),
        kept=sum(len(row.kept) for row in rows),
        rejected=sum(len(row.rejected) for row in rows),
        cost_krw=sum(row.cost_krw for row in rows),
        stopped=stopped,
    )
