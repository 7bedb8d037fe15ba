"""Where rows come from: a database that is only read, in one view of it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import BigInteger, Column, Table, Text, and_, cast, exists, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from endy.storage.rows import Key, Row, columns_there, count_rows, every_row, tables


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

    async def changed(self) -> bool:
        """Whether somebody has written since the view was taken. Ends the view."""
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

    async def changed(self) -> bool:
        return False


class DatabaseSource:
    """One view of a database for as long as its connection stays in its transaction."""

    def __init__(self, connection: AsyncConnection, name: str, state: Sequence[Any]) -> None:
        self.name = name
        self._connection = connection
        self._state = state

    @classmethod
    async def open(cls, connection: AsyncConnection, name: str) -> "DatabaseSource":
        """Take the view."""
        return cls(connection, name, await _state(connection))

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

    async def changed(self) -> bool:
        await self._connection.rollback()
        return await _state(self._connection) != self._state


async def _state(connection: AsyncConnection) -> list[Any]:
    """What is another when anything in the database is."""
    if connection.dialect.name == "sqlite":
        return [(await connection.exec_driver_sql("PRAGMA data_version")).scalar_one()]
    # Every version of a row names the transaction that wrote it.
    written = func.sum(func.hashint8(cast(cast(literal_column("xmin"), Text), BigInteger)))
    there = [table for table in tables() if await columns_there(connection, table)]
    return [
        tuple((await connection.execute(select(func.count(), written).select_from(table))).one()) for table in there
    ]


def _bytes(key: Key) -> tuple[bytes, ...]:
    return tuple(str(part).encode() for part in key)
