"""Migrations: they make exactly the tables of tables.py, and can go back."""

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.settings import Settings
from endy.storage.engine import create_engine
from endy.storage.migrations import downgrade, upgrade
from endy.storage.tables import metadata
from endy.storage.transaction import reading, transaction


async def tables(engine: AsyncEngine) -> set[str]:
    async with reading(engine) as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_the_migrated_schema_is_the_one_in_the_code(engine: AsyncEngine) -> None:
    """Autogenerate finds nothing left to do."""
    async with reading(engine) as connection:
        assert await connection.run_sync(differences) == []


async def test_down_and_up_again(engine: AsyncEngine) -> None:
    """Going back leaves no table of ours, and coming up again makes them all."""
    await downgrade(engine, "base")
    assert await tables(engine) == {"alembic_version"}
    await upgrade(engine)
    assert await tables(engine) == {*metadata.tables, "alembic_version"}


async def test_upgrading_twice_changes_nothing(engine: AsyncEngine) -> None:
    """Every start upgrades; data stays."""
    async with transaction(engine) as connection:
        await connection.execute(text("INSERT INTO knowledge_state VALUES (1, 7, '2026-01-01')"))
    await upgrade(engine)
    async with reading(engine) as connection:
        assert (await connection.execute(text("SELECT version FROM knowledge_state"))).scalar_one() == 7


async def test_two_starts_at_once(settings: Settings) -> None:
    """Two replicas may start on an empty database together."""
    first, second = create_engine(settings), create_engine(settings)
    await asyncio.gather(upgrade(first), upgrade(second))
    assert await tables(first) == {*metadata.tables, "alembic_version"}
    await first.dispose()
    await second.dispose()


async def test_a_newer_schema_is_left_alone(engine: AsyncEngine) -> None:
    """After a rollback of the release the older code runs on the newer schema."""
    async with transaction(engine) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await upgrade(engine)
    async with reading(engine) as connection:
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one() == "9999"
