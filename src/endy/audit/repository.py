"""The audit log, as stored: rows are only ever added."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from endy.storage.tables import audit

NOTHING_BEFORE = "0" * 64
_LOCK = 0x656E6479
"""Appends on PostgreSQL wait for each other; SQLite has one writer anyway."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One event as it is stored; `hash` covers it and `previous_hash`."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    address: str
    request_id: str
    previous_hash: str
    hash: str

    @property
    def intact(self) -> bool:
        told = {name: getattr(self, name) for name in _TOLD}
        return self.hash == chained(self.previous_hash, told)


_TOLD = ("at", "actor", "action", "target", "before", "after", "address", "request_id")


async def append(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add a row whose hash covers it and the row before."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    last = (await connection.execute(select(audit.c.hash).order_by(audit.c.id.desc()).limit(1))).scalar_one_or_none()
    previous = last or NOTHING_BEFORE
    await connection.execute(insert(audit).values(**values, previous_hash=previous, hash=chained(previous, values)))


async def newest_first(
    connection: AsyncConnection, limit: int, before: int | None, actor: str | None, action: str | None
) -> list[AuditRow]:
    """The newest events, or those older than the one with the id `before`."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    for column, wanted in ((audit.c.actor, actor), (audit.c.action, action)):
        if wanted:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(audit.c.id < before)
    return _rows((await connection.execute(query)).all())


async def oldest_first(connection: AsyncConnection, limit: int, after: int) -> list[AuditRow]:
    """Events in the order in which they happened, behind the one with the id `after`."""
    query = select(audit).where(audit.c.id > after).order_by(audit.c.id).limit(limit)
    return _rows((await connection.execute(query)).all())


async def about(connection: AsyncConnection, employee_id: str) -> list[AuditRow]:
    """Everything that somebody did or that was done to them."""
    query = select(audit).where(or_(audit.c.actor == employee_id, audit.c.target == employee_id)).order_by(audit.c.id)
    return _rows((await connection.execute(query)).all())


def chained(previous: str, values: Mapping[str, Any]) -> str:
    """SHA-256 over the hash before and the row as JSON with sorted keys."""
    told = json.dumps(dict(values), ensure_ascii=False, sort_keys=True, default=_moment)
    return hashlib.sha256(f"{previous}{told}".encode()).hexdigest()


def _moment(value: datetime) -> str:
    # SQLite gives moments back without their zone.
    return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC).isoformat()


def _rows(found: Sequence[Any]) -> list[AuditRow]:
    return [AuditRow(**row._mapping) for row in found]
