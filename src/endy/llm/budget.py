"""What calls may cost: money per day for everybody and calls per day for each person, reserved before they are made."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Protocol

from endy.llm.models import LlmRequest, LlmUnavailable, Usage
from endy.llm.tokens import estimate, estimate_request

SEOUL = timezone(timedelta(hours=9))
"""Korea has no daylight saving time, so days need no time zone database."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Won per million tokens."""

    in_krw: float = 0.0
    out_krw: float = 0.0

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.in_krw + tokens_out * self.out_krw) / 1_000_000


@dataclass(frozen=True, slots=True)
class Caps:
    """The day's limits; 0 is no limit."""

    daily_krw: float = 0.0
    user_calls: int = 0
    daily_tokens: int = 0
    user_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was set aside for one call, on the day when it began."""

    day: date
    user_key: str | None
    krw: float
    tokens: int = 0


class Ledger(Protocol):
    """Where a day's spending is counted; each method is one atomic step."""

    async def reserve(self, reservation: Reservation, caps: Caps) -> bool:
        """Add the money, the tokens and the call, unless that would pass a limit."""
        ...

    async def settle(self, reservation: Reservation, krw: float, tokens: int, *, called: bool) -> None:
        """Put the real cost and tokens in place of the reserved ones; a call that never was is given back."""
        ...

    async def spent(self, day: date) -> float:
        """Won spent and reserved on that day."""
        ...


@dataclass(slots=True)
class _Day:
    krw: float = 0.0
    tokens: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    user_tokens: Counter[str] = field(default_factory=Counter)


class MemoryLedger:
    """Counts in this process, and forgets all but the last two days."""

    def __init__(self) -> None:
        self._days: dict[date, _Day] = {}

    async def reserve(self, reservation: Reservation, caps: Caps) -> bool:
        today = self._day(reservation.day)
        user = reservation.user_key
        if _passes(today.krw + reservation.krw, caps.daily_krw) or _passes(
            today.tokens + reservation.tokens, caps.daily_tokens
        ):
            return False
        if user is not None:
            if _passes(today.calls[user] + 1, caps.user_calls) or _passes(
                today.user_tokens[user] + reservation.tokens, caps.user_tokens
            ):
                return False
            today.calls[user] += 1
            today.user_tokens[user] += reservation.tokens
        today.krw += reservation.krw
        today.tokens += reservation.tokens
        return True

    async def settle(self, reservation: Reservation, krw: float, tokens: int, *, called: bool) -> None:
        today = self._day(reservation.day)
        today.krw = max(0.0, today.krw - reservation.krw + krw)
        today.tokens = max(0, today.tokens - reservation.tokens + tokens)
        user = reservation.user_key
        if user is not None:
            today.user_tokens[user] = max(0, today.user_tokens[user] - reservation.tokens + tokens)
            if not called and today.calls[user] > 0:
                today.calls[user] -= 1

    async def spent(self, day: date) -> float:
        return self._days[day].krw if day in self._days else 0.0

    def _day(self, day: date) -> _Day:
        if day not in self._days:
            # Yesterday stays: calls that began before midnight are settled after it.
            self._days = {kept: value for kept, value in self._days.items() if kept >= day - timedelta(days=1)}
            self._days[day] = _Day()
        return self._days[day]


def _passes(used: float, cap: float) -> bool:
    return bool(cap) and used > cap


class Budget:
    """Reserves the most that a call can cost, and settles what it did cost."""

    def __init__(
        self, prices: Prices, caps: Caps, ledger: Ledger, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.prices = prices
        self._caps = caps
        self._ledger = ledger
        self._clock = clock

    def today(self) -> date:
        return self._clock().astimezone(SEOUL).date()

    async def reserve(self, request: LlmRequest) -> Reservation:
        """LlmUnavailable("budget") when the day's money or the user's calls do not allow this call."""
        tokens_in = estimate_request(request)
        most = self.prices.cost(tokens_in, request.max_tokens)
        reservation = Reservation(self.today(), request.user_key, most, tokens_in + request.max_tokens)
        if not await self._ledger.reserve(reservation, self._caps):
            raise LlmUnavailable("budget")
        return reservation

    async def settle(self, reservation: Reservation, usage: Usage) -> None:
        """To be called once per reservation, whatever became of the call."""
        used = usage.tokens_in + usage.tokens_out
        await self._ledger.settle(reservation, usage.cost_krw, used, called=bool(usage.tokens_in))

    async def spent_today(self) -> float:
        return await self._ledger.spent(self.today())

    def usage(self, request: LlmRequest, written: str, reported: tuple[int, int] | None) -> Usage:
        """Tokens and won of one HTTP call, estimated from the text when the server reported none."""
        tokens_in, tokens_out = reported or (estimate_request(request), estimate(written))
        return Usage(tokens_in, tokens_out, self.prices.cost(tokens_in, tokens_out), estimated=reported is None)
