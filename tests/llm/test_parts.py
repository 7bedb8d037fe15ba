"""The parts of the client that need no server."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endy.llm.breaker import Breaker, BreakerRules
from endy.llm.budget import Budget, Caps, MemoryLedger, Prices, Reservation
from endy.llm.models import LlmRequest, LlmUnavailable, Usage
from endy.llm.thinking import Thoughts
from endy.llm.tokens import estimate

REQUEST = LlmRequest.of("규칙", "질문", max_tokens=100, user_key="a")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(breaker: Breaker, *outcomes: bool | None) -> None:
    for ok in outcomes:
        ticket = breaker.admit()
        assert ticket is not None
        ticket.end(ok)


def test_breaker_needs_many_failures_close_together() -> None:
    """Failures spread over a longer time than the window do not open it."""
    clock = Clock()
    breaker = Breaker(BreakerRules(failures=3, window=10, rest=5), clock)
    for moment in (0, 6, 12, 18):
        clock.now = moment
        run(breaker, False)
    assert breaker.closed
    clock.now = 19
    run(breaker, False)
    assert not breaker.closed


def test_breaker_ignores_a_few_failures_among_many_calls() -> None:
    """A busy model that fails now and then stays in use."""
    breaker = Breaker(BreakerRules(failures=3, window=10, rest=5), Clock())
    run(breaker, *[True] * 20, *[False] * 10)
    assert breaker.closed


def test_late_results_of_earlier_calls_do_not_count() -> None:
    """A call from before the opening neither closes the circuit nor ends the probe."""
    clock = Clock()
    breaker = Breaker(BreakerRules(failures=1, window=10, rest=5), clock)
    late = [breaker.admit() for _ in range(2)]
    run(breaker, False)
    clock.now = 6
    probe = breaker.admit()
    assert probe is not None
    for ticket, ok in zip(late, (True, False), strict=True):
        assert ticket is not None
        ticket.end(ok)
    assert not breaker.closed
    assert breaker.admit() is None
    probe.end(ok=True)
    probe.end(ok=False)
    assert breaker.closed


async def test_day_begins_at_midnight_in_seoul() -> None:
    """The budget is new at 00:00 Korean time, and a call over midnight is settled on its own day."""
    moment = datetime(2026, 3, 1, 14, 59, tzinfo=UTC)
    ledger = MemoryLedger()
    budget = Budget(Prices(0, 10_000), Caps(daily_krw=1.0), ledger, lambda: moment)
    late = await budget.reserve(REQUEST)
    with pytest.raises(LlmUnavailable):
        await budget.reserve(REQUEST)
    moment = datetime(2026, 3, 1, 15, 0, tzinfo=UTC)
    await budget.reserve(REQUEST)
    await budget.settle(late, Usage(10, 10, 0.1))
    assert await ledger.spent(date(2026, 3, 1)) == pytest.approx(0.1)
    assert await ledger.spent(date(2026, 3, 2)) == pytest.approx(1.0)


async def test_ledger_forgets_old_days() -> None:
    """Memory does not grow with the days."""
    ledger = MemoryLedger()
    for day in range(1, 29):
        await ledger.reserve(Reservation(date(2026, 3, day), "a", 1.0), Caps(user_calls=5))
    assert [day for day in range(1, 29) if await ledger.spent(date(2026, 3, day))] == [27, 28]


@given(st.text())
def test_estimate_is_between_bounds(text: str) -> None:
    """No text has more estimated tokens than characters, and only the empty one has none."""
    assert bool(text) <= estimate(text) <= len(text)


@given(st.text(alphabet="<think>/ 가나\n", max_size=60), st.lists(st.integers(1, 5)))
def test_thoughts_do_not_depend_on_the_cuts(text: str, cuts: list[int]) -> None:
    """However a stream is cut into pieces, the same answer is left of it."""
    whole, pieces, split, start = Thoughts(), [], Thoughts(), 0
    for size in cuts:
        pieces.append(text[start : start + size])
        start += size
    pieces.append(text[start:])
    expected = whole.feed(text) + whole.rest()
    assert "".join([split.feed(piece) for piece in pieces] + [split.rest()]) == expected


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>음</think>\n\n네", "네"),
        ("\n <think>음</think>네", "네"),
        ("<think>음", ""),
        ("<b>네</b>", "<b>네</b>"),
        ("네 <think>음</think>", "네 <think>음</think>"),
        ("<thi", "<thi"),
    ],
)
def test_only_thoughts_at_the_start_are_cut(text: str, answer: str) -> None:
    """Anything else stays as it was written."""
    thoughts = Thoughts()
    assert thoughts.feed(text) + thoughts.rest() == answer
