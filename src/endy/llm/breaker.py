"""A circuit breaker: after many failures nobody waits for a model that is away, and one call at a time tries it."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MAJORITY = 0.5
"""Share of failed calls in the window from which a model counts as away; a busy one may fail now and then."""


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """Opens after so many failures within `window` seconds, and lets one call try again after `rest` seconds."""

    failures: int = 5
    window: float = 30.0
    rest: float = 15.0


class Breaker:
    """One per model. Not shared between replicas: each sees its own network."""

    def __init__(self, rules: BreakerRules, clock: Callable[[], float] = time.monotonic) -> None:
        self._rules = rules
        self._clock = clock
        self._calls: deque[tuple[float, bool]] = deque()
        self._open_until: float | None = None
        self._probing = False
        self._era = 0

    @property
    def closed(self) -> bool:
        return self._open_until is None

    def admit(self) -> "Ticket | None":
        """A ticket to be ended with the call's result, or None: do not call."""
        if self._open_until is not None:
            if self._probing or self._clock() < self._open_until:
                return None
            self._probing = True
        return Ticket(self, self._era)

    def failed(self) -> None:
        """Count a failure after the first token, when the call's ticket has been ended already."""
        if self.closed:
            self._count(ok=False)

    def end(self, era: int, ok: bool | None) -> None:
        """Count a result; one from before the last opening or closing says nothing about now."""
        if era != self._era:
            return
        if self._open_until is not None:
            self._end_probe(ok)
        elif ok is not None:
            self._count(ok)

    def _end_probe(self, ok: bool | None) -> None:
        self._probing = False
        if ok is not None:
            self._turn(None if ok else self._clock() + self._rules.rest)

    def _count(self, ok: bool) -> None:
        now = self._clock()
        self._calls.append((now, ok))
        while self._calls[0][0] < now - self._rules.window:
            self._calls.popleft()
        failed = sum(1 for _, fine in self._calls if not fine)
        if failed >= self._rules.failures and failed >= MAJORITY * len(self._calls):
            self._turn(now + self._rules.rest)

    def _turn(self, open_until: float | None) -> None:
        self._open_until = open_until
        self._era += 1
        self._calls.clear()


class Ticket:
    """Leave to make one call; ended once, with None when the call says nothing about the model."""

    def __init__(self, breaker: Breaker, era: int) -> None:
        self._breaker: Breaker | None = breaker
        self._era = era

    def end(self, ok: bool | None) -> None:
        if self._breaker is not None:
            self._breaker.end(self._era, ok)
            self._breaker = None
