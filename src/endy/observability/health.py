"""Health: checks registered beside each dependency, run with a time limit and remembered for seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

Check = Callable[[], Awaitable[bool]]
Status = Literal["healthy", "degraded", "unhealthy"]

REMEMBERED = 3.0
TIME_LIMIT = 2.0


@dataclass(frozen=True, slots=True)
class _Registered:
    check: Check
    needed: bool
    expected: bool


@dataclass(frozen=True, slots=True)
class HealthReport:
    status: Status
    checks: dict[str, bool]


class Health:
    """What `/health` and `/readiness` report; a check that hangs or raises counts as failed."""

    def __init__(self) -> None:
        self._checks: dict[str, _Registered] = {}
        self._report: HealthReport | None = None
        self._until = 0.0
        self._lock = asyncio.Lock()
        self.draining = False

    def register(self, name: str, check: Check, *, needed: bool, expected: bool = True) -> None:
        """`needed`: without it Endy is unhealthy, not degraded. `expected=False`: off by choice, only reported."""
        self._checks[name] = _Registered(check, needed, expected)

    async def report(self) -> HealthReport:
        async with self._lock:
            if self._report is None or time.monotonic() >= self._until:
                self._report = await self._ask_all()
                self._until = time.monotonic() + REMEMBERED
            return self._report

    async def ready(self) -> bool:
        """Whether questions can be answered now: everything needed works and no shutdown has begun."""
        if self.draining:
            return False
        report = await self.report()
        return all(report.checks[name] for name, entry in self._checks.items() if entry.needed)

    async def _ask_all(self) -> HealthReport:
        names = list(self._checks)
        results = await asyncio.gather(*(_ask(self._checks[name].check) for name in names))
        checks = dict(zip(names, results, strict=True))
        failed = [self._checks[name] for name, fine in checks.items() if not fine and self._checks[name].expected]
        status: Status = "healthy"
        if failed:
            status = "unhealthy" if any(entry.needed for entry in failed) else "degraded"
        return HealthReport(status, checks)


async def _ask(check: Check) -> bool:
    # Not wait_for: that waits on for a check which does not let itself be cancelled.
    answer = asyncio.ensure_future(check())
    try:
        await asyncio.wait((answer,), timeout=TIME_LIMIT)
        return answer.done() and answer.result()
    except Exception:  # noqa: BLE001  whatever a dependency raises, it is not healthy
        return False
    finally:
        answer.cancel()
