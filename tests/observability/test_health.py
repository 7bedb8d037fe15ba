"""Health: slow, failing and hanging checks, and what is said and served when the database is in trouble."""

import asyncio
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from endy.observability import health
from endy.observability.health import Health
from endy.storage.probe import DatabaseProbe
from tests.other_user import as_nobody, open_folder
from tests.web.conftest import Client, client, make_settings, sign_in

__all__ = ["client", "make_settings", "open_folder"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "TIME_LIMIT", 0.1)


@pytest.fixture
async def http(client: Client) -> AsyncIterator[httpx.AsyncClient]:
    async with client(rate_limit_per_minute=1000) as opened:
        yield opened


async def fine() -> bool:
    return True


async def bad() -> bool:
    return False


async def raising() -> bool:
    raise OSError("gone")


async def hanging() -> bool:
    await asyncio.Event().wait()
    return True


async def deaf() -> bool:
    """Does not let itself be cancelled, like a driver that waits for its thread."""
    until = time.monotonic() + 1
    while time.monotonic() < until:
        try:
            await asyncio.sleep(until - time.monotonic())
        except asyncio.CancelledError:
            continue
    return True


@pytest.mark.parametrize("check", [bad, raising, hanging, deaf])
@pytest.mark.parametrize(("needed", "status"), [(True, "unhealthy"), (False, "degraded")])
async def test_a_check_that_fails_in_any_way_is_false(
    quick: None, check: health.Check, needed: bool, status: str
) -> None:
    """Saying no, raising, hanging and refusing to stop are alike; the other checks are reported all the same."""
    found = Health()
    found.register("good", fine, needed=True)
    found.register("other", check, needed=needed)
    started = time.monotonic()
    report = await found.report()
    assert (report.status, report.checks) == (status, {"good": True, "other": False})
    assert time.monotonic() - started < 0.5
    assert await found.ready() == (not needed)


async def test_slow_checks_wait_together(quick: None) -> None:
    """Five that hang take as long as one."""
    found = Health()
    for number in range(5):
        found.register(str(number), hanging, needed=False)
    started = time.monotonic()
    await found.report()
    assert time.monotonic() - started < 0.4


async def test_a_check_that_was_given_up_is_ended(quick: None) -> None:
    """No hanging check is left behind, whether the time was over or the caller went away."""
    found = Health()
    found.register("other", hanging, needed=False)
    before = asyncio.all_tasks()
    await found.report()
    found._until = 0.0
    asking = asyncio.create_task(found.report())
    await asyncio.sleep(0.02)
    asking.cancel()
    await asyncio.sleep(0.02)
    assert asyncio.all_tasks() == before


async def test_what_is_off_by_choice_is_no_trouble() -> None:
    """An LLM that nobody has set up is reported as off, and Endy is healthy."""
    found = Health()
    found.register("llm_service", bad, needed=False, expected=False)
    report = await found.report()
    assert (report.status, report.checks) == ("healthy", {"llm_service": False})


