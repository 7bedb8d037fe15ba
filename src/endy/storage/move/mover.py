"""The move: table by table, page by page, each page with its progress in one transaction; checked at the end.

Until everything is verified the target holds a table that marks it as half moved, and Endy does not start on it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table, Text, insert, inspect, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.errors import Conflict, StartupError
from endy.storage.move.source import Source, parents_of, problem_of
from endy.storage.rows import (
    Digest,
    Key,
    Row,
    count_rows,
    decode_row,
    encode_row,
    key_of,
    reset_sequences,
    table_digest,
    tables,
    write_rows,
)
from endy.storage.transaction import reading, transaction

PAGE = 2000
Progress = Callable[[str, int, int], None]
"""Called with a table's name, the rows done and the rows in all."""

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


async def refuse_half_moved(engine: AsyncEngine) -> None:
    """Raises StartupError for a database that a move has begun and not finished."""
    if await _marked(engine):
        raise StartupError(
            "DATABASE_URL: 데이터를 옮기다 만 데이터베이스예요. 같은 'endy db move' 명령을 다시 실행하면 이어서 옮겨요."
        )


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
        reports = []
        for table in tables():
            digest, aside = Digest(table), len(self.set_aside)
            self._orphans = await self._source.orphans(table)
            async for row in self._source.every(table):
                if self._accept(table, row):
                    digest.add(row)
            gone = len(self.set_aside) - aside
            reports.append(TableReport(table.name, digest.rows + gone, 0, gone, digest.hex, ""))
        return reports

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
                await connection.run_sync(_marks.drop)
        return finished

    def _accept(self, table: Table, row: Row) -> bool:
        key = key_of(table, row)
        reason = problem_of(table, row)
        if not reason and key in self._orphans:
            reason = f"{self._orphans[key]}에 짝이 되는 줄이 없어요"
        for parent, parent_key in parents_of(table, row):
            if not reason and parent_key in self._aside.get(parent, ()):
                reason = f"짝이 되는 {parent} 줄을 옮기지 못했어요"
        if reason:
            self._aside.setdefault(table.name, set()).add(key)
            self.set_aside.append(SetAside(table.name, row, reason))
        return not reason

    async def _begin(self, target: AsyncEngine) -> None:
        if await _marked(target):
            async with reading(target) as connection:
                sources = set((await connection.execute(select(_marks.c.source))).scalars())
            if sources != {self._source.name}:
                raise Conflict(
                    "받는 데이터베이스에 다른 원본을 옮기다 만 흔적이 있어요. 빈 데이터베이스에 옮겨 주세요."
                )
            return
        async with reading(target) as connection:
            filled = [table.name for table in tables() if await count_rows(connection, table)]
        if filled:
            raise Conflict(
                f"받는 데이터베이스가 비어 있지 않아요 ({', '.join(filled)}). 빈 데이터베이스에 옮겨 주세요."
            )
        marks = [
            {"table_name": table.name, "source": self._source.name, "after": None, "rows": 0, "done": False}
            for table in tables()
        ]
        async with transaction(target) as connection:
            await connection.run_sync(_marks.create)
            await connection.execute(insert(_marks), marks)

    async def _move(self, target: AsyncEngine, table: Table, total: int) -> None:
        async with reading(target) as connection:
            mark = (await connection.execute(select(_marks).where(_marks.c.table_name == table.name))).one()
        # Keys are kept as a whole row is: that is the one form that both databases give back alike.
        after = None if mark.after is None else key_of(table, decode_row(table, mark.after.encode()))
        done, page = mark.rows, list[Row]()
        self._progress(table.name, done, total)
        if mark.done:
            return
        async for row in self._source.every(table, after):
            page.append(row)
            if len(page) == PAGE:
                done = await self._write(target, table, page, done)
                self._progress(table.name, done, total)
                page.clear()
        await self._write(target, table, page, done, last=True)
        self._progress(table.name, total, total)

    async def _write(
        self, target: AsyncEngine, table: Table, page: Sequence[Row], done: int, *, last: bool = False
    ) -> int:
        aside = self._aside.get(table.name, set())
        fine = [row for row in page if key_of(table, row) not in aside]
        values: dict[str, Any] = {"done": last, "rows": done + len(page)}
        if page:
            names = [column.name for column in table.primary_key]
            values["after"] = encode_row(table, {name: page[-1][name] for name in names}).decode()
        async with transaction(target) as connection:
            await write_rows(connection, table, fine)
            await connection.execute(update(_marks).where(_marks.c.table_name == table.name).values(**values))
        return done + len(page)

    async def _verified(self, target: AsyncEngine, table: Table, report: TableReport) -> TableReport:
        columns = await self._source.columns(table)
        async with reading(target) as connection:
            if columns:
                there = await table_digest(connection, table, columns)
                moved, sha256 = there.rows, there.hex
            else:
                moved, sha256 = await count_rows(connection, table), report.source_sha256
        return TableReport(table.name, report.rows, moved, report.set_aside, report.source_sha256, sha256)


async def _marked(engine: AsyncEngine) -> bool:
    async with reading(engine) as connection:
        return await connection.run_sync(_has_marks)


def _has_marks(connection: Any) -> bool:
    return bool(inspect(connection).has_table(_marks.name))


def aside_line(one: SetAside) -> str:
    """For the file of rows that were set aside."""
    row = {name: value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
           for name, value in one.row.items()}  # fmt: skip
    return json.dumps({"table": one.table, "reason": one.reason, "row": row}, ensure_ascii=False)
