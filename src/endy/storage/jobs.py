"""Background work that one process does at a time: a lease per job in the database, and what became of it."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import RowMapping, func, or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.errors import ServiceUnavailable
from endy.storage.insert import added
from endy.storage.tables import jobs
from endy.storage.transaction import reading, retried, transaction

LEASE_SECONDS = 15.0
"""After so long without a word from its holder a job is anybody's: the holder was killed, or cut off."""

_TROUBLE = (ServiceUnavailable, DBAPIError)
_log = structlog.get_logger(__name__)


class TurnLost(ServiceUnavailable):
    """The lease ran out, and another worker may be at it: stop."""


@dataclass(frozen=True, slots=True)
class JobState:
    """`state`: running, waiting (between turns) or abandoned (its worker fell silent, and nobody has taken it yet)."""

    name: str
    state: str
    holder: str
    started_at: datetime | None
    finished_at: datetime | None
    succeeded_at: datetime | None
    outcome: str
    progress: dict[str, Any] | None
    problem: str


class Turn:
    """One worker's turn at a job."""

    def __init__(self) -> None:
        self.held = True
        self.told: dict[str, int] | None = None

    def progress(self, done: int, total: int) -> None:
        """Noted with the next sign of life. Raises TurnLost when the job is no longer this worker's."""
        if not self.held:
            raise TurnLost
        self.told = {"done": done, "total": total}


class Jobs:
    """For one process; `lease` is in seconds."""

    def __init__(self, engine: AsyncEngine, lease: float = LEASE_SECONDS) -> None:
        self._engine = engine
        self._lease = timedelta(seconds=lease)
        self._host = socket.gethostname()
        self._worker = f"{self._host}:{os.getpid()}:{secrets.token_hex(3)}"

    @asynccontextmanager
    async def turn(self, name: str, every: float = 0.0) -> AsyncIterator[Turn | None]:
        """The turn at a job, or None while another worker has it, or if it succeeded less than `every` seconds ago.

        A worker that is killed loses its turn after the lease; one that ends or is cancelled gives it back at once.
        """
        if not await self._take(name, timedelta(seconds=every)):
            yield None
            return
        turn = Turn()
        alive = asyncio.create_task(self._stay(name, turn), name=f"job-{name}")
        outcome, problem = "interrupted", ""
        try:
            yield turn
            outcome = "done"
        except Exception as error:
            outcome, problem = "failed", type(error).__name__
            raise
        finally:
            alive.cancel()
            try:
                await asyncio.wait((alive,))
            finally:
                # Also for who is being cancelled: the next worker need not wait for the lease to run out.
                await asyncio.shield(self._give_back(name, turn, outcome, problem))

    async def states(self) -> list[JobState]:
        """Every job that was ever begun, by name."""
        async with reading(self._engine) as connection:
            now = await _now(connection)
            rows = (await connection.execute(select(jobs).order_by(jobs.c.name))).mappings().all()
        return [_state(row, now) for row in rows]

    @retried
    async def _take(self, name: str, every: timedelta) -> bool:
        async with reading(self._engine) as connection:
            now = await _now(connection)
            row = (await connection.execute(select(jobs).where(jobs.c.name == name))).mappings().first()
        if row is not None and not self._free(row, now, every):
            return False
        async with transaction(self._engine) as connection:
            now = await _now(connection)
            await connection.execute(added(connection, jobs).values(name=name))
            # Of several who read the same, the first changes the row.
            same = jobs.c.holder == (row["holder"] if row is not None else "")
            ended = or_(jobs.c.lease_until.is_(None), jobs.c.lease_until <= now, jobs.c.holder == self._orphan(row))
            values = {"holder": self._worker, "lease_until": now + self._lease, "started_at": now, "progress": None}
            done = await connection.execute(
                update(jobs).where(jobs.c.name == name, same, ended).values(**values, problem="")
            )
        return done.rowcount == 1

    def _free(self, row: RowMapping, now: datetime, every: timedelta) -> bool:
        succeeded, until = _aware(row["succeeded_at"]), _aware(row["lease_until"])
        if every and succeeded is not None and now < succeeded + every:
            return False
        return until is None or until <= now or row["holder"] == self._orphan(row)

    def _orphan(self, row: RowMapping | None) -> str | None:
        """The holder, if it was a process of this machine that is gone; a SQLite file is used by one machine."""
        if row is None or self._engine.dialect.name != "sqlite":
            return None
        host, _, rest = str(row["holder"]).partition(":")
        number = rest.partition(":")[0]
        return str(row["holder"]) if host == self._host and number.isdigit() and not _runs(int(number)) else None

    async def _stay(self, name: str, turn: Turn) -> None:
        """Until cancelled, or until the lease is lost."""
        until = asyncio.get_running_loop().time() + self._lease.total_seconds()
        while turn.held:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            try:
                turn.held = await self._renew(name, turn)
                until = asyncio.get_running_loop().time() + self._lease.total_seconds()
            except _TROUBLE:
                turn.held = asyncio.get_running_loop().time() < until
        _log.warning("job_turn_lost", job=name)

    async def _renew(self, name: str, turn: Turn) -> bool:
        async with transaction(self._engine) as connection:
            until = await _now(connection) + self._lease
            mine = (jobs.c.name == name, jobs.c.holder == self._worker)
            done = await connection.execute(update(jobs).where(*mine).values(lease_until=until, progress=turn.told))
        return done.rowcount == 1

    async def _give_back(self, name: str, turn: Turn, outcome: str, problem: str) -> None:
        values: dict[str, Any] = {"holder": "", "lease_until": None, "outcome": outcome, "problem": problem}
        with suppress(*_TROUBLE):
            async with transaction(self._engine) as connection:
                now = await _now(connection)
                values |= {"finished_at": now, "progress": turn.told}
                if outcome == "done":
                    values["succeeded_at"] = now
                mine = (jobs.c.name == name, jobs.c.holder == self._worker)
                await connection.execute(update(jobs).where(*mine).values(**values))


async def _now(connection: AsyncConnection) -> datetime:
    """The database server's time, which is one for all replicas; a file's machine has one clock anyway."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    return _aware((await connection.execute(select(func.clock_timestamp()))).scalar_one()) or datetime.now(UTC)


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _state(row: RowMapping, now: datetime) -> JobState:
    until = _aware(row["lease_until"])
    state = "waiting" if until is None else ("running" if until > now else "abandoned")
    return JobState(
        row["name"],
        state,
        row["holder"],
        _aware(row["started_at"]),
        _aware(row["finished_at"]),
        _aware(row["succeeded_at"]),
        row["outcome"],
        row["progress"],
        row["problem"],
    )


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
