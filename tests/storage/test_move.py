"""Moving: everything arrives as it was, whatever is wrong is set aside, and a killed move goes on where it stopped."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import JSON, Boolean, Date, DateTime, Float, LargeBinary, String, Table, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.audit.service import AuditLog, Event
from endy.errors import Conflict, StartupError
from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from endy.storage.move.mover import Mover, TableReport, refuse_half_moved
from endy.storage.move.source import DatabaseSource
from endy.storage.rows import WrongRow, decode_row, encode_row, table_digest, tables
from endy.storage.transaction import reading, transaction
from tests.databases import execute

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NOW = datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC)


def quiet(_name: str, _done: int, _total: int) -> None: ...


def engine_at(url: str) -> AsyncEngine:
    return create_engine(load_settings(_env_file=None, database_url=url))


def value_for(column: Any, number: int, chance: random.Random) -> Any:  # noqa: PLR0911  one per kind
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


async def fill(engine: AsyncEngine, rows: int) -> None:
    """Rows in every table, each child with a parent."""
    chance = random.Random(7)  # noqa: S311
    keys: dict[str, list[Any]] = {}
    async with transaction(engine) as connection:
        for table in tables():
            made = []
            for number in range(rows):
                row = {column.name: value_for(column, number, chance) for column in table.columns}
                for constraint in table.foreign_key_constraints:
                    for element in constraint.elements:
                        row[element.parent.name] = keys[constraint.referred_table.name][number]
                made.append(row)
            keys[table.name] = [row[next(iter(table.primary_key)).name] for row in made]
            if made:
                await connection.execute(insert(table), made)


async def digests(engine: AsyncEngine) -> dict[str, tuple[int, str]]:
    async with reading(engine) as connection:
        found = {table.name: await table_digest(connection, table, list(table.columns)) for table in tables()}
    return {name: (digest.rows, digest.hex) for name, digest in found.items()}


async def move(source: AsyncEngine, target: AsyncEngine, name: str = "source") -> tuple[list[TableReport], Mover]:
    await upgrade(target)
    async with reading(source) as connection:
        mover = Mover(DatabaseSource(connection, name), quiet)
        return await mover.run(target), mover


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = engine_at(f"sqlite:///{tmp_path}/source.db")
    await upgrade(engine)
    yield engine
    await engine.dispose()


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    engine = engine_at(postgres_url)
    yield engine
    await engine.dispose()


async def test_there_and_back_again(sqlite: AsyncEngine, postgres: AsyncEngine, tmp_path: Path) -> None:
    """Every table, every kind of value, letters that databases sort differently: equal counts and checksums."""
    await fill(sqlite, 300)
    before = await digests(sqlite)
    reports, mover = await move(sqlite, postgres)
    assert mover.set_aside == []
    assert all(report.equal and report.moved == 300 for report in reports)
    assert await digests(postgres) == before
    back = engine_at(f"sqlite:///{tmp_path}/back.db")
    await move(postgres, back, "back")
    assert await digests(back) == before
    await back.dispose()


async def test_afterwards_it_goes_on_as_before(sqlite: AsyncEngine, postgres: AsyncEngine) -> None:
    """The audit chain verifies, new events get new numbers, and nothing of the move is left."""
    for number in range(5):
        await AuditLog(sqlite).add(Event("user_changed", "2024001", f"{number}", {"a": None}, {"ㄱ": [1.25, "b"]}))
    await move(sqlite, postgres)
    log = AuditLog(postgres)
    await log.add(Event("login", "2024001"))
    verdict = await log.verify()
    assert (verdict.events, verdict.broken) == (6, None)
    await refuse_half_moved(postgres)


async def test_a_target_that_is_not_empty_is_refused(sqlite: AsyncEngine, postgres: AsyncEngine) -> None:
    """Nothing is mixed with what is there; it says which tables hold something."""
    await upgrade(postgres)
    await fill(postgres, 1)
    with pytest.raises(Conflict, match="questions"):
        await move(sqlite, postgres)


async def test_a_stopped_move_goes_on_and_endy_waits_for_it(sqlite: AsyncEngine, postgres: AsyncEngine) -> None:
    """The database of a move that was interrupted is not served; the same move again finishes it, another not."""
    await fill(sqlite, 50)

    class Pulled(Exception):
        pass

    def pull(name: str, done: int, _total: int) -> None:
        if name == "questions" and done:
            raise Pulled

    await upgrade(postgres)
    async with reading(sqlite) as connection:
        with pytest.raises(Pulled):
            await Mover(DatabaseSource(connection, "source"), pull).run(postgres)
    with pytest.raises(StartupError, match="endy db move"):
        await refuse_half_moved(postgres)
    with pytest.raises(Conflict, match="다른 원본"):
        await move(sqlite, postgres, "another")
    reports, _ = await move(sqlite, postgres)
    assert all(report.equal for report in reports)
    assert await digests(postgres) == await digests(sqlite)


async def test_wrong_rows_are_set_aside_with_their_children(sqlite: AsyncEngine, postgres: AsyncEngine) -> None:
    """What PostgreSQL would refuse: too long, NUL, an orphan; everything else arrives, and the checksums agree."""
    await fill(sqlite, 20)
    async with reading(sqlite) as connection:
        await connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    url = str(sqlite.url.database).removeprefix("file://").split("?")[0]
    execute(
        f"sqlite:///{url}",
        "UPDATE questions SET category = 'x' || char(0) WHERE id = (SELECT min(id) FROM questions)",
        "UPDATE users SET name = printf('%.*c', 200, 'n') WHERE employee_id = (SELECT max(employee_id) FROM users)",
        "UPDATE feedback SET question_id = 'nowhere' WHERE question_id = (SELECT max(question_id) FROM feedback)",
        "SELECT 1",
    )
    reports, mover = await move(sqlite, postgres)
    found = {(one.table, one.reason.split(":")[0]) for one in mover.set_aside}
    assert {("questions", "category"), ("users", "name"), ("feedback", "questions에 짝이 되는 줄이 없어요")} <= found
    assert ("feedback", "짝이 되는 questions 줄을 옮기지 못했어요") in found
    assert {"sessions", "password_links"} <= {table for table, _ in found}
    assert all(report.equal for report in reports)
    assert sum(report.set_aside for report in reports) == len(mover.set_aside)


async def test_an_older_schema_moves_too(tmp_path: Path, postgres: AsyncEngine) -> None:
    """Columns and tables that came later get what a migration would have given them."""
    old = engine_at(f"sqlite:///{tmp_path}/old.db")
    await upgrade(old, "0001")
    execute(
        f"sqlite:///{tmp_path}/old.db",
        "INSERT INTO users VALUES ('2024001', '김철수', '개발팀', 'a@encar.example', 'admin', NULL, '2026-01-01')",
    )
    reports, _ = await move(old, postgres)
    assert all(report.equal for report in reports)
    async with reading(postgres) as connection:
        row = (await connection.exec_driver_sql("SELECT source, version FROM users")).one()
    assert tuple(row) == ("file", 1)
    await old.dispose()


KILLED = [sys.executable, "-m", "endy", "db", "move"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent.parent / "src")}


async def test_killed_at_any_moment_it_ends_equal(sqlite: AsyncEngine, postgres_url: str, tmp_path: Path) -> None:
    """kill -9 again and again, at random moments of a real command; the last run finishes and finds all equal."""
    await fill(sqlite, 6000)
    source = f"sqlite:///{tmp_path}/source.db"
    chance = random.Random(3)  # noqa: S311
    for _ in range(5):
        process = await asyncio.create_subprocess_exec(
            *KILLED,
            source,
            postgres_url,
            cwd=tmp_path,
            env=ENVIRONMENT,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            await asyncio.wait_for(process.wait(), 1.2 + 2.5 * chance.random())
            break
        except TimeoutError:
            process.send_signal(signal.SIGKILL)
            await process.wait()
    last = await asyncio.create_subprocess_exec(
        *KILLED,
        source,
        postgres_url,
        "--json",
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await last.communicate()
    if last.returncode == 1:
        assert "비어 있지 않아요" in err.decode()  # one of the runs before got through to the end
    else:
        assert last.returncode == 0, err.decode()
        assert all(table["equal"] for table in json.loads(out)["tables"])
    target = engine_at(postgres_url)
    assert await digests(target) == await digests(sqlite)
    await target.dispose()


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
        decode_row({table.name: table for table in tables()}["conversations"], line)
