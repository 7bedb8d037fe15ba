"""The audit log: events are recorded inside the transaction of the change that they tell of."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.audit import repository
from endy.audit.repository import NOTHING_BEFORE, AuditRow
from endy.privacy.masking import mask
from endy.storage.transaction import reading, retried, transaction

PAGE = 500
_NEVER = {"password", "password_hash", "token"}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that somebody did; `before` and `after` hold what changed."""

    action: str
    actor: str
    target: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    address: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Newest first; `next_cursor` is where the next page begins."""

    items: list[AuditRow]
    next_cursor: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`broken` is the first event that does not fit; `head` the last hash, by which a cut tail is noticed later."""

    events: int
    head: str
    broken: int | None = None


class AuditLog:
    """Reading what was recorded; nothing here, and nothing else, changes it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @retried
    async def add(self, event: Event) -> None:
        """Record something that is not part of another change."""
        async with transaction(self._engine) as connection:
            await record(connection, event)

    async def page(
        self, limit: int, cursor: int | None = None, actor: str | None = None, action: str | None = None
    ) -> AuditPage:
        async with reading(self._engine) as connection:
            rows = await repository.newest_first(connection, limit, cursor, actor, action)
        return AuditPage(rows, rows[-1].id if len(rows) == limit else None)

    async def rows(self) -> AsyncIterator[AuditRow]:
        """All events, oldest first, some at a time."""
        after = 0
        while True:
            async with reading(self._engine) as connection:
                rows = await repository.oldest_first(connection, PAGE, after)
            for row in rows:
                yield row
            if len(rows) < PAGE:
                return
            after = rows[-1].id

    async def verify(self, head: str | None = None) -> Verdict:
        """Whether the chain holds; with a `head` noted earlier, also whether that event is still in it."""
        previous, events, seen = NOTHING_BEFORE, 0, head in (None, NOTHING_BEFORE)
        async for row in self.rows():
            if row.previous_hash != previous or not row.intact:
                return Verdict(events, previous, row.id)
            previous, events = row.hash, events + 1
            seen = seen or row.hash == head
        return Verdict(events, previous, None if seen else 0)


async def record(connection: AsyncConnection, event: Event) -> None:
    """Append the event; it stands or falls with the transaction. Personal data in the details is masked."""
    values = {
        "at": datetime.now(UTC),
        "actor": event.actor,
        "action": event.action,
        "target": event.target,
        "before": masked(event.before),
        "after": masked(event.after),
        "address": event.address,
        "request_id": event.request_id,
    }
    await repository.append(connection, values)


def masked(value: Any) -> Any:
    """The value as it may be recorded: personal data masked at any depth, secrets left out by name."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {key: masked(item) for key, item in value.items() if key not in _NEVER}
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    return value
