"""Moving what PostgreSQL would not take, from and to databases that are full, away, or somebody else's too."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.errors import Conflict, ServiceUnavailable
from endy.settings import load_settings
from endy.storage.engine import create_engine, empty_log
from endy.storage.migrations import upgrade
from endy.storage.move.mover import Mover, aside_line, refuse_half_moved
from endy.storage.move.source import DatabaseSource
from endy.storage.transaction import reading
from tests.databases import execute
from tests.postgres import PostgresServer
from tests.storage.made_up import digests, engine_at, fill

ROOT = Path(__file__).parent.parent.parent
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
from endy.cli import main
main()
"""


def quiet(_step: str, _name: str, _done: int, _total: int) -> None: ...


@pytest.fixture
def source_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/source.db"


@pytest.fixture
async def source(source_url: str) -> AsyncIterator[AsyncEngine]:
    """As the command opens it."""
    writing = engine_at(source_url)
    await upgrade(writing)
    await fill(writing, 20)
    await empty_log(writing)
    await writing.dispose()
    engine = create_engine(load_settings(_env_file=None, database_url=source_url), patient=True, read_only=True)
    yield engine
    await engine.dispose()


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    engine = engine_at(postgres_url)
    await upgrade(engine)
    yield engine
    await engine.dispose()


async def moved(source: AsyncEngine, target: AsyncEngine) -> Mover:
    async with reading(source) as connection:
        mover = Mover(await DatabaseSource.open(connection, "source"), quiet)
        reports = await mover.run(target)
    assert all(report.equal for report in reports)
    assert sum(report.set_aside for report in reports) == len(mover.set_aside)
    return mover


FAULTS = [
    ("questions", "category = 'x' || char(0)", "category: 저장할 수 없는 글자(NUL)"),
    ("users", "name = printf('%.*c', 200, 'n')", "name: 200자는 너무 길어요 (100자까지)"),
    ("feedback", "question_id = 'nowhere'", "questions에 짝이 되는 줄이 없어요"),
    ("sections", "keywords = '[1, '", "keywords: 값을 읽을 수 없어요"),
    ("sections", "keywords = '[NaN]'", "keywords: 저장할 수 없는 수"),
    ("sections", "keywords = '[\"\\u0000\"]'", "keywords: 저장할 수 없는 글자(NUL)"),
    ("sections", "position = 3000000000", "position: 수가 너무 커요"),
    ("sections", "text = cast(x'EAB0FF' AS TEXT)", "text: 저장할 수 없는 글자"),
    ("sections", "text = x'EAB0FF'", "text: 값을 읽을 수 없어요 (bytes)"),
    ("questions", "asked_at = 'once'", "asked_at: 값을 읽을 수 없어요 (str)"),
    ("jobs", "lease_until = 5", "lease_until: 값을 읽을 수 없어요 (int)"),
]


@pytest.mark.parametrize(("table", "change", "says"), FAULTS, ids=range(len(FAULTS)))
async def test_one_wrong_row_is_set_aside(
    source: AsyncEngine, source_url: str, postgres: AsyncEngine, table: str, change: str, says: str
) -> None:
    """What SQLite keeps and PostgreSQL refuses is found first and told with its row; all else arrives alike."""
    first = execute(source_url, f"SELECT rowid FROM {table}")[7][0]  # noqa: S608  our own names
    execute(source_url, f"UPDATE {table} SET {change} WHERE rowid = {first}")  # noqa: S608
    mover = await moved(source, postgres)
    assert mover.set_aside[0].table == table
    assert mover.set_aside[0].reason.startswith(says)
    for one in mover.set_aside[1:]:
        assert one.reason == f"짝이 되는 {table} 줄을 옮기지 못했어요"
    lines = [json.loads(aside_line(one)) for one in mover.set_aside]
    assert [set(line["row"]) for line in lines] == [set(one.row) for one in mover.set_aside]


