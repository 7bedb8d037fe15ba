"""Work that many wait for runs once, reaches all of them whole, and ends with the last of them."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from endy.ask.flight import Flights


class Work:
    """Counts how often it began and whether it was broken off."""

    def __init__(self, items: int = 3, fails: bool = False) -> None:
        self.begun = 0
        self.broken_off = 0
        self.go_on = asyncio.Event()
        self._items = items
        self._fails = fails

    async def run(self) -> AsyncGenerator[int]:
        self.begun += 1
        try:
            for item in range(self._items):
                if item == 1:
                    await self.go_on.wait()
                yield item
            if self._fails:
                raise ValueError("no more")
        except asyncio.CancelledError:
            self.broken_off += 1
            raise


async def follow(flights: Flights[int], work: Work) -> list[int]:
    return [item async for item in flights.join("key", work.run)]


async def test_a_hundred_waiters_share_one_piece_of_work_and_all_get_the_whole() -> None:
    """The same question asked at once by many costs one call."""
    flights, work = Flights[int](), Work()
    waiting = [asyncio.create_task(follow(flights, work)) for _ in range(99)]
    await asyncio.sleep(0.01)
    late = asyncio.create_task(follow(flights, work))
    await asyncio.sleep(0)
    work.go_on.set()
    assert await asyncio.gather(*waiting, late) == [[0, 1, 2]] * 100
    assert work.begun == 1
    assert len(flights) == 0


async def test_work_goes_on_while_anybody_waits_and_ends_with_the_last() -> None:
    """A client that leaves costs the others nothing; when all have left, the call is broken off."""
    flights, work = Flights[int](), Work()
    first, second = (asyncio.create_task(follow(flights, work)) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0.01)
    assert work.broken_off == 0
    second.cancel()
    await asyncio.sleep(0.01)
    assert work.broken_off == 1
    assert len(flights) == 0


async def test_who_comes_after_the_last_left_starts_anew() -> None:
    """An abandoned call is nobody's answer."""
    flights, work = Flights[int](), Work()
    first = asyncio.create_task(follow(flights, work))
    await asyncio.sleep(0.01)
    first.cancel()
    second = asyncio.create_task(follow(flights, work))
    await asyncio.sleep(0.01)
    work.go_on.set()
    assert await second == [0, 1, 2]
    assert work.begun == 2


async def test_a_failure_reaches_everyone_who_waited_and_nobody_after() -> None:
    """What went wrong is told to all, and the next one tries again."""
    flights, work = Flights[int](), Work(fails=True)
    waiting = [asyncio.create_task(follow(flights, work)) for _ in range(3)]
    await asyncio.sleep(0.01)
    work.go_on.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["no more"] * 3
    with pytest.raises(ValueError, match="no more"):
        await follow(flights, work)
    assert work.begun == 2
