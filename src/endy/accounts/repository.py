"""Users and sessions, as stored; all SQL of this folder."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from endy.accounts.models import User
from endy.accounts.users_file import FileUser
from endy.storage.tables import sessions, users

_USER_COLUMNS = (users.c.employee_id, users.c.name, users.c.department, users.c.email, users.c.role)


async def find_user(connection: AsyncConnection, employee_id: str) -> tuple[User, str | None] | None:
    """The user and the password hash, if there is one."""
    query = select(*_USER_COLUMNS, users.c.password_hash).where(users.c.employee_id == employee_id)
    row = (await connection.execute(query)).first()
    return None if row is None else (User(*row[:5]), row.password_hash)


async def replace_users(connection: AsyncConnection, wanted: Iterable[FileUser], now: datetime) -> None:
    """Upsert by employee number; users that are gone lose their sessions, too, as do those whose role changed."""
    stored = {row.employee_id: row for row in (await connection.execute(select(users))).all()}
    for entry in wanted:
        user = entry.user
        values = {
            "name": user.name,
            "department": user.department,
            "email": user.email,
            "role": user.role,
            "password_hash": entry.password_hash,
            "updated_at": now,
        }
        known = stored.pop(user.employee_id, None)
        if known is None:
            await connection.execute(insert(users).values(employee_id=user.employee_id, **values))
        else:
            await connection.execute(update(users).where(users.c.employee_id == user.employee_id).values(**values))
            if known.role != user.role or known.password_hash != entry.password_hash:
                await connection.execute(delete(sessions).where(sessions.c.employee_id == user.employee_id))
    if stored:
        await connection.execute(delete(sessions).where(sessions.c.employee_id.in_(list(stored))))
        await connection.execute(delete(users).where(users.c.employee_id.in_(list(stored))))


async def add_session(
    connection: AsyncConnection, token_hash: str, employee_id: str, now: datetime, expires_at: datetime
) -> None:
    await connection.execute(
        insert(sessions).values(
            token_hash=token_hash, employee_id=employee_id, created_at=now, last_seen_at=now, expires_at=expires_at
        )
    )
    await connection.execute(delete(sessions).where(sessions.c.expires_at < now))


async def find_session(connection: AsyncConnection, token_hash: str, now: datetime) -> tuple[User, datetime] | None:
    """The session's user as of now, and when the session was last seen."""
    query = (
        select(*_USER_COLUMNS, sessions.c.last_seen_at)
        .join(users, users.c.employee_id == sessions.c.employee_id)
        .where(sessions.c.token_hash == token_hash, sessions.c.expires_at > now)
    )
    row = (await connection.execute(query)).first()
    return None if row is None else (User(*row[:5]), row.last_seen_at)


async def touch_session(connection: AsyncConnection, token_hash: str, now: datetime, expires_at: datetime) -> None:
    await connection.execute(
        update(sessions).where(sessions.c.token_hash == token_hash).values(last_seen_at=now, expires_at=expires_at)
    )


async def delete_session(connection: AsyncConnection, token_hash: str) -> None:
    await connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))


async def count_recent(connection: AsyncConnection, since: datetime) -> int:
    """How many people used a session since then."""
    query = select(func.count(func.distinct(sessions.c.employee_id))).where(sessions.c.last_seen_at > since)
    return int((await connection.execute(query)).scalar_one())
