"""Migrations: they make exactly the tables of tables.py, and can go back."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.settings import Settings
from endy.storage.engine import create_engine
from endy.storage.migrations import downgrade, upgrade
from endy.storage.rows import columns_there, table_digest
from endy.storage.rows import tables as every_table
from endy.storage.tables import metadata
from endy.storage.transaction import reading, transaction
from tests.storage.test_move import fill


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


async def sums(engine: AsyncEngine) -> dict[str, str]:
    """Of each table that is there, over the columns that are there."""
    async with reading(engine) as connection:
        there = {table.name: (table, await columns_there(connection, table)) for table in every_table()}
        return {
            name: f"{[column.name for column in columns]} {(await table_digest(connection, table, columns)).hex}"
            for name, (table, columns) in there.items()
            if columns
        }


@pytest.mark.parametrize("revision", ["0003", "0002", "0001"])
async def test_a_step_back_and_forth_keeps_what_both_know(engine: AsyncEngine, revision: str) -> None:
    """With rows in every table: what the older schema holds is the same after coming up again."""
    await fill(engine, 20)
    await downgrade(engine, revision)
    before = await sums(engine)
    await upgrade(engine)
    await downgrade(engine, revision)
    assert await sums(engine) == before
    await upgrade(engine)
    async with reading(engine) as connection:
        assert await connection.run_sync(differences) == []


async def test_the_release_before_writes_to_the_newer_schema(engine: AsyncEngine) -> None:
    """A column and a table that it does not know have defaults: its inserts and reads go on after a rollback."""
    async with transaction(engine) as connection:
        await connection.execute(text("ALTER TABLE users ADD COLUMN later VARCHAR(8) NOT NULL DEFAULT ''"))
        await connection.execute(text("CREATE TABLE later (id INTEGER PRIMARY KEY)"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await upgrade(engine)
    await fill(engine, 5)
    async with reading(engine) as connection:
        assert (await connection.execute(text("SELECT count(*) FROM users WHERE later = ''"))).scalar_one() == 5


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
