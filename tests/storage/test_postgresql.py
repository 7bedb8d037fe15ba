"""What only a database server can do to us: restart, refuse, time out, and lose connections in the middle."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import psycopg
import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.errors import ServiceUnavailable, ValidationFailed
from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.migrations import downgrade, upgrade
from endy.storage.tables import conversations
from endy.storage.transaction import Interrupted, Uncertain, reading, retried, transaction
from tests.postgres import PostgresServer
from tests.storage.test_transaction import conversation, stored


def engine_for(url: str, **values: object) -> AsyncEngine:
    return create_engine(load_settings(_env_file=None, database_url=url, **values))


@pytest.fixture
async def engine(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    engine = engine_for(postgres_url)
    await upgrade(engine)
    yield engine
    await engine.dispose()


async def backend(connection: AsyncConnection) -> int:
    return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def kill(server: PostgresServer, connection: AsyncConnection) -> None:
    await asyncio.to_thread(server.execute, f"SELECT pg_terminate_backend({await backend(connection)}, 5000)")


async def test_a_lost_connection_before_the_commit_is_tried_again(
    engine: AsyncEngine, postgres_server: PostgresServer
) -> None:
    """Nothing was stored, so the whole is done once more, and stored once."""
    attempts = []

    @retried
    async def work() -> None:
        async with transaction(engine) as connection:
            await connection.execute(insert(conversations), conversation("a"))
            attempts.append(1)
            if len(attempts) == 1:
                await kill(postgres_server, connection)
                await connection.execute(text("SELECT 1"))

    await work()
    assert (len(attempts), await stored(engine)) == (2, 1)


async def test_a_connection_lost_while_committing_is_tried_again_only_if_that_is_harmless(
    engine: AsyncEngine, postgres_server: PostgresServer
) -> None:
    """Whether it was stored is not known then; whoever may store twice says so."""
    attempts = []

    async def work() -> None:
        async with transaction(engine) as connection:
            await connection.execute(insert(conversations), conversation("a"))
            attempts.append(1)
            if len(attempts) % 2:
                await kill(postgres_server, connection)

    with pytest.raises(Uncertain):
        await retried(work)()
    assert len(attempts) == 1
    attempts.clear()
    await partial(retried, twice=True)(work)()
    assert (len(attempts), await stored(engine)) == (2, 1)


async def test_deadlocks_are_resolved_and_tried_again(engine: AsyncEngine) -> None:
    """Two who wait for each other both get through."""
    async with transaction(engine) as connection:
        await connection.execute(insert(conversations), [conversation("a"), conversation("b")])
    both = asyncio.Barrier(2)
    met = []

    async def work(first: str, second: str) -> None:
        async with transaction(engine) as connection:
            change = text("UPDATE conversations SET asker = 'x' WHERE id = :id")
            await connection.execute(change, {"id": first})
            if len(met) < 2:
                met.append(first)
                await both.wait()
            await connection.execute(change, {"id": second})

    await asyncio.gather(retried(work)("a", "b"), retried(work)("b", "a"))


async def test_after_a_restart_the_next_call_works(own_server: PostgresServer) -> None:
    """Connections that died in the pool are noticed before they are used; while the server is away, it is said so."""
    engine = engine_for(own_server.create_database())
    await upgrade(engine)

    async def touch() -> None:
        async with transaction(engine) as connection:
            await connection.execute(text("SELECT pg_sleep(0.05)"))

    await asyncio.gather(*(touch() for _ in range(10)))
    own_server.stop(signal.SIGQUIT)
    with pytest.raises(ServiceUnavailable, match="연결할 수 없어요"):
        await touch()
    own_server.start()
    began = time.monotonic()
    await asyncio.gather(*(touch() for _ in range(10)))
    assert time.monotonic() - began < 5
    await engine.dispose()


async def test_what_was_acknowledged_survives_a_crash(own_server: PostgresServer) -> None:
    """Every row whose transaction returned is there after the server was killed in the middle of writing."""
    engine = engine_for(own_server.create_database())
    await upgrade(engine)
    acknowledged: list[str] = []

    async def write(worker: int) -> None:
        for number in range(10_000):
            async with transaction(engine) as connection:
                await connection.execute(insert(conversations), conversation(f"{worker}-{number}"))
            acknowledged.append(f"{worker}-{number}")

    writers = [asyncio.create_task(write(worker)) for worker in range(4)]
    await asyncio.sleep(0.5)
    await asyncio.to_thread(own_server.restart, signal.SIGQUIT)
    results = await asyncio.gather(*writers, return_exceptions=True)
    assert all(isinstance(result, ServiceUnavailable) for result in results), results
    async with reading(engine) as connection:
        there = set((await connection.execute(text("SELECT id FROM conversations"))).scalars())
    await engine.dispose()
    assert len(acknowledged) > 20
    assert set(acknowledged) <= there


@pytest.mark.parametrize("broken", ["nobody@", "endy:hunter2@"])
async def test_a_refused_login_is_one_line_without_the_password(postgres_server: PostgresServer, broken: str) -> None:
    """A missing user or database says which setting to look at."""
    url = postgres_server.url("nowhere").replace("endy@", broken)
    engine = engine_for(url)
    with pytest.raises(ServiceUnavailable, match="DATABASE_URL") as caught:
        await upgrade(engine)
    assert "hunter2" not in str(caught.value)
    await engine.dispose()


async def test_no_statement_runs_for_ever(postgres_url: str) -> None:
    """A statement over DATABASE_STATEMENT_SECONDS ends with a 503, and its connection is good again."""
    engine = engine_for(postgres_url, database_statement_seconds=1)
    with pytest.raises(ServiceUnavailable, match="바빠요"):
        async with reading(engine) as connection:
            await connection.execute(text("SELECT pg_sleep(30)"))
    async with reading(engine) as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    await engine.dispose()


async def test_a_crowd_waits_and_is_turned_away_politely(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every connection taken, the next caller gets a 503 after some seconds, not an error or a hang."""
    monkeypatch.setattr("endy.storage.engine.POOL_WAIT_SECONDS", 0.3)
    engine = engine_for(postgres_url, database_pool_size=2)

    async def hold() -> None:
        async with reading(engine) as connection:
            await connection.execute(text("SELECT pg_sleep(1)"))

    holders = [asyncio.create_task(hold()) for _ in range(2)]
    await asyncio.sleep(0.2)
    with pytest.raises(ServiceUnavailable, match="바빠요"):
        await hold()
    await asyncio.gather(*holders)
    await engine.dispose()


