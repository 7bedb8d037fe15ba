"""USERS_FILE kept in step with the database: the file wins for what changed in it, admins for everything else."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.accounts import repository
from endy.accounts.repository import StoredUser
from endy.accounts.users import columns
from endy.accounts.users_file import FileUser, UsersFileError, fingerprint, read_users
from endy.audit.service import Event, record
from endy.settings import Settings
from endy.storage.transaction import retried, transaction

FILE = "users_file"
"""The actor of changes that come out of USERS_FILE."""

_log = structlog.get_logger(__name__)


class UsersFileSync:
    """Remembers in each row what the file said last, so that a change in the file is told from one made here."""

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._file_state: tuple[int, int, int] | None = None

    @retried
    async def sync(self) -> bool:
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
        async with transaction(self._engine, "people") as connection:
            changed = await _bring_up(connection, wanted, datetime.now(UTC))
        self._file_state = state
        _log.info("users_synced", users=len(wanted), changed=changed)
        return True

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            stat = self._settings.users_file.stat()
        except OSError:
            return None
        # The change time, too: it alone moves when permissions are mended or an older file is put back.
        return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size


async def _bring_up(connection: AsyncConnection, wanted: Sequence[FileUser], now: datetime) -> int:
    """Apply what changed in the file; how many users that were."""
    stored = await repository.stored_users(connection)
    changed = 0
    for entry in wanted:
        changed += await _apply(connection, entry, stored.pop(entry.user.employee_id, None), now)
    gone = [employee_id for employee_id, row in stored.items() if row.source == "file"]
    if gone:
        await repository.delete_users(connection, gone)
    for employee_id in gone:
        was = columns(stored[employee_id].user)
        await record(connection, Event("user_removed", FILE, employee_id, before=was))
    return changed + len(gone)


async def _apply(connection: AsyncConnection, entry: FileUser, stored: StoredUser | None, now: datetime) -> bool:
    employee_id = entry.user.employee_id
    if stored is None:
        values = columns(entry.user) | {"password_hash": entry.password_hash, "file_entry": entry.said}
        await repository.add_user(connection, employee_id, values, now)
        await record(connection, Event("user_added", FILE, employee_id, after=columns(entry.user)))
        return True
    values = _changes(entry, stored)
    if not values:
        return False
    await repository.change_user(connection, employee_id, values | {"source": "file", "removed_at": None}, now)
    before = columns(stored.user)
    altered = {name: value for name, value in values.items() if name in before and before[name] != value}
    if "role" in altered or "password_hash" in values:
        await repository.delete_sessions(connection, [employee_id])
    if altered or stored.removed:
        was = {name: before[name] for name in altered}
        await record(connection, Event("user_changed", FILE, employee_id, was, altered))
    return True


def _changes(entry: FileUser, stored: StoredUser) -> dict[str, Any]:
    """What the file says otherwise than when it was last read; everything, if it says so for the first time."""
    last = stored.file_entry or {}
    said = {name: value for name, value in entry.said.items() if name not in last or last[name] != value}
    if not said:
        return {}
    values = {name: value for name, value in said.items() if name != "password_hash"} | {"file_entry": entry.said}
    if "password_hash" in said:
        # A hash that leaves the file takes only itself away, never a password that was set since.
        own = stored.password_hash is not None and fingerprint(stored.password_hash) != last.get("password_hash")
        if entry.password_hash is not None and entry.password_hash != stored.password_hash:
            values["password_hash"] = entry.password_hash
        elif entry.password_hash is None and stored.password_hash is not None and not own:
            values["password_hash"] = None
    return values
