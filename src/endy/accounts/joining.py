"""Whose account it is that somebody signs in to with the company's account, made if need be."""

from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from endy.accounts import repository
from endy.accounts.models import Client, User
from endy.accounts.repository import StoredUser
from endy.accounts.sso import Identity, role_of
from endy.audit.service import Event, record
from endy.errors import AuthenticationFailed
from endy.settings import Settings

ACTOR = "sso"

_log = structlog.get_logger(__name__)


async def join(connection: AsyncConnection, identity: Identity, settings: Settings, client: Client) -> User:
    """The user of an identity, brought up to what the provider says. Raises AuthenticationFailed if there is none."""
    stored = await _find(connection, identity)
    if stored is None:
        return await _create(connection, identity, settings, client)
    if stored.removed:
        raise _refused("removed")
    values = _changes(stored, identity, settings)
    if not values:
        return stored.user
    employee_id = stored.user.employee_id
    await repository.change_user(connection, employee_id, values, datetime.now(UTC))
    if "role" in values:
        await repository.delete_sessions(connection, [employee_id])
    told = asdict(stored.user)
    shown = {name: value for name, value in values.items() if name in told}
    was = {name: told[name] for name in shown}
    await record(connection, _event("user_changed", employee_id, client, was, shown | {"linked": identity.issuer}))
    return await _present(connection, employee_id)


async def _find(connection: AsyncConnection, identity: Identity) -> StoredUser | None:
    """By the identity itself, then by the employee number that the provider knows, then by a verified address."""
    linked = await repository.stored_by_subject(connection, identity.key)
    if linked is not None:
        return linked
    found: list[StoredUser] = []
    if identity.employee_id:
        known = await repository.stored_user(connection, identity.employee_id)
        found = [known] if known else []
    elif identity.email and identity.email_verified:
        found = await repository.stored_by_email(connection, identity.email)
    if len(found) > 1:
        raise _refused("several users share the address")
    # An address may be given to somebody new; the account stays with whom this provider linked it to.
    if found and (found[0].sso_subject or "").startswith(f"{identity.issuer}|"):
        raise _refused("the account is another identity's")
    return found[0] if found else None


async def _create(connection: AsyncConnection, identity: Identity, settings: Settings, client: Client) -> User:
    if not settings.oidc_create_users:
        raise _refused("nobody has this number or address")
    number = identity.employee_id or f"sso-{sha256(identity.key.encode()).hexdigest()[:12]}"
    role = role_of(identity, settings) or "user"
    name = identity.name or identity.email.partition("@")[0] or number
    # An address that nobody has verified must not lead anybody else here later.
    email = identity.email if identity.email_verified else ""
    values: dict[str, Any] = {"name": name, "department": identity.department, "email": email, "role": role, "owns": []}
    await repository.add_user(
        connection, number, values | {"source": "sso", "sso_subject": identity.key}, datetime.now(UTC)
    )
    await record(connection, _event("user_added", number, client, None, values))
    return await _present(connection, number)


def _changes(stored: StoredUser, identity: Identity, settings: Settings) -> dict[str, Any]:
    """The link, the role that groups give, and for those who only the provider knows what it says about them."""
    said: dict[str, Any] = {"sso_subject": identity.key}
    role = role_of(identity, settings, stored.user.role)
    if role is not None:
        said["role"] = role
    if stored.source == "sso":
        said |= {"name": identity.name or stored.user.name, "department": identity.department or stored.user.department}
        said["email"] = identity.email if identity.email_verified else stored.user.email
    known = asdict(stored.user) | {"sso_subject": stored.sso_subject}
    return {name: value for name, value in said.items() if known[name] != value}


async def _present(connection: AsyncConnection, employee_id: str) -> User:
    found = await repository.find_user(connection, employee_id)
    assert found is not None  # noqa: S101  written in this transaction  # nosec B101
    return found[0]


def _refused(cause: str) -> AuthenticationFailed:
    _log.warning("sso_not_joined", cause=cause)
    return AuthenticationFailed("이 회사 계정으로는 들어올 수 없어요. 관리자에게 문의해 주세요.")


def _event(action: str, target: str, client: Client, before: dict[str, Any] | None, after: dict[str, Any]) -> Event:
    return Event(action, ACTOR, target, before, after, client.address, client.request_id)
