"""Who there is, and the changes that admins make."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.accounts import repository
from endy.accounts.models import Account, Client, Role, User
from endy.accounts.roles import ADMIN
from endy.accounts.service import hash_token
from endy.audit.service import Event, record
from endy.errors import Conflict, NotFound
from endy.settings import Settings
from endy.storage.transaction import reading, retried, transaction


@dataclass(frozen=True, slots=True)
class PasswordLink:
    """A one-time link; `path` holds the token in its fragment, which browsers do not send."""

    path: str
    expires_at: datetime


class UserDirectory:
    """Every change is made together with its audit event, and against the version that was looked at."""

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        self._engine = engine
        self._link_lasts = timedelta(hours=settings.password_link_hours)

    async def page(self, search: str = "", limit: int = 50, after: str = "") -> tuple[list[Account], str | None]:
        """Users by number, and where the next page begins."""
        async with reading(self._engine) as connection:
            found = await repository.list_accounts(connection, search, limit, after)
        return found, found[-1].user.employee_id if len(found) == limit else None

    async def get(self, employee_id: str) -> Account:
        async with reading(self._engine) as connection:
            return await _existing(connection, employee_id)

    async def an_admin_can_enter(self) -> bool:
        """Whether anybody could sign in by password, or has by the company's account, and manage the others."""
        async with reading(self._engine) as connection:
            return await repository.count_admins_who_can_enter(connection) > 0

    @retried
    async def add(self, user: User, actor: str, client: Client) -> Account:
        """Raises Conflict if there is somebody with this number."""
        now = datetime.now(UTC)
        async with transaction(self._engine, "people") as connection:
            stored = await repository.stored_user(connection, user.employee_id)
            if stored is not None and not stored.removed:
                raise Conflict("이미 있는 사번이에요.")
            if stored is None:
                await repository.add_user(connection, user.employee_id, columns(user) | {"source": "admin"}, now)
            else:
                back = columns(user) | {"removed_at": None, "password_hash": None}
                await repository.change_user(connection, user.employee_id, back, now)
            await record(connection, _event("user_added", actor, user.employee_id, client, after=columns(user)))
            return await _existing(connection, user.employee_id)

    @retried
    async def change(
        self, employee_id: str, changes: Mapping[str, Any], version: int | None, actor: str, client: Client
    ) -> Account:
        """Change name, department, email, role or owns. Raises NotFound, Conflict (old version, no admin left)."""
        async with transaction(self._engine, "people") as connection:
            account = await _existing(connection, employee_id, version)
            before = columns(account.user)
            changed = {name: value for name, value in changes.items() if before[name] != value}
            if not changed:
                return account
            if "role" in changed:
                await _lose_role(connection, account.user)
            await repository.change_user(connection, employee_id, changed, datetime.now(UTC))
            was = {name: before[name] for name in changed}
            await record(connection, _event("user_changed", actor, employee_id, client, was, changed))
            return await _existing(connection, employee_id)

    @retried
    async def remove(self, employee_id: str, version: int | None, actor: str, client: Client) -> None:
        """Their access ends at once. Raises NotFound; Conflict for an old version or the last admin."""
        async with transaction(self._engine, "people") as connection:
            account = await _existing(connection, employee_id, version)
            await _lose_role(connection, account.user)
            stored = await repository.stored_user(connection, employee_id)
            if stored is not None and (stored.file_entry is not None or stored.sso_subject is not None):
                # The file, or the provider, would bring the row back: it stays, marked.
                gone = {"removed_at": datetime.now(UTC), "password_hash": None}
                await repository.change_user(connection, employee_id, gone, datetime.now(UTC))
                await repository.take_links(connection, employee_id)
            else:
                await repository.delete_users(connection, [employee_id])
            await record(connection, _event("user_removed", actor, employee_id, client, columns(account.user)))

    @retried
    async def set_password_hash(self, employee_id: str, password_hash: str, actor: str, client: Client) -> None:
        """For operators at the console; every session of theirs ends."""
        async with transaction(self._engine, "people") as connection:
            await _existing(connection, employee_id)
            await repository.change_user(connection, employee_id, {"password_hash": password_hash}, datetime.now(UTC))
            await repository.delete_sessions(connection, [employee_id])
            await repository.take_links(connection, employee_id)
            await record(connection, _event("password_changed", actor, employee_id, client))

    @retried
    async def make_password_link(self, employee_id: str, actor: str, client: Client) -> PasswordLink:
        """A link with which they set a password, once; an earlier link stops working."""
        token, now = secrets.token_urlsafe(32), datetime.now(UTC)
        expires_at = now + self._link_lasts
        async with transaction(self._engine, "people") as connection:
            await _existing(connection, employee_id)
            values = {"employee_id": employee_id, "created_by": actor, "created_at": now, "expires_at": expires_at}
            await repository.add_link(connection, hash_token(token), values)
            await record(connection, _event("password_link_created", actor, employee_id, client))
        return PasswordLink(f"/set-password#{token}", expires_at)


async def _lose_role(connection: AsyncConnection, user: User) -> None:
    if user.role == ADMIN and not await repository.count_admins(connection, user.employee_id):
        raise Conflict("마지막 관리자예요. 다른 분을 먼저 관리자로 바꿔 주세요.")
    await repository.delete_sessions(connection, [user.employee_id])


async def _existing(connection: AsyncConnection, employee_id: str, version: int | None = None) -> Account:
    account = await repository.find_account(connection, employee_id)
    if account is None:
        raise NotFound("그 사번은 없어요.")
    if version is not None and account.version != version:
        raise Conflict(details={"version": account.version})
    return account


def columns(user: User) -> dict[str, Any]:
    role: Role = user.role
    return {
        "name": user.name,
        "department": user.department,
        "email": user.email,
        "role": role,
        "owns": list(user.owns),
    }


def _event(
    action: str,
    actor: str,
    target: str,
    client: Client,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> Event:
    return Event(action, actor, target, before, after, client.address, client.request_id)
