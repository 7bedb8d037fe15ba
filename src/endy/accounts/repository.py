"""Users, sessions and password links, as stored; all SQL of this folder."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from endy.accounts.models import Account, Session, User
from endy.storage.tables import password_links, sessions, users

SESSION_ID_LENGTH = 16
"""Hex digits of the token's hash that name a session."""

_USER = (users.c.employee_id, users.c.name, users.c.department, users.c.email, users.c.role, users.c.owns)
_ACCOUNT = (*_USER, users.c.source, users.c.password_hash, users.c.version, users.c.updated_at)
_present = users.c.removed_at.is_(None)


@dataclass(frozen=True, slots=True)
class StoredUser:
    """Everything that is known about a user; `file_entry` is what USERS_FILE last said."""

    user: User
    source: str
    password_hash: str | None
    file_entry: dict[str, Any] | None
    sso_subject: str | None
    version: int
    removed: bool


async def find_user(connection: AsyncConnection, employee_id: str) -> tuple[User, str | None] | None:
    """The user and the password hash, if there is one."""
    query = select(*_USER, users.c.password_hash).where(users.c.employee_id == employee_id, _present)
    row = (await connection.execute(query)).first()
    return None if row is None else (_user(row), row.password_hash)


async def find_account(connection: AsyncConnection, employee_id: str) -> Account | None:
    query = select(*_ACCOUNT).where(users.c.employee_id == employee_id, _present)
    row = (await connection.execute(query)).first()
    return None if row is None else _account(row)


async def stored_by_subject(connection: AsyncConnection, subject: str) -> StoredUser | None:
    """Who is linked to an identity of the provider, even if removed."""
    row = (await connection.execute(select(users).where(users.c.sso_subject == subject))).first()
    return None if row is None else _stored(row)


async def stored_by_email(connection: AsyncConnection, email: str) -> list[StoredUser]:
    """All users with this address, whatever its case, even removed ones."""
    query = select(users).where(func.lower(users.c.email) == email.lower())
    return [_stored(row) for row in (await connection.execute(query)).all()]


async def list_accounts(connection: AsyncConnection, search: str, limit: int, after: str) -> list[Account]:
    """By employee number, from the one behind `after`; `search` is part of a number, name, department or address."""
    query = select(*_ACCOUNT).where(_present, users.c.employee_id > after)
    if search:
        columns = (users.c.employee_id, users.c.name, users.c.department, users.c.email)
        query = query.where(or_(*(column.icontains(search, autoescape=True) for column in columns)))
    rows = (await connection.execute(query.order_by(users.c.employee_id).limit(limit))).all()
    return [_account(row) for row in rows]


async def count_admins(connection: AsyncConnection, besides: str) -> int:
    query = select(func.count()).where(users.c.role == "admin", users.c.employee_id != besides, _present)
    return int((await connection.execute(query)).scalar_one())


async def count_admins_who_can_enter(connection: AsyncConnection) -> int:
    """Admins with a password or a company account."""
    known = or_(users.c.password_hash.is_not(None), users.c.sso_subject.is_not(None))
    query = select(func.count()).where(users.c.role == "admin", known, _present)
    return int((await connection.execute(query)).scalar_one())


async def stored_users(connection: AsyncConnection) -> dict[str, StoredUser]:
    """Every row by employee number, removed ones too."""
    return {row.employee_id: _stored(row) for row in (await connection.execute(select(users))).all()}


async def stored_user(connection: AsyncConnection, employee_id: str) -> StoredUser | None:
    """One row, even a removed one."""
    row = (await connection.execute(select(users).where(users.c.employee_id == employee_id))).first()
    return None if row is None else _stored(row)


async def add_user(connection: AsyncConnection, employee_id: str, values: Mapping[str, Any], now: datetime) -> None:
    await connection.execute(insert(users).values(employee_id=employee_id, **values, updated_at=now))


async def change_user(connection: AsyncConnection, employee_id: str, values: Mapping[str, Any], now: datetime) -> None:
    """Set the given columns and raise the version."""
    await connection.execute(
        update(users)
        .where(users.c.employee_id == employee_id)
        .values(**values, version=users.c.version + 1, updated_at=now)
    )


async def delete_users(connection: AsyncConnection, employee_ids: Iterable[str]) -> None:
    """Remove the rows; their sessions and links go with them."""
    await connection.execute(delete(users).where(users.c.employee_id.in_(list(employee_ids))))


async def set_password_hash(connection: AsyncConnection, employee_id: str, password_hash: str) -> None:
    """Without a new version: the same password hashed better is no change that anybody made."""
    await connection.execute(
        update(users).where(users.c.employee_id == employee_id).values(password_hash=password_hash)
    )


