"""Answers while the database is in trouble."""

import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event

from tests.web.conftest import Client, client, make_settings, sign_in

__all__ = ["client", "make_settings"]


@pytest.fixture
async def http(client: Client) -> AsyncIterator[httpx.AsyncClient]:
    async with client(rate_limit_per_minute=1000) as opened:
        yield opened


def remove(folder: Path) -> None:
    for path in folder.glob("endy.db*"):
        path.unlink()


@pytest.mark.parametrize("trouble", ["locked", "read-only", "missing"])
async def test_answers_go_on(http: httpx.AsyncClient, tmp_path: Path, trouble: str) -> None:
    """Nobody waits longer than the second for a note, for anybody and for who is signed in; the fault is counted."""
    me = await sign_in(http, "2024003", "박민수")
    engine = http.app.state.services.engine  # type: ignore[attr-defined]
    with closing(sqlite3.connect(tmp_path / "endy.db", isolation_level=None)) as other:
        if trouble == "locked":
            other.execute("BEGIN IMMEDIATE")
        elif trouble == "read-only":
            event.listen(engine.sync_engine, "begin", lambda c: c.exec_driver_sql("PRAGMA query_only=ON"))
        else:
            await engine.dispose()
            remove(tmp_path)
        for headers in ({},) if trouble == "missing" else ({}, me):
            started = time.monotonic()
            body = {"question": "주차", "conversation_id": "a" * 32}
            answer = await http.post("/api/ask", json=body, headers=headers)
            assert (answer.status_code, answer.json()["status"]) == (200, "answered")
            assert time.monotonic() - started < 2
    assert "QuestionNotStored" in (await http.get("/metrics")).text
