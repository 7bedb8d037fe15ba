"""Whole tables as rows, the same on SQLite and PostgreSQL: read in one order, written, encoded and summed up."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Date,
    DateTime,
    LargeBinary,
    String,
    Table,
    func,
    insert,
    inspect,
    select,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from endy.storage.tables import metadata

PAGE = 2000

Row = dict[str, Any]
Key = tuple[Any, ...]


class WrongRow(ValueError):
    """A line that is no row of its table."""


def tables() -> list[Table]:
    """Every table, parents before children."""
    return list(metadata.sorted_tables)


def key_of(table: Table, row: Mapping[str, Any]) -> Key:
    """The row's primary key."""
    return tuple(row[column.name] for column in table.primary_key)


async def columns_there(connection: AsyncConnection, table: Table) -> list[Column[Any]]:
    """The columns that the database really has; an older schema lacks some, or the whole table."""

    def look(sync: Any) -> set[str]:
        found = inspect(sync)
        return {column["name"] for column in found.get_columns(table.name)} if found.has_table(table.name) else set()

    there = await connection.run_sync(look)
    return [column for column in table.columns if column.name in there]


async def count_rows(connection: AsyncConnection, table: Table) -> int:
    return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def every_row(
    connection: AsyncConnection, table: Table, columns: Sequence[Column[Any]], after: Key | None = None
) -> AsyncIterator[Row]:
    """All rows behind the key `after`, in the order of the keys by bytes, which is the same on both databases."""
    key = [_ordered(connection, column) for column in table.primary_key]
    query = select(*columns).order_by(*key).execution_options(yield_per=PAGE)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    async with connection.stream(query) as rows:
        async for row in rows.mappings():
            yield {name: _aware(value) for name, value in row.items()}


async def write_rows(connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    if rows:
        await connection.execute(insert(table), list(rows))


async def reset_sequences(connection: AsyncConnection) -> None:
    """After rows came with their own numbers, the next ones go on behind them; SQLite does so by itself."""
    if connection.dialect.name == "postgresql":
        await connection.execute(
            text("SELECT setval(pg_get_serial_sequence('audit', 'id'), max(id)) FROM audit HAVING max(id) IS NOT NULL")
        )


def encode_row(table: Table, row: Mapping[str, Any]) -> bytes:
    """One line of JSON, equal for equal rows; without the line end."""
    told = {name: _encoded(table.columns[name], value) for name, value in row.items()}
    return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogatepass")


def decode_row(table: Table, line: bytes) -> Row:
    """The row of a line. Raises WrongRow for what does not fit the table."""
    try:
        told = json.loads(line)
        unknown = set(told) - set(table.columns.keys())
        if unknown:
            raise WrongRow(f"{table.name}: unknown columns {sorted(unknown)}")
        row = {name: _decoded(table.columns[name], value) for name, value in told.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise WrongRow(f"{table.name}: {error}") from None
    if any(row.get(column.name) is None for column in table.primary_key):
        raise WrongRow(f"{table.name}: a row without its key")
    return row


class Digest:
    """SHA-256 over the encoded rows in the order of their keys, and how many there were."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._hash = hashlib.sha256()
        self.rows = 0

    def add(self, row: Mapping[str, Any]) -> None:
        self._hash.update(encode_row(self.table, row) + b"\n")
        self.rows += 1

    @property
    def hex(self) -> str:
        return self._hash.hexdigest()


async def table_digest(connection: AsyncConnection, table: Table, columns: Sequence[Column[Any]]) -> Digest:
    digest = Digest(table)
    async for row in every_row(connection, table, columns):
        digest.add(row)
    return digest


def _ordered(connection: AsyncConnection, column: Column[Any]) -> Any:
    if connection.dialect.name == "postgresql" and isinstance(column.type, String):
        return column.collate("C")
    return column


def _aware(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def _encoded(column: Column[Any], value: Any) -> Any:
    if isinstance(value, datetime):
        return _aware(value).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, memoryview)):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(column.type, JSON):
        return value
    return value


def _decoded(column: Column[Any], value: Any) -> Any:
    kind = column.type
    if value is None or isinstance(kind, JSON):
        return value
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(value).astimezone(UTC)
    if isinstance(kind, Date):
        return date.fromisoformat(value)
    if isinstance(kind, LargeBinary):
        return base64.b64decode(value, validate=True)
    if not isinstance(value, kind.python_type) and not (kind.python_type is float and isinstance(value, int)):
        raise TypeError(f"{column.name} is {type(value).__name__}")
    return value
