"""Login throttling: guessing gets slow, and nobody can lock a colleague out of a device that they use."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from itsdangerous import BadSignature, URLSafeTimedSerializer

from endy.accounts.models import Client
from endy.errors import RateLimitExceeded

_log = structlog.get_logger(__name__)

DEVICE_DAYS = 180
_MESSAGE = "로그인을 여러 번 시도했어요. 잠시 뒤에 다시 시도해 주세요."


class Counted(Protocol):
    """What a limiter says about a call."""

    @property
    def allowed(self) -> bool: ...

    @property
    def reset(self) -> int: ...


class Limiter(Protocol):
    async def hit(self, key: str) -> Counted: ...

    async def forgive(self, key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """`pair` counts an account at an address or on a known device, the others one of both over everything else."""

    pair: Limiter
    account: Limiter
    address: Limiter


class LoginThrottle:
    """Counts attempts before the password is looked at, and takes successful ones back.

    A browser that somebody has signed in with holds a signed device cookie and is counted by itself (OWASP's device
    cookies), so that attempts from elsewhere do not keep the account's owner out.
    """

    def __init__(self, limits: LoginLimits, secret: str) -> None:
        self._limits = limits
        self._signer = URLSafeTimedSerializer(secret, salt="endy-device")

    async def count(self, employee_id: str, client: Client) -> Sequence[tuple[Limiter, str]]:
        """Count an attempt; what to give to `forgive` if it succeeds. Raises RateLimitExceeded when there were many."""
        counters = self._counters(employee_id, client)
        for limiter, key in counters:
            state = await limiter.hit(key)
            if not state.allowed:
                _log.warning("login_throttled", address=client.address, retry_after=state.reset)
                raise RateLimitExceeded(state.reset, _MESSAGE)
        return counters

    async def forgive(self, counters: Sequence[tuple[Limiter, str]]) -> None:
        for limiter, key in counters:
            await limiter.forgive(key)

    def device_cookie(self, employee_id: str) -> str:
        """For the browser that somebody just signed in with."""
        signed: str = self._signer.dumps(employee_id)
        return signed

    def _counters(self, employee_id: str, client: Client) -> list[tuple[Limiter, str]]:
        if self._knows(employee_id, client.known):
            return [(self._limits.pair, f"device:{client.known}")]
        return [
            (self._limits.address, client.address),
            (self._limits.pair, f"{employee_id}|{client.address}"),
            (self._limits.account, employee_id),
        ]

    def _knows(self, employee_id: str, cookie: str) -> bool:
        try:
            known: object = self._signer.loads(cookie, max_age=DEVICE_DAYS * 24 * 3600) if cookie else None
        except BadSignature:
            return False
        return known == employee_id