async def test_what_cannot_be_stored_is_the_callers_fault(engine: AsyncEngine) -> None:
    """PostgreSQL takes no NUL in texts: that is a 422, not a 500."""
    with pytest.raises(ValidationFailed):
        async with transaction(engine) as connection:
            await connection.execute(insert(conversations), conversation("a\0b"))


async def test_a_standby_that_only_reads_is_a_503(engine: AsyncEngine) -> None:
    """During a failover writes are refused and reads go on."""

    async def write() -> None:
        async with transaction(engine) as connection:
            await connection.execute(text("SET TRANSACTION READ ONLY"))
            await connection.execute(insert(conversations), conversation("a"))

    with pytest.raises(ServiceUnavailable, match="읽기만"):
        await write()
    assert await stored(engine) == 0


async def test_cancelled_calls_never_hand_their_answer_to_others(engine: AsyncEngine) -> None:
    """Five hundred calls cancelled at any moment leave every pooled connection as good as new."""

    async def echo(number: int) -> int:
        async with reading(engine) as connection:
            found = await connection.execute(text("SELECT CAST(:n AS int), pg_sleep(0.002)"), {"n": number})
            return int(found.scalar_one())

    for number in range(500):
        task = asyncio.create_task(echo(number))
        await asyncio.sleep(0.0003 * (number % 17))
        task.cancel()
        with suppress(asyncio.CancelledError):
            assert await task == number
    assert await asyncio.gather(*(echo(number) for number in range(100))) == list(range(100))


async def test_a_migration_gives_way_to_whoever_uses_the_table(engine: AsyncEngine, postgres_url: str) -> None:
    """While a long reader holds the table, others still read and write it; the migration succeeds behind them."""
    await downgrade(engine, "0002")
    async with await psycopg.AsyncConnection.connect(postgres_url) as reader:
        await reader.execute("SELECT * FROM questions")
        migrating = asyncio.create_task(upgrade(engine))
        await asyncio.sleep(0.5)
        worst = 0.0
        for number in range(8):
            began = time.monotonic()
            async with transaction(engine) as connection:
                await connection.execute(insert(conversations), conversation(f"{number}"))
                await connection.execute(text("SELECT count(*) FROM questions"))
            worst = max(worst, time.monotonic() - began)
            await asyncio.sleep(0.4)
        assert not migrating.done()
        await reader.rollback()
    await asyncio.wait_for(migrating, 15)
    assert worst < 3


async def test_interrupted_work_ends_after_some_attempts() -> None:
    """What never succeeds is not tried for ever."""
    attempts = []

    @retried
    async def work() -> None:
        attempts.append(1)
        raise Interrupted

    with pytest.raises(Interrupted):
        await work()
    assert len(attempts) == 4
