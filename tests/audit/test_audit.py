"""The audit log: complete, append-only, and able to show that somebody with the file in their hands changed it."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.audit.service import AuditLog, Event, record
from endy.knowledge.sync import KnowledgeSync
from endy.settings import Settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from endy.storage.transaction import transaction
from tests.databases import execute
from tests.web.conftest import DOCUMENT, Client, client, make_settings, sign_in
from tests.web.test_sessions import files_with

__all__ = ["client", "make_settings"]


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(Settings(_env_file=None, database_url=database_url))
    await upgrade(engine)
    yield engine
    await engine.dispose()


@pytest.fixture
async def log(engine: AsyncEngine) -> AuditLog:
    log = AuditLog(engine)
    for number in range(6):
        await log.add(Event("user_changed", "2024001", f"{number}", {"role": "user"}, {"role": "admin"}, "10.0.0.1"))
    return log


def tamper(database_url: str, statement: str) -> None:
    """As somebody would who owns the database: the triggers dropped first."""
    drop = ("DROP TRIGGER IF EXISTS audit_refuses_update", "DROP TRIGGER IF EXISTS audit_refuses_delete")
    if database_url.startswith("postgresql"):
        drop = ("ALTER TABLE audit DISABLE TRIGGER ALL",)
    execute(database_url, *drop, statement)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET actor='x'", "DELETE FROM audit", "DELETE FROM audit WHERE id=3"]
)
async def test_the_database_itself_refuses_changes(log: AuditLog, engine: AsyncEngine, statement: str) -> None:
    """Whatever a fault in the program, or somebody at its console, tries: rows are only added."""
    with pytest.raises(DBAPIError, match="audit rows cannot be changed"):
        async with transaction(engine) as connection:
            await connection.execute(text(statement))
    assert (await log.verify()).events == 6


async def test_an_event_stands_or_falls_with_its_change(log: AuditLog, engine: AsyncEngine) -> None:
    """What was rolled back never happened, and leaves no gap in the chain."""

    async def change_and_fail() -> None:
        async with transaction(engine) as connection:
            await record(connection, Event("user_added", "2024001", "2024009"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await change_and_fail()
    await log.add(Event("login", "2024001"))
    verdict = await log.verify()
    assert (verdict.events, verdict.broken) == (7, None)


async def test_many_at_once_make_one_chain(log: AuditLog) -> None:
    """Concurrent events queue up; none is lost and none shares a place."""
    await asyncio.gather(*(log.add(Event("login", str(number))) for number in range(50)))
    assert (await log.verify()).events == 56


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit SET actor='2024999' WHERE id=3", 3),
        ('UPDATE audit SET after=\'{"role": "owner"}\' WHERE id=4', 4),
        ("UPDATE audit SET at='2020-01-01 00:00:00' WHERE id=1", 1),
        ("DELETE FROM audit WHERE id=2", 3),
        ("DELETE FROM audit WHERE id=1", 2),
        ("UPDATE audit SET hash='" + "0" * 64 + "' WHERE id=5", 5),
    ],
)
async def test_whoever_owns_the_file_is_noticed(log: AuditLog, database_url: str, statement: str, broken: int) -> None:
    """A changed, backdated or removed event is named."""
    tamper(database_url, statement)
    assert (await log.verify()).broken == broken


async def test_a_cut_tail_is_noticed_by_the_noted_head(log: AuditLog, database_url: str) -> None:
    """The last events can be removed without a trace in the rest; a hash that was written down elsewhere tells."""
    head = (await log.verify()).head
    await log.add(Event("login", "2024001"))
    assert (await log.verify(head)).broken is None
    tamper(database_url, "DELETE FROM audit WHERE id >= 6")
    assert (await log.verify()).broken is None
    assert (await log.verify(head)).broken == 0


@pytest.mark.sqlite
async def test_personal_data_and_secrets_stay_out_of_the_details(engine: AsyncEngine, tmp_path: Path) -> None:
    """Addresses and numbers are masked at any depth; hashes and tokens are dropped by name."""
    after = {
        "email": "canary.person@encar.example",
        "notes": ["010-9876-5432", {"more": "canary2@encar.example"}],
        "password_hash": "$argon2id$canary",
        "token": "canary-token",
        "role": "admin",
    }
    log = AuditLog(engine)
    await log.add(Event("user_changed", "2024001", "2024003", None, after))
    (row,) = (await log.page(10)).items
    assert row.after == {"email": "[이메일]", "notes": ["[전화번호]", {"more": "[이메일]"}], "role": "admin"}
    assert files_with(tmp_path, "user_changed"), "the search itself must find what is there"
    assert not files_with(tmp_path, "canary")


async def test_pages_follow_each_other(log: AuditLog) -> None:
    """Newest first, nothing twice and nothing left out, also when something is added meanwhile."""
    first = await log.page(4)
    await log.add(Event("login", "2024001"))
    rest = await log.page(4, first.next_cursor)
    assert [row.id for row in [*first.items, *rest.items]] == [6, 5, 4, 3, 2, 1]
    assert rest.next_cursor is None
    assert [row.action for row in (await log.page(10, action="login")).items] == ["login"]
    assert (await log.page(10, actor="nobody")).items == []


async def test_who_did_what_is_recorded_by_the_application(client: Client) -> None:
    """Logins, failed ones, role changes and exports: by whom, to whom, from where, before and after."""
    async with client() as http:
        admin = await sign_in(http, "2024001", "김철수")
        await http.post("/api/login", json={"employee_id": "2024003", "name": "틀린 이름"})
        await http.patch("/api/admin/users/2024003", json={"version": 1, "role": "owner"}, headers=admin)
        await http.post("/api/logout", headers=admin)
        admin = await sign_in(http, "2024001", "김철수")
        exported = await http.get("/api/admin/audit/export", headers=admin)
        events = (await http.get("/api/admin/audit", headers=admin)).json()["events"]
    told = [(event["actor"], event["action"], event["target"]) for event in events][::-1]
    assert told[-6:] == [
        ("2024001", "login", "2024001"),
        ("2024003", "login_failed", "2024003"),
        ("2024001", "user_changed", "2024003"),
        ("2024001", "logout", "2024001"),
        ("2024001", "login", "2024001"),
        ("2024001", "audit_exported", ""),
    ]
    changed = next(event for event in events if event["action"] == "user_changed")
    assert (changed["before"], changed["after"]) == ({"role": "user"}, {"role": "owner"})
    assert changed["address"] == "127.0.0.1"
    assert len(changed["request_id"]) >= 8
    rows = list(csv.DictReader(io.StringIO(exported.text.removeprefix("\ufeff"))))
    assert [row["action"] for row in rows][-2:] == ["login", "audit_exported"]


async def test_nothing_over_http_changes_the_log(client: Client) -> None:
    """No method but GET is known there, whoever asks."""
    async with client() as http:
        admin = await sign_in(http, "2024001", "김철수")
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for path in ("/api/admin/audit", "/api/admin/audit/1", "/api/admin/audit/export"):
                answer: httpx.Response = await http.request(method, path, headers=admin)
                assert answer.status_code in (404, 405), (method, path)


async def test_content_that_changes_is_recorded_document_by_document(client: Client, tmp_path: Path) -> None:
    """Added, changed and removed, with the hash of what was and of what is; a file that only moved in time is not."""
    async with client() as http:
        services = http.app.state.services  # type: ignore[attr-defined]
        sync = KnowledgeSync(services.engine, services.settings)
        before = {row.id for row in (await services.audit.page(200)).items}
        document = tmp_path / "docs" / "people.md"
        document.write_text(DOCUMENT.replace("5일까지", "7일까지"), encoding="utf-8")
        (tmp_path / "docs" / "new.md").write_text(DOCUMENT.replace("안내", "새 안내"), encoding="utf-8")
        (tmp_path / "docs" / "secret.md").unlink()
        await sync.sync()
        (tmp_path / "docs" / "new.md").touch()
        await sync.sync()
        told = [row for row in (await services.audit.page(200)).items if row.id not in before][::-1]
        sync.close()
    assert {(row.actor, row.action, row.target) for row in told} == {
        ("files", "document_changed", "people.md"),
        ("files", "document_added", "new.md"),
        ("files", "document_removed", "secret.md"),
    }
    changed = next(row for row in told if row.action == "document_changed")
    assert changed.before["content_hash"] != changed.after["content_hash"]  # type: ignore[index]


async def test_other_settings_than_last_time_are_recorded_at_the_start(client: Client, tmp_path: Path) -> None:
    """What changed, before and after; a restart with the same ones says nothing; no secret and no password is told."""
    secrets = {"secret_key": "canary-" * 8, "openai_api_key": "canary-key", "redis_url": "redis://u:canary-word@r:6379"}
    for values in ({}, {}, {"rate_limit_per_minute": 20, **secrets}):
        async with client(**values) as http:
            rows = (await http.app.state.services.audit.page(10, action="settings_changed")).items  # type: ignore[attr-defined]
    assert len(rows) == 2
    assert rows[0].before["RATE_LIMIT_PER_MINUTE"] == "10"
    assert rows[0].after["RATE_LIMIT_PER_MINUTE"] == "20"
    assert rows[0].after["OPENAI_API_KEY"] == "(정해짐)"
    assert rows[0].after["REDIS_URL"] == "redis://u:***@r:6379"
    assert not files_with(tmp_path, "canary-")
