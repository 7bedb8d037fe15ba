"""The audit log, as stored: rows are only ever added."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from endy.storage.tables import audit

NOTHING_BEFORE = "0" * 64
_LOCK = 0x656E6479
"""Appends on PostgreSQL wait for each other; SQLite has one writer anyway."""


async def append(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add a row whose hash covers it and the row before."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    last = (await connection.execute(select(audit.c.hash).order_by(audit.c.id.desc()).limit(1))).scalar_one_or_none()
    previous = last or NOTHING_BEFORE
    await connection.execute(insert(audit).values(**values, previous_hash=previous, hash=chained(previous, values)))


def chained(previous: str, values: Mapping[str, Any]) -> str:
    """SHA-256 over the hash before and the row as JSON with sorted keys."""
    told = json.dumps(dict(values), ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(f"{previous}{told}".encode()).hexdigest()
