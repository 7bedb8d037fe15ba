"""Rate limits: how many pass, whose they are, what the headers say, and that no flood fills the memory."""

import asyncio
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from endy.limits import rate
from endy.limits.rate import HOUR, MemoryRateLimiter
from endy.settings import Settings
from endy.web.clients import client_address
from tests.web.conftest import Client, sign_in

ASK = "/api/ask"
QUESTION = {"question": "주차"}


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def seen_as(peer: str | None, *forwarded: str, trusted: str = "10.0.0.0/8,2001:db8:ffff::/48") -> str:
    """The address that counts for a caller at `peer` who sends these X-Forwarded-For headers."""
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    scope = {"type": "http", "headers": headers, "client": (peer, 5000) if peer else None}
    return client_address(Request(scope), Settings(_env_file=None, trusted_proxies=trusted).trusted_networks)


async def statuses(http: httpx.AsyncClient, count: int, headers: dict[str, str] | None = None) -> list[int]:
    return [(await http.post(ASK, json=QUESTION, headers=headers)).status_code for _ in range(count)]


@pytest.mark.parametrize(("limits", "passed"), [((10, 100), 10), ((1000, 7), 7)])
async def test_exactly_so_many_of_two_hundred_at_once_are_answered(
    client: Client, limits: tuple[int, int], passed: int
) -> None:
    """Whichever of the two limits is the tighter one: that many answers, and 429 for all others."""
    async with client(rate_limit_per_minute=limits[0], rate_limit_per_hour=limits[1]) as http:
        answers = await asyncio.gather(*(http.post(ASK, json=QUESTION) for _ in range(200)))
    given = [answer.status_code for answer in answers]
    assert (given.count(200), given.count(429)) == (passed, 200 - passed)
    remaining = sorted(int(answer.headers["RateLimit-Remaining"]) for answer in answers if answer.status_code == 200)
    assert remaining == list(range(passed))


async def test_both_doors_share_one_budget(client: Client) -> None:
    """Asking by stream is asking; the refusal of a stream is an ordinary 429."""
    async with client(rate_limit_per_minute=2) as http:
        first = await http.post("/api/ask/stream", json=QUESTION)
        second = await http.post(ASK, json=QUESTION)
        third = await http.post("/api/ask/stream", json=QUESTION)
    assert (first.status_code, second.status_code, third.status_code) == (200, 200, 429)
    assert first.headers["RateLimit-Remaining"] == "1"
    assert third.json()["error"] == "rate_limit_exceeded"


async def test_a_person_counts_as_a_person_wherever_they_sit(client: Client) -> None:
    """Two people behind one address have a budget each; a second session of one buys nothing; nobody's is apart."""
    async with client(rate_limit_per_minute=2) as http:
        one, again = [await sign_in(http, "2024003", "박민수") for _ in range(2)]
        other = await sign_in(http, "2024001", "김철수")
        assert await statuses(http, 2, one) == [200, 200]
        assert await statuses(http, 1, again) == [429]
        assert await statuses(http, 3, other) == [200, 200, 429]
        assert await statuses(http, 3) == [200, 200, 429]


async def test_an_invented_session_buys_no_budget(client: Client) -> None:
    """Made-up tokens count for the address they come from."""
    async with client(rate_limit_per_minute=2) as http:
        given = [(await statuses(http, 1, {"Authorization": f"Bearer token-{n}"}))[0] for n in range(3)]
    assert given == [200, 200, 429]


async def test_a_forged_address_cannot_use_up_a_persons_budget(client: Client) -> None:
    """What looks like a person's key in X-Forwarded-For is no address, so it counts for the proxy."""
    async with client(rate_limit_per_minute=1, trusted_proxies="127.0.0.1") as http:
        person = await sign_in(http, "2024003", "박민수")
        await statuses(http, 2, {"X-Forwarded-For": "user:2024003"})
        assert await statuses(http, 1, person) == [200]
        assert await statuses(http, 1, {"X-Forwarded-For": "garbage"}) == [429]