async def add_link(connection: AsyncConnection, token_hash: str, values: Mapping[str, Any]) -> None:
    """Store a link; a person's earlier ones stop working."""
    await connection.execute(delete(password_links).where(password_links.c.employee_id == values["employee_id"]))
    await connection.execute(insert(password_links).values(token_hash=token_hash, **values))


async def find_link(connection: AsyncConnection, token_hash: str, now: datetime) -> str | None:
    """Whose link it is; None if it is unknown, used or too old."""
    query = (
        select(password_links.c.employee_id)
        .join(users, users.c.employee_id == password_links.c.employee_id)
        .where(password_links.c.token_hash == token_hash, password_links.c.expires_at > now, _present)
    )
    return (await connection.execute(query)).scalar_one_or_none()


async def take_links(connection: AsyncConnection, employee_id: str) -> None:
    """A person's links have done their work."""
    await connection.execute(delete(password_links).where(password_links.c.employee_id == employee_id))


async def add_session(connection: AsyncConnection, values: Mapping[str, Any], oldest: datetime) -> None:
    """Store a session, and forget those that are over: expired, or opened before `oldest`."""
    await connection.execute(insert(sessions).values(**values))
    over = or_(sessions.c.expires_at < values["created_at"], sessions.c.created_at < oldest)
    await connection.execute(delete(sessions).where(over))


async def find_session(
    connection: AsyncConnection, token_hash: str, now: datetime, oldest: datetime
) -> tuple[User, datetime] | None:
    """The session's user as of now, and when the session was last seen."""
    query = (
        select(*_USER, sessions.c.last_seen_at)
        .join(users, users.c.employee_id == sessions.c.employee_id)
        .where(
            sessions.c.token_hash == token_hash, sessions.c.expires_at > now, sessions.c.created_at > oldest, _present
        )
    )
    row = (await connection.execute(query)).first()
    return None if row is None else (_user(row), row.last_seen_at)


async def list_sessions(
    connection: AsyncConnection, employee_id: str, now: datetime, oldest: datetime
) -> list[tuple[str, Session]]:
    """Somebody's open sessions with their token hashes, the last used first."""
    query = (
        select(sessions)
        .where(sessions.c.employee_id == employee_id, sessions.c.expires_at > now, sessions.c.created_at > oldest)
        .order_by(sessions.c.last_seen_at.desc(), sessions.c.token_hash)
    )
    return [(row.token_hash, _session(row)) for row in (await connection.execute(query)).all()]


async def touch_session(connection: AsyncConnection, token_hash: str, now: datetime, expires_at: datetime) -> None:
    await connection.execute(
        update(sessions).where(sessions.c.token_hash == token_hash).values(last_seen_at=now, expires_at=expires_at)
    )


async def delete_session(connection: AsyncConnection, token_hash: str) -> str | None:
    """End a session; whose it was."""
    query = delete(sessions).where(sessions.c.token_hash == token_hash).returning(sessions.c.employee_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def delete_session_by_id(connection: AsyncConnection, session_id: str, employee_id: str) -> bool:
    """End one of somebody's own sessions; False if they have none of that name."""
    named = func.substr(sessions.c.token_hash, 1, SESSION_ID_LENGTH) == session_id
    done = await connection.execute(delete(sessions).where(named, sessions.c.employee_id == employee_id))
    return done.rowcount > 0


async def delete_sessions(connection: AsyncConnection, employee_ids: Sequence[str]) -> int:
    """End all their sessions; how many there were."""
    done = await connection.execute(delete(sessions).where(sessions.c.employee_id.in_(employee_ids)))
    return done.rowcount


async def count_recent(connection: AsyncConnection, since: datetime) -> int:
    """How many people used a session since then."""
    query = select(func.count(func.distinct(sessions.c.employee_id))).where(sessions.c.last_seen_at > since)
    return int((await connection.execute(query)).scalar_one())


def _user(row: Any) -> User:
    return User(row.employee_id, row.name, row.department, row.email, row.role, tuple(row.owns))


def _account(row: Any) -> Account:
    return Account(_user(row), row.source, row.password_hash is not None, row.version, row.updated_at)


def _stored(row: Any) -> StoredUser:
    return StoredUser(
        _user(row),
        row.source,
        row.password_hash,
        row.file_entry,
        row.sso_subject,
        row.version,
        row.removed_at is not None,
    )


def _session(row: Any) -> Session:
    return Session(
        row.token_hash[:SESSION_ID_LENGTH], row.method, row.device, row.address, row.created_at, row.last_seen_at
    )
