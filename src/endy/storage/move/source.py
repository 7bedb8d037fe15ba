"""Where rows come from: a database that is only read, in one view of it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Column, Integer, String, Table, and_, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from endy.storage.rows import Key, Row, columns_there, count_rows, every_row


class Source(Protocol):
    """Rows by table, always in the same order."""

    name: str
    """Tells this source from others, and holds no password."""

    async def columns(self, table: Table) -> Sequence[Column[Any]]:
        """Those that it knows; none for a table that it does not have."""
        ...

    async def count(self, table: Table) -> int: ...

    def every(self, table: Table, after: Key | None = None) -> AsyncIterator[Row]: ...

    async def orphans(self, table: Table) -> dict[Key, str]:
        """Keys of rows that point to a row which is not there, and to which table."""
        ...


class MemorySource:
    """Rows that something else has read, by table name and key."""

    def __init__(self, name: str, rows: Mapping[str, Mapping[Key, Row]]) -> None:
        self.name = name
        self._rows = rows

    async def columns(self, table: Table) -> Sequence[Column[Any]]:
        return list(table.columns)

    async def count(self, table: Table) -> int:
        return len(self._rows.get(table.name, {}))

    async def every(self, table: Table, after: Key | None = None) -> AsyncIterator[Row]:
        for key, row in sorted(self._rows.get(table.name, {}).items(), key=lambda item: _bytes(item[0])):
            if after is None or _bytes(key) > _bytes(after):
                yield row

    async def orphans(self, _table: Table) -> dict[Key, str]:
        return {}


class DatabaseSource:
    """One view of a database for as long as its connection stays in its transaction."""

    def __init__(self, connection: AsyncConnection, name: str) -> None:
        self.name = name
        self._connection = connection

    async def columns(self, table: Table) -> Sequence[Column[Any]]:
        return await columns_there(self._connection, table)

    async def count(self, table: Table) -> int:
        return await count_rows(self._connection, table) if await self.columns(table) else 0

    async def every(self, table: Table, after: Key | None = None) -> AsyncIterator[Row]:
        columns = await self.columns(table)
        if columns:
            async for row in every_row(self._connection, table, columns, after):
                yield row

    async def orphans(self, table: Table) -> dict[Key, str]:
        if not await self.columns(table):
            return {}
        found: dict[Key, str] = {}
        key = list(table.primary_key)
        for constraint in table.foreign_key_constraints:
            parent = constraint.referred_table.alias()
            pairs = [(element.parent, parent.c[element.column.name]) for element in constraint.elements]
            named = and_(*(own.is_not(None) for own, _ in pairs))
            there = exists().where(and_(*(own == other for own, other in pairs)))
            rows = (await self._connection.execute(select(*key).where(named, ~there))).all()
            found |= {tuple(row): constraint.referred_table.name for row in rows}
        return found


def problem_of(table: Table, row: Mapping[str, Any]) -> str:
    """Why no database that checks would take the row; empty if nothing speaks against it."""
    for name, value in row.items():
        column = table.columns[name]
        if value is None and not column.nullable:
            return f"{name}: 비어 있으면 안 돼요"
        if _has_nul(value):
            return f"{name}: 저장할 수 없는 글자(NUL)가 있어요"
        if not isinstance(value, str):
            if isinstance(column.type, Integer) and isinstance(value, int) and abs(value) >= 2**63:
                return f"{name}: 수가 너무 커요"
            continue
        longest = column.type.length if isinstance(column.type, String) else None
        if longest is not None and len(value) > longest:
            return f"{name}: {len(value)}자는 너무 길어요 ({longest}자까지)"
        try:
            value.encode()
        except UnicodeEncodeError:
            return f"{name}: 저장할 수 없는 글자가 있어요"
    return ""


def parents_of(table: Table, row: Mapping[str, Any]) -> list[tuple[str, Key]]:
    """The rows that this one points to, by table and key."""
    return [
        (constraint.referred_table.name, tuple(row[element.parent.name] for element in constraint.elements))
        for constraint in table.foreign_key_constraints
    ]


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, (list, tuple)) and any(map(_has_nul, value))


def _bytes(key: Key) -> tuple[bytes, ...]:
    return tuple(str(part).encode() for part in key)
