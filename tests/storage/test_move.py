"""Moving: everything arrives as it was, whatever is wrong is set aside, and a killed move goes on where it stopped."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.audit.service import AuditLog, Event
from endy.errors import Conflict, StartupError
from endy.storage.migrations import upgrade
from endy.storage.move.mover import Mover, TableReport, refuse_half_moved
from endy.storage.move.source import DatabaseSource
from endy.storage.transaction import reading
from tests.databases import execute
from tests.postgres import PostgresServer
from tests.storage.made_up import digests, engine_at, fill

ROOT = Path(__file__).parent.parent.parent


def quiet(_step: str, _name: str, _done: int, _total: int) -> None: ...


async def move(source: AsyncEngine, target: AsyncEngine, name: str = "source") -> tuple[list[TableReport], Mover]:
    await upgrade(target)
    async with reading(source) as connection:
        mover = Mover(await DatabaseSource.open(connection, name), quiet)
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

    def pull(step: str, name: str, done: int, _total: int) -> None:
        if (step, name) == ("move", "questions") and done:
            raise Pulled

    await upgrade(postgres)
    async with reading(sqlite) as connection:
        with pytest.raises(Pulled):
            await Mover(await DatabaseSource.open(connection, "source"), pull).run(postgres)
    with pytest.raises(StartupError, match="endy db move"):
        await refuse_half_moved(postgres)
    with pytest.raises(Conflict, match="다른 원본"):
        await move(sqlite, postgres, "another")
    reports, _ = await move(sqlite, postgres)
    assert all(report.equal for report in reports)
    assert await digests(postgres) == await digests(sqlite)


async def test_a_source_that_is_written_to_is_told(sqlite: AsyncEngine, postgres_url: str, tmp_path: Path) -> None:
    """An update is noticed as well as a new row; what stays the same, by reading or by the clock, is not."""
    postgres = engine_at(postgres_url)
    await fill(sqlite, 3)
    await move(sqlite, postgres)
    for engine, url in ((sqlite, f"sqlite:///{tmp_path}/source.db"), (postgres, postgres_url)):
        for statement, changes in (("SELECT 1", False), ("UPDATE users SET version = 2", True)):
            async with reading(engine) as connection:
                source = await DatabaseSource.open(connection, "source")
                execute(url, statement)
                assert await source.changed() is changes
    await postgres.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_an_older_schema_moves_too(tmp_path: Path, postgres_server: PostgresServer, kind: str) -> None:
    """Columns and tables that came later get what a migration would have given them."""
    urls = [postgres_server.create_database(), f"sqlite:///{tmp_path}/x.db"]
    old, new = (engine_at(url) for url in (urls if kind == "postgresql" else reversed(urls)))
    await upgrade(old, "0001")
    execute(
        urls[kind == "sqlite"],
        "INSERT INTO users VALUES ('2024001', '김철수', '개발팀', 'a@encar.example', 'admin', NULL, '2026-01-01')",
    )
    reports, mover = await move(old, new)
    assert mover.set_aside == []
    assert all(report.equal for report in reports)
    async with reading(new) as connection:
        row = (await connection.exec_driver_sql("SELECT source, version FROM users")).one()
    assert tuple(row) == ("file", 1)
    for engine in (old, new):
        await engine.dispose()


async def test_killed_at_any_moment_it_ends_equal(sqlite: AsyncEngine, postgres_url: str, tmp_path: Path) -> None:
    """kill -9 again and again, at random moments of a real command; the last run finishes and finds all equal."""
    await fill(sqlite, 6000)
    source = f"sqlite:///{tmp_path}/source.db"
    chance = random.Random(3)  # noqa: S311
    for _ in range(5):
        process = await begun(tmp_path, source, postgres_url)
        try:
            await asyncio.wait_for(process.wait(), 1.2 + 2.5 * chance.random())
            break
        except TimeoutError:
            process.send_signal(signal.SIGKILL)
            await process.wait()
    last = await begun(tmp_path, source, postgres_url)
    out, err = await last.communicate()
    if last.returncode == 1:
        assert "비어 있지 않아요" in err.decode()  # one of the runs before got through to the end
    else:
        assert last.returncode == 0, err.decode()
        assert all(table["equal"] for table in json.loads(out)["tables"])
    target = engine_at(postgres_url)
    assert await digests(target) == await digests(sqlite)
    await target.dispose()


async def begun(place: Path, source: str, target: str) -> asyncio.subprocess.Process:
    """A command on its way."""
    arguments = ["-m", "endy", "db", "move", source, target, "--json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def test_a_command_notices_that_the_source_is_in_use(
    sqlite: AsyncEngine, postgres_url: str, tmp_path: Path
) -> None:
    """What came meanwhile is missing in the target: that is said, and the command does not end as if all were well."""
    await fill(sqlite, 2000)
    source = f"sqlite:///{tmp_path}/source.db"
    process = await begun(tmp_path, source, postgres_url)
    while not execute(postgres_url, "SELECT 1 FROM pg_tables WHERE tablename = 'endy_move'"):  # noqa: ASYNC110  its own
        await asyncio.sleep(0.05)
    execute(source, "UPDATE users SET version = 9")
    out, err = await process.communicate()
    assert (process.returncode, json.loads(out)["source_changed"]) == (2, True)
    assert "원본이 바뀌었어요" in err.decode()


async def test_a_command_that_is_interrupted_says_how_to_go_on(
    sqlite: AsyncEngine, postgres_url: str, tmp_path: Path
) -> None:
    """Ctrl-C gives one line and no traceback, whatever it was about to do."""
    await fill(sqlite, 6000)
    process = await begun(tmp_path, f"sqlite:///{tmp_path}/source.db", postgres_url)
    await asyncio.sleep(2.5)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode in (0, 130)
    assert "Traceback" not in err.decode()
    if process.returncode == 130:
        assert "이어서" in err.decode()
