"""An engine on a fresh file, and one that is migrated."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.settings import Settings, load_settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade


@pytest.fixture
def settings(database_url: str) -> Settings:
    return load_settings(_env_file=None, database_url=database_url)


@pytest.fixture
async def bare_engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings)
    yield engine
    await engine.dispose()


@pytest.fixture
async def engine(bare_engine: AsyncEngine) -> AsyncEngine:
    await upgrade(bare_engine)
    return bare_engine
