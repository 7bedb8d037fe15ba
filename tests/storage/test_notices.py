"""Notices of new knowledge: at once, only when committed, and again after the connection was lost."""

import asyncio
import signal
import time

import pytest

from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.notices import announce, listen
from endy.storage.transaction import transaction
from tests.postgres import PostgresServer


async def test_a_committed_change_is_told_at_once(postgres_url: str) -> None:
    """The listener hears it within a moment, and nothing of what is taken back."""
    engine = create_engine(load_settings(_env_file=None, database_url=postgres_url))
    told = asyncio.Event()
    listening = asyncio.create_task(listen(engine, told.set))
    await asyncio.wait_for(told.wait(), 5)  # it listens
    told.clear()

    async def take_back() -> None:
        async with transaction(engine) as connection:
            await announce(connection, 6)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await take_back()
    await asyncio.sleep(0.2)
    assert not told.is_set()
    began = time.monotonic()
    async with transaction(engine) as connection:
        await announce(connection, 7)
    await asyncio.wait_for(told.wait(), 5)
    assert time.monotonic() - began < 1
    listening.cancel()
    await asyncio.wait((listening,))
    await engine.dispose()


async def test_it_listens_again_after_a_restart(own_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """And looks at once, since something may have happened meanwhile."""
    monkeypatch.setattr("endy.storage.notices.RETRY_SECONDS", 0.2)
    engine = create_engine(load_settings(_env_file=None, database_url=own_server.create_database()))
    told: asyncio.Queue[int] = asyncio.Queue()
    listening = asyncio.create_task(listen(engine, lambda: told.put_nowait(1)))
    await asyncio.wait_for(told.get(), 5)
    await asyncio.to_thread(own_server.restart, signal.SIGQUIT)
    await asyncio.wait_for(told.get(), 10)
    async with transaction(engine) as connection:
        await announce(connection, 8)
    await asyncio.wait_for(told.get(), 5)
    listening.cancel()
    await asyncio.wait((listening,))
    await engine.dispose()


async def test_sqlite_has_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    """There it ends at once instead of waiting for nothing."""
    url = f"sqlite:///{tmp_path_factory.mktemp('notices')}/endy.db"
    engine = create_engine(load_settings(_env_file=None, database_url=url))
    await asyncio.wait_for(listen(engine, lambda: None), 1)
    await engine.dispose()
