"""Made-up rows for every table, and sums of a whole database."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Date, DateTime, Float, LargeBinary, String, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.rows import Row, table_digest, tables
from endy.storage.transaction import reading, transaction

NOW = datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC)


def engine_at(url: str) -> AsyncEngine:
    return create_engine(load_settings(_env_file=None, database_url=url))


def value_for(column: Column[Any], number: int, chance: random.Random) -> Any:  # noqa: PLR0911  one per kind
    kind = column.type
    if isinstance(kind, JSON):
        return {"수": number, "글": ["가\n나", None, 1.5]} if chance.random() < 0.5 else []
    if isinstance(kind, DateTime):
        return NOW - timedelta(seconds=chance.randrange(10**6), microseconds=number)
    if isinstance(kind, Date):
        return date(2026, 1, 1) + timedelta(days=number % 300) if chance.random() < 0.7 else None
    if isinstance(kind, LargeBinary):
        return chance.randbytes(40)
    if isinstance(kind, Boolean):
        return chance.choice([True, False, None]) if column.nullable else True
    if isinstance(kind, Float):
        return chance.random()
    if isinstance(kind, String):
        return f"{chance.choice(['Z', 'a', '가', 'é', '_', 'ㄱ'])}{number}"[: kind.length or 50]
    return number


def made_up(rows: int) -> dict[str, list[Row]]:
    """Rows for every table, parents first, each child with a parent; always the same."""
    chance = random.Random(7)  # noqa: S311
    made: dict[str, list[Row]] = {}
    for table in tables():
        made[table.name] = []
        for number in range(rows):
            row = {column.name: value_for(column, number, chance) for column in table.columns}
            for constraint in table.foreign_key_constraints:
                for element in constraint.elements:
                    row[element.parent.name] = made[constraint.referred_table.name][number][element.column.name]
            made[table.name].append(row)
    return made


async def fill(engine: AsyncEngine, rows: int) -> None:
    made = made_up(rows)
    async with transaction(engine) as connection:
        for table in tables():
            await connection.execute(insert(table), made[table.name])


async def digests(engine: AsyncEngine) -> dict[str, tuple[int, str]]:
    async with reading(engine) as connection:
        found = [await table_digest(connection, table, list(table.columns)) for table in tables()]
    return {digest.table.name: (digest.rows, digest.hex) for digest in found}