async def test_the_source_stays_as_it_is(tmp_path: Path, source_url: str, source: AsyncEngine) -> None:
    """Not a byte of its file changes, not even how it keeps its journal."""
    await source.dispose()
    path = tmp_path / "source.db"
    before = sha256(path.read_bytes()).hexdigest()
    done = run(tmp_path, source_url, f"sqlite:///{tmp_path}/target.db")
    assert done.returncode == 0, done.stderr
    assert sha256(path.read_bytes()).hexdigest() == before


async def test_two_moves_at_once_do_not_mix(source: AsyncEngine, postgres: AsyncEngine) -> None:
    """One of them goes on alone; the other says so."""

    async def one() -> Mover | Conflict:
        try:
            return await moved(source, postgres)
        except Conflict as conflict:
            return conflict

    ended = await asyncio.gather(one(), one())
    if any(isinstance(each, Conflict) for each in ended):
        refused = next(each for each in ended if isinstance(each, Conflict))
        assert "하나만" in refused.message or "비어 있지" in refused.message
    assert await digests(postgres) == await digests(source)


async def test_a_target_that_goes_away_is_gone_on_with(own_server: PostgresServer, source: AsyncEngine) -> None:
    """The server crashes in the middle: an error that passes; when it is back the same move ends equal."""
    target = engine_at(own_server.create_database())
    await upgrade(target)

    def crash(step: str, table: str, _done: int, _total: int) -> None:
        if (step, table) == ("move", "documents"):
            own_server.stop(signal.SIGQUIT)

    async with reading(source) as connection:
        with pytest.raises(ServiceUnavailable):
            await Mover(await DatabaseSource.open(connection, "source"), crash).run(target)
    own_server.start()
    await moved(source, target)
    await refuse_half_moved(target)
    assert await digests(target) == await digests(source)
    await target.dispose()


def run(place: Path, *arguments: str, limit: int = -1) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), "db", "move", *arguments],
        cwd=place, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False,
    )  # fmt: skip


async def test_a_full_disk_is_told_and_gone_on_with(tmp_path: Path, source_url: str) -> None:
    """One line says so and how to go on; with room again the same command ends equal."""
    engine = engine_at(source_url)
    await upgrade(engine)
    await fill(engine, 3000)
    target = f"sqlite:///{tmp_path}/target.db"
    full = run(tmp_path, source_url, target, limit=2_000_000)
    assert full.returncode == 1
    assert "이어서" in full.stderr
    assert "Traceback" not in full.stderr
    done = run(tmp_path, source_url, target)
    assert done.returncode == 0, done.stderr
    arrived = engine_at(target)
    assert await digests(arrived) == await digests(engine)
    for each in (engine, arrived):
        await each.dispose()


async def test_a_dry_run_looks_at_the_target_too(
    tmp_path: Path, source_url: str, source: AsyncEngine, postgres: AsyncEngine, postgres_url: str
) -> None:
    """An operator learns beforehand that it is not empty, or not there."""
    fine = run(tmp_path, source_url, postgres_url, "--dry-run")
    await moved(source, postgres)
    filled = run(tmp_path, source_url, postgres_url, "--dry-run")
    away = run(tmp_path, source_url, "postgresql://endy@127.0.0.1:1/none", "--dry-run")
    assert (fine.returncode, filled.returncode, away.returncode) == (0, 1, 1)
    assert "비어 있지 않아요" in filled.stderr
    assert "연결할 수 없어요" in away.stderr


async def test_what_is_half_moved_is_no_source(tmp_path: Path, source_url: str, source: AsyncEngine) -> None:
    """Half of the rows would look like all of them."""
    await source.dispose()
    execute(source_url, "CREATE TABLE endy_move (table_name TEXT)")
    done = run(tmp_path, source_url, f"sqlite:///{tmp_path}/target.db")
    assert done.returncode == 2
    assert "옮기다 만" in done.stderr
