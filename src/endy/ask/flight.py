"""Single flight: work that many wait for runs once, and ends when nobody waits any more."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing, suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """One running stream of items; whoever joins later gets the earlier items first."""

    def __init__(self, items: AsyncGenerator[T], landed: Callable[[], None]) -> None:
        self._items: list[T] = []
        self._error: BaseException | None = None
        self._done = False
        self._news = asyncio.Event()
        self._followers = 0
        self._landed = landed
        self._task = asyncio.create_task(self._run(items))

    async def follow(self) -> AsyncGenerator[T]:
        """All items from the first on. Raises what the work raised; the last follower to leave ends the work."""
        self._followers += 1
        seen = 0
        try:
            while True:
                while seen < len(self._items):
                    seen += 1
                    yield self._items[seen - 1]
                if self._done:
                    break
                await self._news.wait()
            if self._error is not None:
                raise self._error
        finally:
            self._followers -= 1
            if not self._followers and not self._done:
                # Nobody may join what is about to end.
                self._landed()
                self._task.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.shield(self._task)

    async def _run(self, items: AsyncGenerator[T]) -> None:
        try:
            async with aclosing(items):
                async for item in items:
                    self._items.append(item)
                    self._tell()
        except BaseException as error:
            self._error = error
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._done = True
            self._landed()
            self._tell()

    def _tell(self) -> None:
        # Each wave of waiters gets its own event, so that nobody is woken for old news.
        news, self._news = self._news, asyncio.Event()
        news.set()


class Flights(Generic[T]):
    """The flights in the air, by what they are for."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, Flight[T]] = {}

    def join(self, key: Hashable, start: Callable[[], AsyncGenerator[T]]) -> AsyncGenerator[T]:
        """Follow the flight for this key, begun now if there is none."""
        flight = self._flights.get(key)
        if flight is None:
            flight = Flight(start(), lambda: self._land(key, flight))
            self._flights[key] = flight
        return flight.follow()

    def __len__(self) -> int:
        return len(self._flights)

    def _land(self, key: Hashable, landed: Flight[T] | None) -> None:
        if self._flights.get(key) is landed:
            self._flights.pop(key, None)
