"""Login, sessions and the sync of USERS_FILE."""

import asyncio
import hashlib
import hmac
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.accounts import repository
from endy.accounts.models import User
from endy.accounts.users_file import UsersFileError, read_users
from endy.errors import AuthenticationFailed, ServiceUnavailable
from endy.settings import Settings
from endy.storage.transaction import reading, transaction

POLL_SECONDS = 2.0
TOUCH_EVERY = timedelta(minutes=1)

_log = structlog.get_logger(__name__)
_hasher = PasswordHasher()
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZS1zYWx0LWhlcmU$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ"
"""Verified for unknown numbers, so that they take as long as a wrong password."""


class AccountService:
    """Knows who somebody is by their login or their session token."""

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._timeout = timedelta(hours=settings.session_timeout_hours)
        self._file_state: tuple[int, int, int] | None = None
        self._task: asyncio.Task[None] | None = None

    async def login(self, employee_id: str, name: str | None, password: str | None) -> tuple[User, str]:
        """The user and a new session token. Raises AuthenticationFailed alike for unknown and wrong."""
        async with reading(self._engine) as connection:
            found = await repository.find_user(connection, employee_id.strip())
        user, password_hash = found or (None, None)
        if password is not None:
            fine = await asyncio.to_thread(_verify, password_hash or _NOBODY, password) and password_hash is not None
        else:
            fine = self._settings.name_login and _same(user.name if user else "", (name or "").strip())
        if user is None or not fine:
            raise AuthenticationFailed
        return user, await self._open_session(user, password_hash)

    async def logout(self, token: str) -> None:
        async with transaction(self._engine) as connection:
            await repository.delete_session(connection, _hash(token))

    async def user_of(self, token: str) -> User | None:
        """Whose session this is, or None; using a session makes it last from now."""
        now, token_hash = datetime.now(UTC), _hash(token)
        async with reading(self._engine) as connection:
            found = await repository.find_session(connection, token_hash, now)
        if found is None:
            return None
        user, last_seen = found
        if now - last_seen.replace(tzinfo=UTC) > TOUCH_EVERY:
            await self._touch(token_hash, now)
        return user

    async def _touch(self, token_hash: str, now: datetime) -> None:
        try:
            async with transaction(self._engine) as connection:
                await repository.touch_session(connection, token_hash, now, now + self._timeout)
        except ServiceUnavailable as error:
            # A database that cannot be written is no reason to turn away who is signed in.
            _log.warning("session_not_prolonged", reason=error.message)

    async def active_users(self) -> int:
        async with reading(self._engine) as connection:
            return await repository.count_recent(connection, datetime.now(UTC) - timedelta(minutes=15))

    async def sync_users(self) -> bool:
        """Read USERS_FILE if it changed; a broken one keeps the last good users and says what is wrong."""
        state = self._stat()
        if state is None or state == self._file_state:
            return False
        try:
            wanted = await asyncio.to_thread(read_users, self._settings.users_file)
        except UsersFileError as error:
            self._file_state = state
            _log.error("users_file_unusable", problem=str(error))
            return False
        async with transaction(self._engine) as connection:
            await repository.replace_users(connection, wanted, datetime.now(UTC))
        self._file_state = state
        _log.info("users_synced", users=len(wanted))
        return True

    def start(self) -> None:
        """Follow USERS_FILE from now on."""
        self._task = asyncio.create_task(self._follow(), name="users-file")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.sync_users()
            except Exception:  # noqa: BLE001  a database fault must not end the task that will see it recover
                _log.exception("users_sync_failed")

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            stat = self._settings.users_file.stat()
        except OSError:
            return None
        # The change time, too: it alone moves when permissions are mended or an older file is put back.
        return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size

    async def _open_session(self, user: User, password_hash: str | None) -> str:
        token, now = secrets.token_urlsafe(32), datetime.now(UTC)
        async with transaction(self._engine) as connection:
            # Verifying takes a while, in which the users may have been replaced.
            if await repository.find_user(connection, user.employee_id) != (user, password_hash):
                raise AuthenticationFailed
            await repository.add_session(connection, _hash(token), user.employee_id, now, now + self._timeout)
        return token


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _same(left: str, right: str) -> bool:
    return bool(left) and hmac.compare_digest(left.encode(), right.encode())


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
