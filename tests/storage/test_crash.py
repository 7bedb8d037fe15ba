"""kill -9 in the middle of writing: nothing acknowledged is lost, nothing is half there."""

import random
from pathlib import Path

import pytest

from endy.audit.service import AuditLog
from endy.settings import load_settings
from endy.storage.engine import create_engine
from tests.crash import Acknowledged, whole, write_and_kill
from tests.databases import execute

KILLS = 6
"""`python -m benchmarks.crash` kills two hundred times."""


@pytest.mark.sqlite
async def test_killed_at_any_moment_nothing_is_lost(tmp_path: Path) -> None:
    """Questions, opinions, audit events and syncs; the database is whole after each kill, and the chain holds."""
    url, folder = f"sqlite:///{tmp_path}/endy.db", tmp_path / "docs"
    folder.mkdir()
    acknowledged, chance = Acknowledged(), random.Random(5)  # noqa: S311
    for _ in range(KILLS):
        synced = await write_and_kill(url, folder, chance.uniform(0.05, 0.6), acknowledged)
        assert whole(url)
        assert acknowledged.lost(url) == {"questions": 0, "feedback": 0, "audit": 0}
        texts = [str(row[0]) for row in execute(url, "SELECT text FROM sections")]
        assert not synced or len(texts) == 30
    assert len(acknowledged.names["questions"]) > KILLS
    engine = create_engine(load_settings(_env_file=None, database_url=url))
    assert (await AuditLog(engine).verify()).broken is None
    await engine.dispose()
