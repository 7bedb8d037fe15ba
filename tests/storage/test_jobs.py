"""Background work: one worker at a time, whoever is killed is replaced, and what became of it is known."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.errors import ServiceUnavailable
from endy.settings import Settings
from endy.storage.engine import create_engine
from endy.storage.jobs import Jobs, JobState, TurnLost
from tests.databases import execute

LEASE = 0.6


@pytest.fixture
def workers(engine: AsyncEngine) -> list[Jobs]:
    return [Jobs(engine, LEASE) for _ in range(8)]


async def state(worker: Jobs) -> JobState:
    (only,) = await worker.states()
    return only


async def test_of_many_workers_one_gets_the_turn(workers: list[Jobs]) -> None:
    """All ask at the same moment, again and again; never do two work at once, and the others are told no."""
    working, most, turns = 0, 0, 0

    async def work(worker: Jobs) -> None:
        nonlocal working, most, turns
        for _ in range(5):
            async with worker.turn("retention") as turn:
                if turn is None:
                    continue
                working, turns = working + 1, turns + 1
                most = max(most, working)
                await asyncio.sleep(0.01)
                working -= 1

    await asyncio.gather(*(work(worker) for worker in workers))
    assert most == 1
    assert turns >= 1


async def test_what_was_done_lately_is_not_done_again(workers: list[Jobs]) -> None:
    """Daily work is done once a day by all replicas together, and after a failure at once again."""
    async with workers[0].turn("retention", every=3600) as turn:
        assert turn is not None
    async with workers[1].turn("retention", every=3600) as turn:
        assert turn is None
    with pytest.raises(RuntimeError):
        async with workers[1].turn("digest", every=3600):
            raise RuntimeError
    async with workers[0].turn("digest", every=3600) as turn:
        assert turn is not None


async def test_the_state_tells_who_since_when_and_how_far(workers: list[Jobs]) -> None:
    """While it runs its progress, afterwards its end; a failure by its kind, without what the error says."""
    async with workers[0].turn("embedding") as turn:
        assert turn is not None
        turn.progress(3, 9)
        await asyncio.sleep(LEASE)
        running = await state(workers[1])
    done = await state(workers[1])
    assert (running.state, running.progress, bool(running.holder)) == ("running", {"done": 3, "total": 9}, True)
    assert (done.state, done.outcome, done.holder) == ("waiting", "done", "")
    assert done.started_at is not None
    assert done.succeeded_at == done.finished_at is not None
    with pytest.raises(ValueError, match="010"):
        async with workers[0].turn("embedding"):
            raise ValueError("010-1234-5678")
    failed = await state(workers[1])
    assert (failed.outcome, failed.problem, failed.succeeded_at) == ("failed", "ValueError", done.succeeded_at)


async def test_a_long_turn_is_kept(workers: list[Jobs]) -> None:
    """Signs of life keep the lease for much longer than it lasts by itself."""
    async with workers[0].turn("embedding") as turn:
        assert turn is not None
        for _ in range(6):
            await asyncio.sleep(LEASE / 2)
            turn.progress(1, 2)
            async with workers[1].turn("embedding") as other:
                assert other is None


async def test_a_cancelled_turn_is_free_at_once(workers: list[Jobs]) -> None:
    """Who is told to stop gives back what it had; nobody waits for the lease."""

    async def work() -> None:
        async with workers[0].turn("embedding"):
            await asyncio.sleep(60)

    working = asyncio.create_task(work())
    await asyncio.sleep(0.2)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    async with workers[1].turn("embedding") as turn:
        assert turn is not None
    assert (await state(workers[1])).outcome == "done"


async def test_a_turn_swallows_no_cancellation(workers: list[Jobs]) -> None:
    """Told to stop at any moment of a short turn, the worker stops; it would hold up the end of the server."""

    async def work() -> None:
        while True:
            async with workers[0].turn("retention"):
                pass

    for number in range(60):
        working = asyncio.create_task(work())
        await asyncio.sleep(0.0007 * number)
        working.cancel()
        await asyncio.wait((working,), timeout=5)
        assert working.done()


async def test_who_slept_through_its_lease_stops(workers: list[Jobs], settings: Settings) -> None:
    """Somebody else has the job by then: the sleeper's next step fails, and leaves the other's turn alone."""
    async with workers[0].turn("embedding") as slept:
        assert slept is not None
        late = datetime.now(UTC) - timedelta(minutes=1)
        execute(settings.database_url, f"UPDATE jobs SET lease_until = '{late}'")  # noqa: S608
        async with workers[1].turn("embedding") as turn:
            assert turn is not None
            await asyncio.sleep(LEASE)
            with pytest.raises(TurnLost):
                slept.progress(1, 2)
    assert (await state(workers[1])).holder == ""


KILLED = """
import asyncio, sys
from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.jobs import Jobs

async def run():
    async with Jobs(create_engine(load_settings(_env_file=None, database_url=sys.argv[1])), 1.5).turn("embedding"):
        print("working", flush=True)
        await asyncio.sleep(60)

asyncio.run(run())
"""


def begin(database_url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", KILLED, database_url], stdout=subprocess.PIPE, text=True)


async def test_a_killed_worker_is_replaced(workers: list[Jobs], settings: Settings) -> None:
    """After kill -9 the job is taken over: at once on one machine, after the lease between machines."""
    worker = begin(settings.database_url)
    assert worker.stdout
    assert await asyncio.to_thread(worker.stdout.readline) == "working\n"
    async with workers[0].turn("embedding") as turn:
        assert turn is None
    worker.kill()
    worker.wait()
    worker.stdout.close()
    if settings.database_url.startswith("postgresql"):
        await asyncio.sleep(1.6)
        assert (await state(workers[0])).state == "abandoned"
    async with workers[0].turn("embedding") as turn:
        assert turn is not None


async def test_a_database_that_is_away_for_a_moment_costs_no_turn(workers: list[Jobs], settings: Settings) -> None:
    """One missed sign of life is made up for by the next; work that is under way goes on."""
    own = create_engine(settings)
    async with Jobs(own, LEASE).turn("embedding") as turn:
        assert turn is not None

        def refuse(_connection: object) -> None:
            raise ServiceUnavailable

        event.listen(own.sync_engine, "begin", refuse)
        await asyncio.sleep(LEASE / 2.5)
        event.remove(own.sync_engine, "begin", refuse)
        await asyncio.sleep(LEASE)
        turn.progress(1, 1)
        async with workers[0].turn("embedding") as other:
            assert other is None
    await own.dispose()
