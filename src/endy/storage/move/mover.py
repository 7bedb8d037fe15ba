"""The move: table by table, page by page, each page with its progress in one transaction; checked at the end.

Until everything is verified the target holds a table that marks it as half moved, and Endy does not start on it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table, Text, insert, inspect, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.errors import Conflict, StartupError
from endy.storage.move.fitness import parents_of, problem_of
from endy.storage.move.source import Source
from endy.storage.rows import (
    Digest,
    Key,
    Row,
    Unread,
    columns_there,
    count_rows,
    decode_row,
    encode_row,
    every_row,
    key_names,
    key_of,
    reset_sequences,
    tables,
    write_rows,
)
from endy.storage.transaction import reading, retried, transaction

PAGE = 2000
Step = Literal["check", "move", "verify"]
Progress = Callable[[Step, str, int, int], None]
"""Called with what is done, a table's name, the rows done and the rows in all."""

_marks = Table(
    "endy_move",
    MetaData(),
    Column("table_name", String(64), primary_key=True),
    Column("source", Text, nullable=False),
    Column("after", Text),
    Column("rows", Integer, nullable=False),
    Column("done", Boolean, nullable=False),
)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that was not moved, and why."""

    table: str
    row: Row
    reason: str


@dataclass(frozen=True, slots=True)
class TableReport:
    """Of one table; without a target only what would be moved."""

    table: str
    rows: int
    moved: int
    set_aside: int
    source_sha256: str
    target_sha256: str

    @property
    def equal(self) -> bool:
        return self.source_sha256 == self.target_sha256 and self.rows - self.set_aside == self.moved


async def is_half_moved(engine: AsyncEngine) -> bool:
    """Whether a move into this database has begun and not finished."""
    async with reading(engine) as connection:
        return await _has_marks(connection)


async def refuse_half_moved(engine: AsyncEngine) -> None:
    """Raises StartupError for a database that a move has begun and not finished."""
    if await is_half_moved(engine):
        raise StartupError(
            "DATABASE_URL: 데이터를 옮기다 만 데이터베이스예요. 같은 'endy db move' 명령을 다시 실행하면 이어서 옮겨요."
        )


async def refuse_filled(connection: AsyncConnection, source: str) -> bool:
    """Whether a move of this source has begun here. Raises Conflict where another has, or rows are there already."""
    if await _has_marks(connection):
        if set((await connection.execute(select(_marks.c.source))).scalars()) == {source}:
            return True
        raise Conflict("받는 데이터베이스에 다른 원본을 옮기다 만 흔적이 있어요. 빈 데이터베이스에 옮겨 주세요.")
    there = [table for table in tables() if await columns_there(connection, table)]
    filled = [table.name for table in there if await count_rows(connection, table)]
    if filled:
        raise Conflict(f"받는 데이터베이스가 비어 있지 않아요 ({', '.join(filled)}). 빈 데이터베이스에 옮겨 주세요.")
    return False


class Mover:
    """One move. `set_aside` fills up while it runs."""

    def __init__(self, source: Source, progress: Progress) -> None:
        self.set_aside: list[SetAside] = []
        self._source = source
        self._progress = progress
        self._aside: dict[str, set[Key]] = {}
        self._orphans: dict[Key, str] = {}

    async def check(self) -> list[TableReport]:
        """Read everything and say what would become of it; nothing is written."""
        return [await self._checked(table) for table in tables()]

    async def run(self, target: AsyncEngine) -> list[TableReport]:
        """Move what is not moved yet, and verify all of it. Raises Conflict for a target that is not empty."""
        await self._begin(target)
        reports = await self.check()
        for table, report in zip(tables(), reports, strict=True):
            await self._move(target, table, report.rows)
        async with transaction(target) as connection:
            await reset_sequences(connection)
        finished = [
            await self._verified(target, table, report) for table, report in zip(tables(), reports, strict=True)
        ]
        if all(report.equal for report in finished):
            async with transaction(target) as connection:
                await connection.run_sync(lambda sync: _marks.drop(sync, checkfirst=True))
        return finished

    async def _checked(self, table: Table) -> TableReport:
        digest, aside, rows = Digest(table), len(self.set_aside), 0
        total = await self._source.count(table)
        self._orphans = await self._source.orphans(table)
        async for row in self._source.every(table):
            if rows % PAGE == 0:
                self._progress("check", table.name, rows, total)
            rows += 1
            if self._accept(table, row):
                digest.add(row)
        return TableReport(table.name, rows, 0, len(self.set_aside) - aside, digest.hex, "")

    def _accept(self, table: Table, row: Row) -> bool:
        key = key_of(table, row)
        reason = problem_of(table, row)
        if not reason and key in self._orphans:
            reason = f"{self._orphans[key]}에 짝이 되는 줄이 없어요"
        for parent, parent_key in parents_of(table, row) if self._aside else ():
            if not reason and parent_key in self._aside.get(parent, ()):
                reason = f"짝이 되는 {parent} 줄을 옮기지 못했어요"
        if reason:
            self._aside.setdefault(table.name, set()).add(key)
            self.set_aside.append(SetAside(table.name, row, reason))
        return not reason

    async def _begin(self, target: AsyncEngine) -> None:
        async with transaction(target, "migrations") as connection:
            if await refuse_filled(connection, self._source.name):
                return
            marks = [
                {"table_name": table.name, "source": self._source.name, "after": None, "rows": 0, "done": False}
                for table in tables()
            ]
            await connection.run_sync(_marks.create)
            await connection.execute(insert(_marks), marks)

    async def _move(self, target: AsyncEngine, table: Table, total: int) -> None:
        async with reading(target) as connection:
            mark = (await connection.execute(select(_marks).where(_marks.c.table_name == table.name))).one()
        # Keys are kept as a whole row is: that is the one form that both databases give back alike.
        after = None if mark.after is None else key_of(table, decode_row(table, mark.after.encode()))
        done, page = mark.rows, list[Row]()
        if mark.done:
            return
        write = retried(self._write)
        async for row in self._source.every(table, after):
            page.append(row)
            if len(page) == PAGE:
                done = await write(target, table, page, done)
                self._progress("move", table.name, done, total)
                page.clear()
        await write(target, table, page, done, last=True)
        self._progress("move", table.name, total, total)

    async def _write(
        self, target: AsyncEngine, table: Table, page: Sequence[Row], done: int, *, last: bool = False
    ) -> int:
        aside = self._aside.get(table.name, set())
        fine = [row for row in page if key_of(table, row) not in aside] if aside else page
        values: dict[str, Any] = {"done": last, "rows": done + len(page)}
        if page:
            values["after"] = encode_row(table, {name: page[-1][name] for name in key_names(table)}).decode()
        ours = (_marks.c.table_name == table.name, _marks.c.rows == done, ~_marks.c.done)
        async with transaction(target) as connection:
            if (await connection.execute(update(_marks).where(*ours).values(**values))).rowcount != 1:
                raise Conflict("이 데이터베이스로 다른 'endy db move'가 옮기고 있어요. 하나만 실행해 주세요.")
            await write_rows(connection, table, fine)
        return done + len(page)

    async def _verified(self, target: AsyncEngine, table: Table, report: TableReport) -> TableReport:
        # An older source lacks columns, or the table: compared is what it has.
        columns, digest = await self._source.columns(table), Digest(table)
        async with reading(target) as connection:
            if not columns:
                there = await count_rows(connection, table)
                return TableReport(table.name, report.rows, there, 0, report.source_sha256, report.source_sha256)
            async for row in every_row(connection, table, columns):
                if digest.rows % PAGE == 0:
                    self._progress("verify", table.name, digest.rows, report.rows)
                digest.add(row)
        return TableReport(table.name, report.rows, digest.rows, report.set_aside, report.source_sha256, digest.hex)


async def _has_marks(connection: AsyncConnection) -> bool:
    return bool(await connection.run_sync(lambda sync: inspect(sync).has_table(_marks.name)))


def aside_line(one: SetAside) -> str:
    """For the file of rows that were set aside."""
    row = {name: _plain(value) for name, value in one.row.items()}
    return json.dumps({"table": one.table, "reason": one.reason, "row": row}, ensure_ascii=False, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, Unread):
        value = value.raw
    return value.hex() if isinstance(value, bytes) else value
