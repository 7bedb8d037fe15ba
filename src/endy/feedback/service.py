"""Opinions about answers: one per answer and asker, changeable, and read by admins."""

import base64
import binascii
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, get_args

from sqlalchemy.ext.asyncio import AsyncEngine

from endy.errors import NotFound, ValidationFailed
from endy.feedback import repository
from endy.feedback.reasons import Reason
from endy.feedback.repository import FeedbackCounts, FeedbackRow, Owned
from endy.observability.metrics import Metrics
from endy.privacy.masking import mask
from endy.storage.transaction import reading, retried, transaction

DAYS = 30
PAGE = 500


@dataclass(frozen=True, slots=True)
class FeedbackStats:
    """`satisfaction` is the share of helpful among those with an opinion; None without any."""

    total: int
    helpful: int
    unhelpful: int
    satisfaction: float | None
    reasons: dict[str, int]
    by_category: dict[str, FeedbackCounts]
    by_day: dict[str, FeedbackCounts]
    """The last DAYS days on which opinions were given, oldest first."""


@dataclass(frozen=True, slots=True)
class FeedbackPage:
    items: Sequence[FeedbackRow]
    next_cursor: str | None


class FeedbackService:
    def __init__(self, engine: AsyncEngine, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics

    async def rate(self, question_id: str, asker: str, is_helpful: bool, comment: str | None) -> None:
        """Say whether an own answer helped. Raises NotFound for an unknown answer and another's alike."""
        # What helped after all has nothing wrong with it.
        values: dict[str, Any] = {"is_helpful": is_helpful} | ({"reasons": []} if is_helpful else {})
        if comment is not None:
            values["comment"] = mask(comment)
        await self._put(question_id, asker, values, "helpful" if is_helpful else "unhelpful")

    async def explain(self, question_id: str, asker: str, reasons: Sequence[Reason], comment: str | None) -> None:
        """Say what was wrong with an own answer; repeated reasons count once."""
        values: dict[str, Any] = {"reasons": list(dict.fromkeys(reasons)), "is_helpful": False}
        if comment is not None:
            values["comment"] = mask(comment)
        await self._put(question_id, asker, values, "detailed")

    async def stats(self, owned: Owned = None) -> FeedbackStats:
        """Over what somebody owns, or over everything."""
        since = datetime.now(UTC) - timedelta(days=DAYS)
        async with reading(self._engine) as connection:
            counts = await repository.counts(connection, owned)
            reasons = await repository.count_reasons(connection, get_args(Reason), owned)
            by_category = await repository.counts_by_category(connection, owned)
            by_day = await repository.counts_by_day(connection, since, owned)
        judged = counts.helpful + counts.unhelpful
        share = round(counts.helpful / judged, 4) if judged else None
        return FeedbackStats(counts.total, counts.helpful, counts.unhelpful, share, reasons, by_category, by_day)

    async def rows(self, owned: Owned = None) -> AsyncIterator[FeedbackRow]:
        """Everything, newest first, some at a time."""
        place = None
        while True:
            async with reading(self._engine) as connection:
                rows = await repository.list_feedback(connection, PAGE, place, owned, negative=False)
            for row, _ in rows:
                yield row
            if len(rows) < PAGE:
                return
            place = rows[-1][1]

    async def page(
        self, limit: int, cursor: str | None, *, negative: bool = False, owned: Owned = None
    ) -> FeedbackPage:
        """Newest first. Raises ValidationFailed for a cursor that this service did not make."""
        async with reading(self._engine) as connection:
            rows = await repository.list_feedback(connection, limit, _read_cursor(cursor), owned, negative=negative)
        more = _write_cursor(rows[-1][1]) if len(rows) == limit else None
        return FeedbackPage([row for row, _ in rows], more)

    @partial(retried, twice=True)
    async def _put(self, question_id: str, asker: str, values: dict[str, Any], kind: str) -> None:
        async with transaction(self._engine) as connection:
            if await repository.asked_by(connection, question_id) != asker:
                raise NotFound("그 답변을 찾을 수 없어요.")
            first = await repository.put_feedback(connection, question_id, asker, values)
        if first or kind == "detailed":
            self._metrics.feedback.labels(kind).inc()


def _write_cursor(place: tuple[datetime, str, str]) -> str:
    at, question_id, asker = place
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), question_id, asker]).encode()).decode()


def _read_cursor(cursor: str | None) -> tuple[datetime, str, str] | None:
    if not cursor:
        return None
    try:
        at, question_id, asker = map(str, json.loads(base64.urlsafe_b64decode(cursor.encode())))
        # JSON lets lone surrogates through, which no database takes.
        f"{question_id}{asker}".encode()
        return datetime.fromisoformat(at), question_id, asker
    except (ValueError, TypeError, binascii.Error):
        raise ValidationFailed("cursor 값이 올바르지 않아요. 처음부터 다시 불러와 주세요.") from None
