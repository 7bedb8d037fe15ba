"""Rows: the same on both databases, as values, in their order, and as lines."""

import random
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from sqlalchemy import JSON, Boolean, Column, Date, DateTime, Float, Integer, LargeBinary, Table
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.storage.migrations import upgrade
from endy.storage.rows import (
    Row,
    Unread,
    WrongRow,
    decode_row,
    encode_row,
    every_row,
    key_of,
    reset_sequences,
    tables,
    write_rows,
)
from endy.storage.transaction import reading, transaction
from tests.databases import execute
from tests.storage.made_up import engine_at, fill, made_up, value_for

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ALONE = [table for table in tables() if not table.foreign_key_constraints]
NAMED = {table.name: table for table in tables()}


def values_of(column: Column[Any]) -> st.SearchStrategy[Any]:
    kind = column.type
    found: st.SearchStrategy[Any]
    if isinstance(kind, JSON):
        found = st.lists(JSONS, max_size=3) | st.dictionaries(TEXT, JSONS, max_size=3) | st.integers(-9, 9)
    elif isinstance(kind, DateTime):
        found = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
    elif isinstance(kind, Date):
        found = st.dates(date(1970, 1, 1), date(2100, 1, 1))
    elif isinstance(kind, LargeBinary):
        found = st.binary(max_size=20)
    elif isinstance(kind, Boolean):
        found = st.booleans()
    elif isinstance(kind, Float):
        found = st.floats(allow_nan=False, allow_infinity=False)
    elif isinstance(kind, Integer):
        found = st.integers(-(2**31), 2**31 - 1)
    else:
        found = TEXT.map(lambda text: text[: getattr(kind, "length", None) or 50])
    return st.none() | found if column.nullable else found


@st.composite
def rows_of(draw: st.DrawFn, table: Table) -> list[Row]:
    row = st.fixed_dictionaries({column.name: values_of(column) for column in table.columns})
    rows: list[Row] = draw(st.lists(row, max_size=5, unique_by=lambda row: key_of(table, row)))
    if table.name == "users":
        # One index allows each of these once.
        rows = [values | {"sso_subject": f"{number}"} for number, values in enumerate(rows)]
    return rows


async def read(engine: AsyncEngine, table: Table, after: Any = None) -> list[Row]:
    async with reading(engine) as connection:
        return [row async for row in every_row(connection, table, list(table.columns), after)]


@pytest.fixture
async def pair(tmp_path: Path, postgres_url: str) -> AsyncIterator[tuple[AsyncEngine, AsyncEngine]]:
    engines = engine_at(f"sqlite:///{tmp_path}/a.db"), engine_at(postgres_url)
    for engine in engines:
        await upgrade(engine)
    yield engines
    for engine in engines:
        await engine.dispose()


class Back(Exception):
    """Takes a transaction back."""


async def through(engine: AsyncEngine, table: Table, rows: list[Row]) -> list[Row]:
    """Write the rows, read them again, and leave nothing behind."""
    found: list[Row] = []
    with suppress(Back):
        async with transaction(engine) as connection:
            await write_rows(connection, table, rows)
            found += [row async for row in every_row(connection, table, list(table.columns))]
            raise Back
    return found


@how(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_there_and_back_the_rows_are_themselves(
    data: st.DataObject, pair: tuple[AsyncEngine, AsyncEngine]
) -> None:
    """Whatever a row holds: SQLite, PostgreSQL and SQLite again give it back alike, in one order, as equal lines."""
    table = data.draw(st.sampled_from(ALONE))
    rows = data.draw(rows_of(table))
    sqlite, postgresql = pair
    first = await through(sqlite, table, rows)
    second = await through(postgresql, table, first)
    third = await through(sqlite, table, second)
    lines = [encode_row(table, row) for row in first]
    assert sorted(lines) == sorted(encode_row(table, row) for row in rows)
    assert [encode_row(table, row) for row in second] == lines == [encode_row(table, row) for row in third]
    assert [decode_row(table, line) for line in lines] == first


async def test_rows_behind_a_key_are_the_rest(engine: AsyncEngine) -> None:
    """From any key on, in the same order, over page borders as well; by bytes, not by a language's alphabet."""
    await fill(engine, 60)
    for table in tables():
        rows = await read(engine, table)
        keys = [key_of(table, row) for row in rows]
        assert keys == sorted(
            keys, key=lambda key: [str(part).encode() if isinstance(part, str) else part for part in key]
        )
        for at in (0, 30, 59):
            assert await read(engine, table, keys[at]) == rows[at + 1 :]


async def test_new_numbers_follow_those_that_came_along(engine: AsyncEngine) -> None:
    """An audit event after rows with numbers of their own gets the next one; with no rows at all it is the first."""
    event = {name: value for name, value in made_up(1)["audit"][0].items() if name != "id"}
    async with transaction(engine) as connection:
        await reset_sequences(connection)
        await write_rows(connection, NAMED["audit"], [event | {"id": number} for number in (5, 41)])
        await reset_sequences(connection)
        await write_rows(connection, NAMED["audit"], [event])
    assert [row["id"] for row in await read(engine, NAMED["audit"])] == [5, 41, 42]


@pytest.mark.parametrize(
    ("table", "column", "raw"),
    [
        ("sections", "keywords", "'[\"a\"'"), ("sections", "position", "'many'"), ("sections", "review_by", "'soon'"),
        ("questions", "asked_at", "'yesterday'"), ("questions", "asked_at", "17"), ("questions", "question", "x'6162'"),
        ("questions", "confidence", "'high'"), ("feedback", "is_helpful", "7"), ("embeddings", "vectors", "'text'"),
    ],
    ids=range(9),
)  # fmt: skip
async def test_what_no_column_of_its_kind_holds_is_told(tmp_path: Path, table: str, column: str, raw: str) -> None:
    """SQLite keeps anything; such a value comes as it is and marked, and never becomes a line."""
    url = f"sqlite:///{tmp_path}/odd.db"
    engine = engine_at(url)
    await upgrade(engine)
    await fill(engine, 2)
    execute(url, f"UPDATE {table} SET {column} = {raw} WHERE rowid = 1")  # noqa: S608  our own values
    rows = await read(engine, NAMED[table])
    (odd,) = [row for row in rows if isinstance(row[column], Unread)]
    with pytest.raises(WrongRow, match=column):
        encode_row(NAMED[table], odd)
    await engine.dispose()


@given(data=st.data())
def test_a_line_gives_its_row_back(data: st.DataObject) -> None:
    """Encoded and decoded, every row is itself; equal rows have equal lines whatever their order of columns."""
    table: Table = data.draw(st.sampled_from(tables()))
    chance = random.Random(data.draw(st.integers(0, 10**6)))  # noqa: S311
    row = {column.name: value_for(column, 3, chance) for column in table.columns}
    for name, value in row.items():
        if isinstance(value, str):
            row[name] = data.draw(TEXT) or "x"
    line = encode_row(table, row)
    assert decode_row(table, line) == row
    assert encode_row(table, dict(reversed(row.items()))) == line
    assert b"\n" not in line


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"{}", b'{"id": "a"}x', b'{"id": "a", "password": 1}', b'{"id": 7}', b'{"id": "a", "created_at": "x"}',
     b'{"id": null}', b"\xff"],
    ids=range(9),
)  # fmt: skip
def test_a_line_that_is_no_row_is_refused(line: bytes) -> None:
    """Whatever stands there instead, one kind of error says so."""
    with pytest.raises(WrongRow):
        decode_row(NAMED["conversations"], line)
