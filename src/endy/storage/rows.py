"""Whole tables as rows, the same on SQLite and PostgreSQL: read in one order, written, encoded and summed up."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    LargeBinary,
    String,
    Table,
    func,
    insert,
    inspect,
    select,
    text,
    tuple_,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import NullType

from endy.storage.tables import metadata

PAGE = 2000

Row = dict[str, Any]
Key = tuple[Any, ...]
_Convert = Callable[[Any], Any]


class WrongRow(ValueError):
    """A row or a line that does not fit its table."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A value that is none of its column's kind: SQLite keeps whatever was written to it."""

    raw: Any


def tables() -> list[Table]:
    """Every table, parents before children."""
    return list(metadata.sorted_tables)


def key_of(table: Table, row: Mapping[str, Any]) -> Key:
    """The row's primary key."""
    return tuple([row[name] for name in key_names(table)])


@lru_cache
def key_names(table: Table) -> tuple[str, ...]:
    """The columns of the primary key, in its order."""
    return tuple(column.name for column in table.primary_key)


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
    """All rows behind the key `after`, in the order of the keys by bytes, which is the same on both databases.

    A value that its column could not hold elsewhere comes as Unread.
    """
    key = [_ordered(connection, column) for column in table.primary_key]
    raw = connection.dialect.name == "sqlite"
    wanted = [type_coerce(column, NullType()).label(column.name) for column in columns] if raw else columns
    query = select(*wanted).order_by(*key).execution_options(yield_per=PAGE)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    names = [column.name for column in columns]
    readers = [(at, *_reader(column, raw)) for at, column in enumerate(columns) if raw or _is_moment(column)]
    async with connection.stream(query) as rows:
        async for page in rows.partitions():
            for found in page:
                values = list(found)
                for at, fine, read in readers:
                    value = values[at]
                    if value is not None and type(value) is not fine:
                        values[at] = read(value)
                yield dict(zip(names, values, strict=True))


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
    """One line of JSON, equal for equal rows; without the line end. Raises WrongRow for a value that is Unread."""
    told = dict(row)
    for name, write in _writers(table):
        if told.get(name) is not None:
            told[name] = write(told[name])
    try:
        return _json(told).encode("utf-8", "surrogatepass")
    except TypeError:
        wrong = [name for name, value in row.items() if isinstance(value, Unread)]
        raise WrongRow(f"{table.name} {key_of(table, row)}: {wrong} cannot be read") from None


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
    if any(row.get(name) is None for name in key_names(table)):
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


_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def _ordered(connection: AsyncConnection, column: Column[Any]) -> Any:
    if connection.dialect.name == "postgresql" and isinstance(column.type, String):
        return column.collate("C")
    return column


def _is_moment(column: Column[Any]) -> bool:
    return isinstance(column.type, DateTime)


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _reader(column: Column[Any], raw: bool) -> tuple[type | None, _Convert]:
    """From what SQLite holds to what the column means; values of the given type mean what they are."""
    kind = column.type
    if not raw:
        return None, _utc
    fine, parse = None, cast("_Convert", Unread)
    if isinstance(kind, JSON):
        parse = _json_value
    elif isinstance(kind, DateTime):
        parse = _moment
    elif isinstance(kind, Date):
        parse = date.fromisoformat
    elif isinstance(kind, Boolean):
        parse = {0: False, 1: True}.__getitem__
    elif isinstance(kind, Float):
        fine, parse = float, _whole
    else:
        fine = kind.python_type

    def read(value: Any) -> Any:
        try:
            return parse(value)
        except (ValueError, TypeError, KeyError, RecursionError):
            return Unread(value)

    return fine, read


def _json_value(value: Any) -> Any:
    # SQLite makes a number of a JSON text that is nothing else.
    return value if isinstance(value, (int, float)) else json.loads(value)


def _moment(value: str) -> datetime:
    return _utc(datetime.fromisoformat(value))


def _whole(value: Any) -> float:
    if not isinstance(value, int):
        raise TypeError
    return float(value)


@lru_cache
def _writers(table: Table) -> tuple[tuple[str, _Convert], ...]:
    """How a line tells values that JSON does not know, by column."""
    found: list[tuple[str, _Convert]] = []
    for column in table.columns:
        if isinstance(column.type, DateTime):
            found.append((column.name, _told_moment))
        elif isinstance(column.type, Date):
            found.append((column.name, _told_date))
        elif isinstance(column.type, LargeBinary):
            found.append((column.name, _told_bytes))
    return tuple(found)


def _told_moment(value: Any) -> Any:
    return _utc(value).isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def _told_date(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _told_bytes(value: Any) -> Any:
    return base64.b64encode(bytes(value)).decode() if isinstance(value, (bytes, memoryview)) else value


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
