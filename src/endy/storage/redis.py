"""Redis, as far as it is there: short timeouts, and a decided way to do without it."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeVar

import structlog

from endy.errors import StartupError

if TYPE_CHECKING:
    from redis.asyncio import Redis

Use = Literal["rate_limit", "login_limit", "answer_cache", "single_flight", "llm_budget"]
"""What Redis is used for, as `redis_fallbacks_total` counts it."""

CONNECT_SECONDS = 0.5
CALL_SECONDS = 1.0
"""For a whole call, its connection included."""

REST_SECONDS = 2.0
"""After a failure nobody waits for Redis for so long; then one call tries it."""

MOST_CONNECTIONS = 32
POOL_SECONDS = 2.0
_SCHEMA = 1
_SEAL = hashlib.sha256().digest_size

T = TypeVar("T")
_log = structlog.get_logger(__name__)


class RedisAway(Exception):
    """Do without; it has been counted."""


class RedisStore:
    """One per process. `on_fallback` is told whenever something had to do without Redis."""

    def __init__(
        self, url: str, secret: str, on_fallback: Callable[[Use], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises StartupError for an address that cannot be read; a server that is away is no reason not to start."""
        # Here and not above: a machine without Redis should not pay for its client.
        from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415

        self._troubles = (RedisError, OSError, TimeoutError)
        try:
            # A crowd waits its turn; that is no sign of a server that is away.
            pool = BlockingConnectionPool.from_url(
                url,
                timeout=POOL_SECONDS,
                socket_connect_timeout=CONNECT_SECONDS,
                # The client's own timeout loses cancellations (`wait_for` on Python 3.11), so `call` keeps the time.
                socket_timeout=None,
                max_connections=MOST_CONNECTIONS,
                retry=Retry(NoBackoff(), 0),
                client_name="endy",
            )
            self._client: Redis = Redis.from_pool(pool)
        except (ValueError, RedisError):
            raise StartupError("REDIS_URL: 주소를 읽을 수 없어요. redis://호스트:6379/0 처럼 적어 주세요.") from None
        self._secret = secret.encode()
        self._on_fallback = on_fallback
        self._clock = clock
        self._away = False
        self._try_at = 0.0
        self._turned_at = 0.0
        self._slots = asyncio.Semaphore(MOST_CONNECTIONS)

    def name(self, *parts: str) -> str:
        """What tells nobody what it stands for: the parts are hashed with SECRET_KEY."""
        text = "\0".join(parts).encode("utf-8", "backslashreplace")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:40]

    def key(self, kind: str, *parts: str) -> str:
        """Where something is kept, by its hashed name."""
        return f"endy:{_SCHEMA}:{kind}:{self.name(*parts)}"

    def seal(self, key: str, value: bytes) -> bytes:
        """A value that `unseal` will know as ours, and as kept under this key."""
        return hmac.new(self._secret, key.encode() + b"\0" + value, hashlib.sha256).digest() + value

    def unseal(self, key: str, sealed: bytes) -> bytes | None:
        """The value; None for whatever others have put there."""
        value = sealed[_SEAL:]
        return value if hmac.compare_digest(sealed, self.seal(key, value)) else None

    async def call(self, use: Use, work: "Callable[[Redis], Awaitable[T]]") -> T:
        """What `work` gives. Raises RedisAway at once while Redis is known to be away, and when it fails now."""
        trying = self._may_try(use)
        async with self._slots:
            # Whoever has waited in line meanwhile need not find out once more.
            trying = trying or self._may_try(use)
            began = self._clock()
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    done = await work(self._client)
            except self._troubles as error:
                await self._gone(error, began)
                self._on_fallback(use)
                raise RedisAway from error
        self._here(began)
        return done

    async def ping(self) -> bool:
        """Whether it answers now, for health."""
        began = self._clock()
        try:
            async with asyncio.timeout(CALL_SECONDS):
                answers = bool(await self._client.ping())
        except self._troubles as error:
            await self._gone(error, began)
            return False
        self._here(began)
        return answers

    async def aclose(self) -> None:
        await self._client.aclose()

    def _may_try(self, use: Use) -> bool:
        """Whether this is the one call that tries an absent Redis. Raises RedisAway when it is another one's turn."""
        if not self._away:
            return False
        if self._clock() < self._try_at:
            self._on_fallback(use)
            raise RedisAway
        self._try_at = self._clock() + REST_SECONDS
        return True

    async def _gone(self, error: BaseException, began: float) -> None:
        # What began before Redis last went or came tells nothing about it now.
        if began >= self._turned_at:
            self._try_at = self._clock() + REST_SECONDS
            if not self._away:
                self._away, self._turned_at = True, self._clock()
                _log.warning("redis_away", reason=type(error).__name__, effect="한도와 캐시를 이 프로세스에서만 세요")
        # Its other connections are dead, too, and would be noticed one by one when it is back.
        with suppress(*self._troubles):
            await self._client.connection_pool.disconnect(inuse_connections=False)

    def _here(self, began: float) -> None:
        if self._away and began >= self._turned_at:
            self._away, self._turned_at = False, self._clock()
            _log.info("redis_back")
