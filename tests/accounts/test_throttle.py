"""Login throttling: guessing is slow from anywhere, and a colleague's own browser stays open to them."""

import pytest
from itsdangerous import URLSafeTimedSerializer

from endy.accounts.models import Client
from endy.accounts.throttle import LoginLimits, LoginThrottle
from endy.errors import RateLimitExceeded
from endy.limits.rate import MemoryRateLimiter

SECRET = "a secret that is long enough for tests"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> LoginThrottle:
    def limiter(minute: int, hour: int) -> MemoryRateLimiter:
        return MemoryRateLimiter(minute, hour, clock)

    return LoginThrottle(LoginLimits(limiter(5, 20), limiter(10, 60), limiter(30, 300)), SECRET)


async def attempts(throttle: LoginThrottle, account: str, client: Client, number: int) -> int:
    """How many of so many failing attempts were let through."""
    passed = 0
    for _ in range(number):
        try:
            await throttle.count(account, client)
        except RateLimitExceeded:
            continue
        passed += 1
    return passed


async def test_one_place_guessing_one_account(throttle: LoginThrottle, clock: Clock) -> None:
    """Five a minute and twenty an hour; the wait is told in whole seconds."""
    client = Client("10.0.0.1")
    assert await attempts(throttle, "2024001", client, 50) == 5
    with pytest.raises(RateLimitExceeded) as refused:
        await throttle.count("2024001", client)
    assert 1 <= refused.value.retry_after <= 60
    assert "로그인" in refused.value.message
    for _ in range(10):
        clock.now += 61
        await attempts(throttle, "2024001", client, 50)
    with pytest.raises(RateLimitExceeded) as refused:
        await throttle.count("2024001", client)
    assert refused.value.retry_after > 60


async def test_many_places_guessing_one_account(throttle: LoginThrottle) -> None:
    """A thousand addresses together get no more than ten tries a minute at an account."""
    passed = [await attempts(throttle, "2024001", Client(f"10.1.{n // 250}.{n % 250}"), 3) for n in range(1000)]
    assert sum(passed) == 10


async def test_one_place_guessing_many_accounts(throttle: LoginThrottle) -> None:
    """One password tried at every number of the company: thirty a minute."""
    passed = [await attempts(throttle, str(2024000 + n), Client("10.0.0.1"), 1) for n in range(500)]
    assert sum(passed) == 30


async def test_nobody_locks_a_colleague_out_of_their_browser(throttle: LoginThrottle) -> None:
    """While an account and an office address are used up, the browser that knows the account still gets in."""
    office = "10.0.0.1"
    for n in range(60):
        await attempts(throttle, "2024001", Client(f"10.9.0.{n}"), 5)
    for n in range(60):
        await attempts(throttle, str(n), Client(office), 1)
    assert await attempts(throttle, "2024001", Client(office), 1) == 0
    own = Client(office, known=throttle.device_cookie("2024001"))
    assert await attempts(throttle, "2024001", own, 1) == 1


async def test_a_known_browser_may_not_guess_for_ever(throttle: LoginThrottle) -> None:
    """A stolen laptop gets the same five tries a minute, and none for another account."""
    known = throttle.device_cookie("2024001")
    assert await attempts(throttle, "2024001", Client("10.0.0.1", known=known), 50) == 5
    await attempts(throttle, "2024002", Client("10.0.0.2"), 50)
    assert await attempts(throttle, "2024002", Client("10.0.0.2", known=known), 1) == 0


@pytest.mark.parametrize(
    "cookie",
    ["x", "a.b.c", "가", URLSafeTimedSerializer("another secret", salt="endy-device").dumps("2024001"),
     URLSafeTimedSerializer(SECRET, salt="another purpose").dumps("2024001")],
    ids=["a letter", "three parts", "no latin", "another secret", "another purpose"],
)  # fmt: skip
async def test_a_made_up_device_is_unknown(throttle: LoginThrottle, cookie: str) -> None:
    """Each invented cookie would otherwise be five more tries."""
    await attempts(throttle, "2024001", Client("10.0.0.1"), 5)
    assert await attempts(throttle, "2024001", Client("10.0.0.1", known=cookie), 1) == 0


async def test_success_is_not_held_against_anybody(throttle: LoginThrottle) -> None:
    """A hundred colleagues behind one address sign in on a Monday morning."""
    for n in range(100):
        await throttle.forgive(await throttle.count(str(n), Client("10.0.0.1")))
    assert await attempts(throttle, "2024001", Client("10.0.0.1"), 1) == 1
