"""Login, sessions and passwords: who somebody is by what they show."""

import hashlib
import hmac
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.accounts import repository
from endy.accounts.joining import join
from endy.accounts.models import Client, Method, Session, SignIn, User
from endy.accounts.passwords import Passwords, check_new_password
from endy.accounts.sso import Identity
from endy.accounts.throttle import LoginThrottle
from endy.audit.service import Event, record
from endy.errors import AuthenticationFailed, NotFound, ServiceUnavailable
from endy.settings import Settings
from endy.storage.transaction import reading, retried, transaction

TOUCH_EVERY = timedelta(minutes=1)

_log = structlog.get_logger(__name__)


class AccountService:
    """Knows who somebody is by their login or their session token."""

    def __init__(self, engine: AsyncEngine, settings: Settings, throttle: LoginThrottle) -> None:
        self._engine = engine
        self._settings = settings
        self._throttle = throttle
        self._passwords = Passwords()
        self._timeout = timedelta(hours=settings.session_timeout_hours)
        self._longest = timedelta(hours=settings.session_max_hours)

    async def login(self, employee_id: str, name: str | None, password: str | None, client: Client) -> SignIn:
        """Raises AuthenticationFailed alike for unknown and wrong, RateLimitExceeded after many attempts."""
        if self._settings.auth_mode == "oidc":
            raise AuthenticationFailed("회사 계정으로 로그인해 주세요.")
        employee_id = employee_id.strip()
        counted = await self._throttle.count(employee_id, client)
        async with reading(self._engine) as connection:
            user, password_hash = await repository.find_user(connection, employee_id) or (None, None)
        if password is not None:
            fine = await self._passwords.matches(password_hash, password) and self._settings.password_login
        else:
            fine = self._settings.name_login and _same(user.name if user else "", (name or "").strip())
        if user is None or not fine:
            await self._note_failure(user, client)
            raise AuthenticationFailed
        await self._throttle.forgive(counted)
        signed_in = await self._enter(user, password_hash, "password" if password is not None else "name", client)
        if password is not None and password_hash and self._passwords.outdated(password_hash):
            await self._rehash(user, password_hash, password)
        return signed_in

    @retried
    async def sign_in_sso(self, identity: Identity, client: Client) -> SignIn:
        """For whom the provider vouches. Raises AuthenticationFailed if that is nobody here and may not become it."""
        async with transaction(self._engine, "people") as connection:
            user = await join(connection, identity, self._settings, client)
            await record(connection, _event("login", user.employee_id, user.employee_id, client, {"method": "sso"}))
            return await self._open(connection, user, "sso", client)

    def device_cookie(self, user: User) -> str:
        """What the browser shows at its next login, so that guesses from elsewhere do not keep it out."""
        return self._throttle.device_cookie(user.employee_id)

    @retried
    async def logout(self, token: str, client: Client) -> None:
        async with transaction(self._engine, "people") as connection:
            employee_id = await repository.delete_session(connection, hash_token(token))
            if employee_id is not None:
                await record(connection, _event("logout", employee_id, employee_id, client))

    async def user_of(self, token: str) -> User | None:
        """Whose session this is, or None; using a session makes it last from now, up to its longest."""
        now, token_hash = datetime.now(UTC), hash_token(token)
        async with reading(self._engine) as connection:
            found = await repository.find_session(connection, token_hash, now, now - self._longest)
        if found is None:
            return None
        user, last_seen = found
        if now - last_seen.replace(tzinfo=UTC) > TOUCH_EVERY:
            await self._touch(token_hash, now)
        return user

    async def sessions(self, user: User, token: str) -> list[Session]:
        """Somebody's open sessions; the one of `token` is the current one."""
        now = datetime.now(UTC)
        async with reading(self._engine) as connection:
            found = await repository.list_sessions(connection, user.employee_id, now, now - self._longest)
        return [replace(session, current=token_hash == hash_token(token)) for token_hash, session in found]

    @retried
    async def end_session(self, user: User, session_id: str, client: Client) -> None:
        """End an own session. Raises NotFound for an unknown one and another's alike."""
        async with transaction(self._engine, "people") as connection:
            if not await repository.delete_session_by_id(connection, session_id, user.employee_id):
                raise NotFound("그 로그인을 찾을 수 없어요. 이미 끝났을 수 있어요.")
            await record(connection, _event("session_revoked", user.employee_id, user.employee_id, client))

    @retried
    async def end_sessions(self, employee_id: str, actor: str, client: Client) -> int:
        """End all sessions of somebody; how many there were."""
        async with transaction(self._engine, "people") as connection:
            ended = await repository.delete_sessions(connection, [employee_id])
            await record(connection, _event("sessions_revoked", actor, employee_id, client, {"sessions": ended}))
        return ended

    async def change_password(self, user: User, current: str, new: str, client: Client) -> SignIn:
        """End every session and open a new one. Raises AuthenticationFailed for a wrong current password."""
        counted = await self._throttle.count(user.employee_id, client)
        async with reading(self._engine) as connection:
            found = await repository.find_user(connection, user.employee_id)
        password_hash = found[1] if found else None
        if not await self._passwords.matches(password_hash, current):
            await self._note_failure(user, client)
            raise AuthenticationFailed("지금 비밀번호가 맞지 않아요.")
        await self._throttle.forgive(counted)
        check_new_password(new, user)
        return await self._set_password(user, new, client, "password_changed", unless_changed=password_hash)

    async def use_link(self, token: str, new: str, client: Client) -> SignIn:
        """Set a password by a one-time link. Raises NotFound if the link is unknown, used or too old."""
        async with reading(self._engine) as connection:
            employee_id = await repository.find_link(connection, hash_token(token), datetime.now(UTC))
            found = await repository.find_user(connection, employee_id) if employee_id else None
        if found is None:
            raise NotFound("쓸 수 없는 링크예요. 관리자에게 새 링크를 요청해 주세요.")
        check_new_password(new, found[0])
        return await self._set_password(found[0], new, client, "password_set_by_link", link=token)

    async def active_users(self) -> int:
        async with reading(self._engine) as connection:
            return await repository.count_recent(connection, datetime.now(UTC) - timedelta(minutes=15))

    def close(self) -> None:
        self._passwords.close()

    @retried
    async def _set_password(
        self, user: User, new: str, client: Client, action: str, *, unless_changed: str | None = None, link: str = ""
    ) -> SignIn:
        password_hash = await self._passwords.hash(new)
        now = datetime.now(UTC)
        async with transaction(self._engine, "people") as connection:
            # Hashing takes a while, in which somebody else may have used the link or changed the password.
            stored = await repository.find_user(connection, user.employee_id)
            used = link and await repository.find_link(connection, hash_token(link), now) is None
            if used or stored is None or (not link and stored[1] != unless_changed):
                raise AuthenticationFailed
            await repository.change_user(connection, user.employee_id, {"password_hash": password_hash}, now)
            await repository.take_links(connection, user.employee_id)
            await repository.delete_sessions(connection, [user.employee_id])
            await record(connection, _event(action, user.employee_id, user.employee_id, client))
            return await self._open(connection, stored[0], "link" if link else "password", client)

    @retried
    async def _enter(self, user: User, password_hash: str | None, method: Method, client: Client) -> SignIn:
        async with transaction(self._engine, "people") as connection:
            # Verifying takes a while, in which the users may have been replaced.
            if await repository.find_user(connection, user.employee_id) != (user, password_hash):
                raise AuthenticationFailed
            await record(connection, _event("login", user.employee_id, user.employee_id, client, {"method": method}))
            return await self._open(connection, user, method, client)

    async def _open(self, connection: AsyncConnection, user: User, method: Method, client: Client) -> SignIn:
        token, now = secrets.token_urlsafe(32), datetime.now(UTC)
        values = {
            "token_hash": hash_token(token),
            "employee_id": user.employee_id,
            "created_at": now,
            "last_seen_at": now,
            "expires_at": now + self._timeout,
            "method": method,
            "device": client.device,
            "address": client.address,
        }
        await repository.add_session(connection, values, now - self._longest)
        return SignIn(user, token)

    async def _touch(self, token_hash: str, now: datetime) -> None:
        try:
            async with transaction(self._engine) as connection:
                await repository.touch_session(connection, token_hash, now, now + self._timeout)
        except ServiceUnavailable as error:
            # A database that cannot be written is no reason to turn away who is signed in.
            _log.warning("session_not_prolonged", reason=error.message)

    @retried
    async def _rehash(self, user: User, old: str, password: str) -> None:
        password_hash = await self._passwords.hash(password)
        async with transaction(self._engine, "people") as connection:
            found = await repository.find_user(connection, user.employee_id)
            if found is not None and found[1] == old:
                await repository.set_password_hash(connection, user.employee_id, password_hash)

    async def _note_failure(self, user: User | None, client: Client) -> None:
        """An attempt that led nowhere; that it cannot be noted changes nothing for who made it."""
        # What was typed for an unknown number may be a password in the wrong field.
        employee_id = user.employee_id if user else "unknown"
        try:
            async with transaction(self._engine) as connection:
                await record(connection, _event("login_failed", employee_id, employee_id, client))
        except ServiceUnavailable as error:
            _log.warning("audit_not_written", action="login_failed", reason=error.message)


def hash_token(token: str) -> str:
    """What is stored of a token: SHA-256, in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def _same(left: str, right: str) -> bool:
    return bool(left) and hmac.compare_digest(left.encode(), right.encode())


def _event(action: str, actor: str, target: str, client: Client, after: dict[str, Any] | None = None) -> Event:
    return Event(action, actor, target, after=after, address=client.address, request_id=client.request_id)