async def test_many_who_ask_share_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred probes within three seconds run each check once; afterwards it is run again."""
    looks = 0

    async def counting() -> bool:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.01)
        return True

    found = Health()
    found.register("counted", counting, needed=True)
    await asyncio.gather(*(found.report() for _ in range(100)))
    await asyncio.gather(*(found.ready() for _ in range(100)))
    assert looks == 1
    monkeypatch.setattr(health, "REMEMBERED", 0.0)
    found._until = 0.0
    await found.report()
    await found.report()
    assert looks == 3


async def test_who_shuts_down_is_not_ready(http: httpx.AsyncClient) -> None:
    """A shutdown that has begun takes no new questions, while /health still tells the truth."""
    http.app.state.services.health.draining = True  # type: ignore[attr-defined]
    ready, healthy = await http.get("/readiness"), await http.get("/health")
    assert (ready.status_code, ready.json()) == (503, {"status": "not_ready"})
    assert healthy.status_code == 200


async def test_the_health_page_can_be_turned_off(client: Client) -> None:
    """ENABLE_HEALTH_CHECK=false hides /health; probes of the cluster go on."""
    async with client(enable_health_check=False) as http:
        statuses = [(await http.get(path)).status_code for path in ("/health", "/readiness", "/liveness")]
    assert statuses == [404, 200, 200]


async def look(http: httpx.AsyncClient) -> tuple[int, str, dict[str, bool]]:
    """/health as of now."""
    http.app.state.services.health._until = 0.0  # type: ignore[attr-defined]
    answer = await http.get("/health")
    return answer.status_code, answer.json()["status"], answer.json()["checks"]


async def still_served(http: httpx.AsyncClient) -> dict[str, int]:
    """The status of what needs no writing."""
    paths = ("/liveness", "/metrics", "/", "/api/categories", "/api/faqs", "/api/questions?q=연차")
    return {path: status for path in paths if (status := (await http.get(path)).status_code) != 200}


def remove(database: Path) -> None:
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another program writes and does not end."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_a_healthy_database_says_so_and_is_left_alone(http: httpx.AsyncClient, tmp_path: Path) -> None:
    """The trial write changes nothing, and thirty of them in a row neither fail nor disturb a question."""
    before = (tmp_path / "endy.db").read_bytes()
    for _ in range(30):
        assert (await look(http))[:2] == (200, "healthy")
    assert (tmp_path / "endy.db").read_bytes() == before
    assert (await http.post("/api/ask", json={"question": "주차"})).status_code == 200


async def test_a_missing_database_file(http: httpx.AsyncClient, tmp_path: Path) -> None:
    """Deleted in mid-run: unhealthy and not ready though connections live on, yet alive, and no empty one instead."""
    remove(tmp_path / "endy.db")
    status, word, checks = await look(http)
    assert (status, word) == (503, "unhealthy")
    assert (checks["database"], checks["database_writes"]) == (False, False)
    assert (await http.get("/readiness")).status_code == 503
    assert await still_served(http) == {}
    assert not (tmp_path / "endy.db").exists()


async def test_new_connections_do_not_make_an_empty_database(http: httpx.AsyncClient, tmp_path: Path) -> None:
    """Without the file and without connections: a clear 503 for what needs the database, everything else goes on."""
    await http.app.state.services.engine.dispose()  # type: ignore[attr-defined]
    remove(tmp_path / "endy.db")
    answer = await http.post("/api/login", json={"employee_id": "2024003", "name": "박민수"})
    assert (answer.status_code, answer.json()["error"]) == (503, "service_unavailable")
    assert await still_served(http) == {}
    assert not (tmp_path / "endy.db").exists()
    assert 'errors_total{error_type="ServiceUnavailable"}' in (await http.get("/metrics")).text


async def test_a_replaced_database_file(http: httpx.AsyncClient, tmp_path: Path) -> None:
    """Another file in its place, as after a restore in mid-run: what connections write would be lost, so it is said."""
    shutil.copy(tmp_path / "endy.db", tmp_path / "copy.db")
    (tmp_path / "copy.db").replace(tmp_path / "endy.db")
    status, word, checks = await look(http)
    assert (status, word, checks["database"]) == (503, "unhealthy", False)
    assert (await http.get("/liveness")).status_code == 200


async def test_a_locked_database(http: httpx.AsyncClient, tmp_path: Path) -> None:
    """Somebody else holds the lock: degraded, and soon; alive, reading goes on; healthy again afterwards."""
    me = await sign_in(http, "2024003", "박민수")
    with locked(tmp_path / "endy.db"):
        started = time.monotonic()
        status, word, checks = await look(http)
        assert time.monotonic() - started < 2
        assert (status, word) == (200, "degraded")
        assert (checks["database"], checks["database_writes"]) == (True, False)
        assert await still_served(http) == {}
        assert (await http.get("/api/me", headers=me)).status_code == 200
    assert (await look(http))[:2] == (200, "healthy")


async def test_a_broken_database_file(http: httpx.AsyncClient, tmp_path: Path) -> None:
    """Overwritten with something else: said, and no fault of what needs no database."""
    await http.app.state.services.engine.dispose()  # type: ignore[attr-defined]
    (tmp_path / "endy.db-wal").unlink(missing_ok=True)
    (tmp_path / "endy.db").write_bytes(b"this is no database" * 1000)
    status, word, checks = await look(http)
    assert (status, word, checks["database"]) == (503, "unhealthy", False)
    assert await still_served(http) == {}


def test_a_read_only_database_file(open_folder: Path) -> None:
    """For a user without the right to write, the file can be read and the trial write says no."""
    database = open_folder / "endy.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version=7")
    database.chmod(0o444)
    open_folder.chmod(0o555)
    probe = DatabaseProbe(f"sqlite:///{database}")
    assert as_nobody(lambda: f"{probe.unmoved()} {asyncio.run(probe.writable())}") == "True False"


async def test_a_full_file_system_is_degraded(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than the guide's gigabyte: a warning for the operator, no reason to stop answering."""
    monkeypatch.setattr("endy.bootstrap.ENOUGH_DISK", 1 << 62)
    status, word, checks = await look(http)
    assert (status, word, checks["disk_space"]) == (200, "degraded", False)
    assert (await http.get("/readiness")).status_code == 200
