"""Everything that is stored about a person, in whichever table; all SQL of this folder."""

from typing import Any

from sqlalchemy import ColumnElement, Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from endy.storage.tables import conversations, feedback, password_links, questions, sessions, users

_SECRET = {"password_hash", "token_hash", "file_entry"}


async def everything(connection: AsyncConnection, employee_id: str, asker: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table, without what opens an account."""
    return {
        "user": await _rows(connection, users, users.c.employee_id == employee_id),
        "sessions": await _rows(connection, sessions, sessions.c.employee_id == employee_id),
        "password_links": await _rows(connection, password_links, password_links.c.employee_id == employee_id),
        "conversations": await _rows(connection, conversations, conversations.c.asker == asker),
        "questions": await _rows(connection, questions, questions.c.asker == asker),
        "feedback": await _rows(connection, feedback, feedback.c.asker == asker),
    }


async def erase(connection: AsyncConnection, employee_id: str, asker: str) -> dict[str, int]:
    """Delete what somebody left behind; how many rows of each kind. Who they are is left to the caller."""
    wanted = {
        "feedback": (feedback, feedback.c.asker == asker),
        "questions": (questions, questions.c.asker == asker),
        "conversations": (conversations, conversations.c.asker == asker),
        "sessions": (sessions, sessions.c.employee_id == employee_id),
        "password_links": (password_links, password_links.c.employee_id == employee_id),
    }
    return {
        name: (await connection.execute(delete(table).where(whose))).rowcount for name, (table, whose) in wanted.items()
    }


async def blank(connection: AsyncConnection, employee_id: str) -> None:
    """Keep only the number of somebody removed, by which the file or the provider would bring them back."""
    nothing: dict[str, Any] = {"name": "", "department": "", "email": "", "owns": [], "password_hash": None}
    await connection.execute(update(users).where(users.c.employee_id == employee_id).values(**nothing))


async def _rows(connection: AsyncConnection, table: Table, whose: ColumnElement[bool]) -> list[dict[str, Any]]:
    columns = [column for column in table.c if column.name not in _SECRET]
    return [dict(row._mapping) for row in (await connection.execute(select(*columns).where(whose))).all()]