@pytest.mark.parametrize(
    ("peer", "forwarded", "counts"),
    [
        ("203.0.113.9", ["1.1.1.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [" , ,"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.7, 10.0.0.6"], "10.0.0.7"),
        ("10.0.0.1", ["garbage"], "10.0.0.1"),
        ("10.0.0.1", ["1.1.1.1, garbage, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9:61234"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::5]:443"], "2001:db8::/64"),
        ("10.0.0.1", ["2130706433"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9' OR 1=1"], "10.0.0.1"),
        ("10.0.0.1", ["\xff\xfe"], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("2001:db8:ffff::1", ["2001:db8:1:2:aaaa::1"], "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3:4:5:6", ["1.1.1.1"], "2001:db8:1:2::/64"),
        ("fe80::1%eth0", [], "fe80::/64"),
        (None, ["1.1.1.1"], "unknown"),
    ],
)
def test_forwarded_chains(peer: str | None, forwarded: list[str], counts: str) -> None:
    """From the right, as far as proxies are trusted; a forged left end, garbage and a mapped address win nothing."""
    assert seen_as(peer, *forwarded) == counts


def test_an_ipv6_network_is_one_asker() -> None:
    """Who owns a /64 has 2^64 addresses and still one budget; the neighbour has another."""
    assert seen_as("2001:db8:1:2::1") == seen_as("2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert seen_as("2001:db8:1:2::1") != seen_as("2001:db8:1:3::1")


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=80))
def test_nothing_that_is_sent_breaks_the_walk(forwarded: str) -> None:
    """Whatever the header holds, an address or a network comes out, and never the header's own text."""
    seen = seen_as("10.0.0.1", forwarded)
    assert set(seen) <= set("0123456789abcdef.:/")


async def test_a_refusal_says_when_to_come_back(client: Client) -> None:
    """Retry-After, RateLimit-Reset and the body name the same number of seconds, and no place is left."""
    async with client(rate_limit_per_minute=1) as http:
        await http.post(ASK, json=QUESTION)
        refused = await http.post(ASK, json=QUESTION)
    wait = int(refused.headers["Retry-After"])
    assert 55 <= wait <= 60
    assert refused.headers["RateLimit-Reset"] == str(wait)
    assert refused.json()["details"] == {"retry_after": wait}
    assert (refused.headers["RateLimit-Limit"], refused.headers["RateLimit-Remaining"]) == ("1", "0")


async def test_the_headers_are_on_every_counted_answer_and_on_no_other(client: Client) -> None:
    """Good, unreadable and unsupported questions carry them; pages and lists, which are not limited, do not."""
    async with client() as http:
        counted = [
            await http.post(ASK, json=QUESTION),
            await http.post(ASK, content="{", headers={"Content-Type": "application/json"}),
            await http.post(ASK, content="x", headers={"Content-Type": "text/plain"}),
            await http.post(ASK, content=b" " * 300_000, headers={"Content-Type": "application/json"}),
        ]
        free = [await http.get("/api/categories"), await http.get("/health"), await http.get("/")]
    assert [answer.status_code for answer in counted] == [200, 422, 415, 413]
    assert [answer.headers["RateLimit-Remaining"] for answer in counted] == ["9", "8", "7", "6"]
    assert not [answer for answer in free if "RateLimit-Limit" in answer.headers]


async def test_the_promised_wait_is_neither_too_short_nor_too_long(clock: Clock) -> None:
    """One second before the promised time the call is refused, at that time it passes."""
    limiter = MemoryRateLimiter(2, 100, clock)
    await limiter.hit("a")
    clock.now += 20
    await limiter.hit("a")
    refused = await limiter.hit("a")
    assert (refused.allowed, refused.reset) == (False, 40)
    clock.now += refused.reset - 1
    assert not (await limiter.hit("a")).allowed
    clock.now += 1
    assert (await limiter.hit("a")).allowed


async def test_when_both_limits_are_used_up_the_longer_wait_is_told(clock: Clock) -> None:
    """Nobody is told to come back in a minute when the hour refuses them again."""
    limiter = MemoryRateLimiter(3, 3, clock)
    for _ in range(3):
        await limiter.hit("a")
    refused = await limiter.hit("a")
    assert (refused.limit, refused.reset) == (3, 3600)


async def test_the_window_moves(clock: Clock) -> None:
    """No minute has more than ten, wherever it begins: a burst at a minute's end does not double."""
    limiter = MemoryRateLimiter(10, 1000, clock)
    passed: list[float] = []
    for _ in range(400):
        clock.now += 1
        if (await limiter.hit("a")).allowed:
            passed.append(clock.now)
    assert max(sum(start <= call < start + 60 for call in passed) for start in passed) == 10
    assert len(passed) >= 400 / 60 * 10 - 10


async def test_refused_calls_use_nothing_up(clock: Clock) -> None:
    """A thousand refused calls of one minute neither prolong it nor eat the hour."""
    limiter = MemoryRateLimiter(2, 4, clock)
    for _ in range(1000):
        await limiter.hit("a")
    clock.now += 60
    assert [(await limiter.hit("a")).allowed for _ in range(3)] == [True, True, False]


async def test_the_tightest_limit_is_shown(clock: Clock) -> None:
    """Near the end of the hour's budget the headers speak of the hour."""
    limiter = MemoryRateLimiter(10, 11, clock)
    for _ in range(10):
        state = await limiter.hit("a")
    assert (state.limit, state.remaining, state.reset) == (10, 0, 60)
    clock.now += 60
    state = await limiter.hit("a")
    assert (state.limit, state.remaining, state.reset) == (11, 0, 3540)


async def test_the_quiet_are_forgotten(clock: Clock) -> None:
    """An hour after the last call nothing is kept of an asker, and a refused one is not kept longer."""
    limiter = MemoryRateLimiter(1, 100, clock)
    for number in range(500):
        await limiter.hit(str(number))
        await limiter.hit(str(number))
    assert limiter.askers == 500
    clock.now += HOUR
    await limiter.hit("new")
    assert limiter.askers == 1


async def test_a_flood_of_addresses_stays_small(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Of too many askers within the hour the quietest are let go, and the latest are still limited."""
    monkeypatch.setattr(rate, "MOST_ASKERS", 100)
    limiter = MemoryRateLimiter(1, 100, clock)
    for number in range(2000):
        await limiter.hit(str(number))
        assert limiter.askers <= 101
    assert not (await limiter.hit("1999")).allowed


async def test_a_call_costs_the_same_among_many_askers() -> None:
    """Counting starts no work in the background, whose cost would grow with every address that is known."""
    limiter = MemoryRateLimiter(10, 100)
    before = asyncio.all_tasks()
    for number in range(2000):
        await limiter.hit(str(number))
    assert asyncio.all_tasks() == before


async def test_a_refusal_costs_no_search(client: Client) -> None:
    """A refused question is neither read nor searched: only the one that passed is counted as an answer."""
    async with client(rate_limit_per_minute=1) as http:
        for _ in range(3):
            await http.post(ASK, content=json.dumps(QUESTION), headers={"Content-Type": "application/json"})
        metrics = (await http.get("/metrics")).text
    assert "retrieval_seconds_count 1.0" in metrics
    assert 'api_requests_total{endpoint="/api/ask",method="POST",status="429"} 2.0' in metrics
