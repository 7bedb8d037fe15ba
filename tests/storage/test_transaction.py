"""Transactions: all or nothing, also when cancelled, crowded, full or killed."""

import asyncio
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.errors import ServiceUnavailable
from endy.storage.tables import conversations, questions
from endy.storage.transaction import reading, transaction


def conversation(name: str) -> dict[str, object]:
    return {"id": name, "asker": "anonymous", "created_at": datetime.now(UTC)}


async def stored(engine: AsyncEngine) -> int:
    async with reading(engine) as connection:
        return int((await connection.execute(select(func.count()).select_from(conversations))).scalar_one())


async def test_leaving_commits(engine: AsyncEngine) -> None:
    """What was written is there for the next reader."""
    async with transaction(engine) as connection:
        await connection.execute(insert(conversations), conversation("a"))
    assert await stored(engine) == 1


async def test_an_error_takes_everything_back(engine: AsyncEngine) -> None:
    """The writes before the error are gone, and the error reaches the caller."""

    async def fail() -> None:
        async with transaction(engine) as connection:
            await connection.execute(insert(conversations), conversation("a"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await stored(engine) == 0


async def test_reading_keeps_nothing_and_sees_one_moment(engine: AsyncEngine) -> None:
    """A reader neither sees what is committed meanwhile nor leaves anything behind."""
    async with reading(engine) as connection:
        count = select(func.count()).select_from(conversations)
        assert (await connection.execute(count)).scalar_one() == 0
        async with transaction(engine) as writer:
            await writer.execute(insert(conversations), conversation("a"))
        assert (await connection.execute(count)).scalar_one() == 0
    assert await stored(engine) == 1


async def test_references_are_checked(engine: AsyncEngine) -> None:
    """A question without its conversation is refused."""
    row = {column.name: 0 for column in questions.c} | {
        "id": "q", "conversation_id": "nowhere", "source_ids": [], "asked_at": datetime.now(UTC),
    }  # fmt: skip
    with pytest.raises(IntegrityError):
        async with transaction(engine) as connection:
            await connection.execute(insert(questions), row)


async def test_a_hundred_writers_at_once_all_succeed(engine: AsyncEngine) -> None:
    """Writers wait for each other instead of failing with a locked database."""

    async def write(number: int) -> None:
        async with transaction(engine, "people") as connection:
            found = (await connection.execute(select(func.count()).select_from(conversations))).scalar_one()
            await connection.execute(insert(conversations), conversation(f"{found}"))

    await asyncio.gather(*(write(number) for number in range(100)))
    assert await stored(engine) == 100


async def test_cancelling_leaves_no_connection_behind(engine: AsyncEngine) -> None:
    """Cancelled at any point, the pool stays usable and nothing half-written stays."""

    async def write(number: int) -> None:
        async with transaction(engine) as connection:
            await connection.execute(insert(conversations), conversation(f"{number}"))
            await asyncio.sleep(10)

    for number in range(30):
        task = asyncio.create_task(write(number))
        await asyncio.sleep(0.0005 * (number % 10))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await stored(engine) == 0
    async with transaction(engine) as connection:
        await connection.execute(insert(conversations), conversation("after"))
    assert await stored(engine) == 1


@pytest.mark.sqlite
async def test_a_lock_held_elsewhere_is_said_in_korean(engine: AsyncEngine, tmp_path: Path) -> None:
    """Another process that keeps the lock longer than the timeout means 503, not 500."""
    async with reading(engine) as connection:
        await connection.execute(text("PRAGMA busy_timeout=50"))
    other = sqlite3.connect(tmp_path / "endy.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ServiceUnavailable, match="바빠요"):
        async with transaction(engine):
            pass
    other.execute("ROLLBACK")
    other.close()


FILL_THE_DISK = """
import asyncio, resource, sys
from endy.errors import ServiceUnavailable
from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from endy.storage.transaction import reading, transaction
from sqlalchemy import text

resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

async def run():
    engine = create_engine(load_settings(_env_file=None, database_url=sys.argv[1]))
    await upgrade(engine)
    add = text("INSERT INTO conversations VALUES (:id, :asker, '2026-01-01')")
    try:
        async with transaction(engine) as connection:
            await connection.execute(add, [{"id": f"{n}", "asker": "x" * 60} for n in range(50000)])
    except ServiceUnavailable as error:
        print(error.message)
    async with reading(engine) as connection:
        print((await connection.execute(text("SELECT count(*) FROM conversations"))).scalar_one())
    async with transaction(engine) as connection:
        await connection.execute(add, {"id": "small", "asker": "x"})
    await engine.dispose()

asyncio.run(run())
"""


def test_a_full_disk_is_said_in_korean_and_loses_nothing(tmp_path: Path) -> None:
    """A write that does not fit is refused whole, and a smaller one afterwards succeeds."""
    program = [sys.executable, "-c", FILL_THE_DISK, f"sqlite:///{tmp_path}/endy.db"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    message, count = done.stdout.splitlines()
    assert "디스크" in message
    assert count == "0"
