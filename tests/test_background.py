"""Work that repeats itself: it goes on after faults, and ends when it is told to."""

import asyncio

import structlog

from endy.background import Repeating


async def test_a_fault_is_logged_and_the_work_goes_on() -> None:
    """The second time it works, and then again and again."""
    done: list[int] = []
    enough = asyncio.Event()

    async def work() -> None:
        done.append(len(done))
        if len(done) == 1:
            raise RuntimeError("away")
        if len(done) == 4:
            enough.set()

    with structlog.testing.capture_logs() as logs:
        job = Repeating("test", work, 0.01)
        job.start()
        await asyncio.wait_for(enough.wait(), 10)
        await job.stop()
    assert [(entry["event"], entry["work"]) for entry in logs] == [("background_work_failed", "test")]
    stopped = len(done)
    await asyncio.sleep(0.05)
    assert len(done) == stopped


async def test_stopping_ends_what_is_under_way() -> None:
    """A long piece of work is cancelled, and stopping without having started is no fault."""
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    job = Repeating("test", work, 60)
    await job.stop()
    job.start()
    await asyncio.sleep(0.01)
    await job.stop()
    assert ended.is_set()


async def test_a_lost_cancellation_is_repeated() -> None:
    """What a library swallows once does not keep the process from ending."""
    lost: list[int] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            lost.append(1)
            await asyncio.sleep(60)

    job = Repeating("test", work, 60)
    job.start()
    await asyncio.sleep(0.01)
    await asyncio.wait_for(job.stop(), 10)
    assert lost == [1]
