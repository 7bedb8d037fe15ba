"""Logs: nobody's number reaches them by any way, and no trouble with them reaches anybody."""

import asyncio
import gc
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from endy.observability.logging import configure_logging
from endy.settings import Settings
from tests.other_user import as_nobody, open_folder
from tests.web.conftest import Client, client, make_settings, sign_in
from tests.web.serving import exchange, serving

__all__ = ["client", "make_settings", "open_folder"]

PHONE, RESIDENT, MAIL, NUMBER = "010-1234-5678", "900101-1234567", "hong@encar.example", "2024777"
ALL = f"{PHONE} {RESIDENT} {MAIL} {NUMBER}"
TRACES = ("1234-5678", "1234567", "hong@", NUMBER, "12345678")

ours = structlog.get_logger("endy.somewhere")
theirs = logging.getLogger("somebody.else")


@dataclass
class Person:
    name: str
    phone: str


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    for handler in before:
        root.addHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def settings_for(tmp_path: Path, **values: object) -> Settings:
    production = {"environment": "production", "secret_key": "k" * 40}
    return Settings(_env_file=None, **({"log_file": tmp_path / "logs" / "endy.log"} | production | values))


def fail(text: str) -> None:
    raise ValueError(text)


def failing_for(text: str) -> None:
    try:
        fail(text)
    except ValueError as error:
        raise RuntimeError(f"while asking {text}") from error


def with_exception(log: Callable[..., object]) -> None:
    try:
        failing_for(ALL)
    except RuntimeError:
        log("marker failed")


WAYS: dict[str, Callable[[], object]] = {
    "our message": lambda: ours.info(f"marker {ALL}"),
    "our arguments": lambda: ours.info("marker %s %s %s", PHONE, RESIDENT, f"{MAIL} {NUMBER}"),
    "our fields": lambda: ours.info("marker", phone=PHONE, resident=RESIDENT, mail=MAIL, number=NUMBER),
    "numbers as numbers": lambda: ours.info("marker", number=2024777, resident=9001011234567, phone=1012345678),
    "nested fields": lambda: ours.info("marker", deep={"list": [{"set": {ALL}}, (ALL, [ALL])], ALL: 1}),
    "names of fields": lambda: ours.info("marker", **{PHONE: 1, MAIL: 2}),
    "objects": lambda: ours.info("marker", person=Person("홍길동", ALL), raw=ALL.encode(), path=Path("/home") / MAIL),
    "bound fields": lambda: ours.bind(phone=ALL).info("marker"),
    "our exception": lambda: with_exception(ours.exception),
    "our exception as a field": lambda: ours.error("marker", error=ValueError(ALL)),
    "our exception as exc_info": lambda: ours.error("marker", exc_info=ValueError(ALL)),
    "their message": lambda: theirs.warning(f"marker {ALL}"),
    "their arguments": lambda: theirs.warning("marker %s %r", ALL, {"phone": ALL}),
    "their dictionary": lambda: theirs.warning("marker %(phone)s", {"phone": ALL}),
    "their extras": lambda: theirs.warning("marker", extra={"phone": ALL, "people": [Person("홍길동", ALL)]}),
    "their exception": lambda: with_exception(theirs.exception),
    "their stack": lambda: theirs.warning("marker %s", ALL, stack_info=True),
    "the access log": lambda: logging.getLogger("uvicorn.access").warning(
        '%s - "%s %s HTTP/%s" %d', "127.0.0.1:5000", "GET", f"/marker?q={PHONE}&m={MAIL}&n={NUMBER}", "1.1", 200
    ),
    "the access log, encoded": lambda: logging.getLogger("uvicorn.access").warning(
        "GET /marker?q=hong%40encar.example&r=900101%2D1234567".replace("%2D", "-").replace("%", "%%")
    ),
    "the server's error log": lambda: with_exception(logging.getLogger("uvicorn.error").exception),
    "asyncio": lambda: logging.getLogger("asyncio").error("marker", exc_info=ValueError(ALL)),
}


@pytest.mark.parametrize("environment", ["production", "development"])
@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_a_number_into_the_logs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str, environment: str
) -> None:
    """Console and file show the event and a label, and nothing of the number, whoever logs it and how."""
    settings = settings_for(tmp_path, environment=environment)
    configure_logging(settings)
    WAYS[way]()
    written = {"console": capsys.readouterr().err, "file": settings.log_file.read_text(encoding="utf-8")}
    for where, text in written.items():
        assert "marker" in text, where
        assert "[" in text
        assert not [trace for trace in TRACES if trace in text], (where, text)


async def test_a_task_that_dies_alone_is_masked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What asyncio reports of a task that nobody awaited goes the same way."""
    settings = settings_for(tmp_path)
    configure_logging(settings)

    async def die() -> None:
        fail(ALL)

    task = asyncio.create_task(die())
    await asyncio.sleep(0)
    del task
    await asyncio.sleep(0)
    gc.collect()
    text = settings.log_file.read_text(encoding="utf-8")
    assert "never retrieved" in text
    assert not [trace for trace in TRACES if trace in text + capsys.readouterr().err]


@pytest.mark.parametrize("call", [("marker %d", PHONE), ("marker %s %s", PHONE), ("marker", PHONE)])
def test_a_broken_log_call_neither_breaks_nor_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], call: tuple[str, str]
) -> None:
    """The standard library would print the arguments as they are; one line without them is enough."""
    configure_logging(settings_for(tmp_path))
    theirs.warning(*call)
    theirs.warning("afterwards")
    shown = capsys.readouterr().err
    assert "1234-5678" not in shown
    assert "Traceback" not in shown
    assert "afterwards" in shown


async def test_numbers_in_addresses_and_faults_of_requests_are_masked(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A number in a query string, a question, a header, a category, a name and an exception: found nowhere."""
    async with client(log_level="debug") as http:
        services = http.app.state.services  # type: ignore[attr-defined]
        services.catalog.categories = lambda _: fail(ALL)
        await http.get("/api/questions", params={"q": ALL})
        await http.get(f"/api/category/{PHONE}/questions")
        await http.get(f"/{NUMBER}/{MAIL}")
        await http.post("/api/ask", json={"question": f"{ALL} 주차", "category": PHONE})
        await http.post("/api/login", json={"employee_id": NUMBER, "name": MAIL})
        await http.get("/api/me", headers={"Authorization": f"Bearer {PHONE}", "X-Request-ID": PHONE})
        assert (await http.get("/api/categories")).status_code == 500
    text = (tmp_path / "endy.log").read_text(encoding="utf-8") + capsys.readouterr().err
    assert text.count("request_failed") == 2
    assert not [trace for trace in TRACES if trace in text]


async def test_the_real_server_logs_no_address(
    make_settings: Callable[..., Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over a real connection, too: route and status, never the path with its query, nor the bytes of a bad request."""
    async with serving(make_settings(log_level="debug")) as (_, port):
        query = f"GET /api/questions?q={PHONE}&m=hong%40encar.example HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        await exchange(port, query.encode())
        await exchange(port, f"BROKEN {ALL}\r\n\r\n".encode())
    text = (tmp_path / "endy.log").read_text(encoding="utf-8") + capsys.readouterr().err
    assert "/api/questions" in text
    assert not [trace for trace in (*TRACES, "hong%40") if trace in text]


async def test_an_access_line_says_what_is_needed(client: Client, tmp_path: Path) -> None:
    """In production one JSON line per request: id, masked user, route, status and duration; probes stay silent."""
    async with client() as http:
        me = await sign_in(http, "2024003", "박민수")
        configure_logging(settings_for(tmp_path, log_file=tmp_path / "lines.log"))
        await http.post("/api/ask", json={"question": "주차"}, headers=me | {"X-Request-ID": "request-of-mine"})
        for path in ("/liveness", "/readiness", "/health", "/metrics", "/static/css/base.css"):
            await http.get(path)
    lines = [json.loads(line) for line in (tmp_path / "lines.log").read_text(encoding="utf-8").splitlines()]
    (line,) = [line for line in lines if line["event"] == "request"]
    assert {key: line[key] for key in ("request_id", "user", "method", "route", "status", "level")} == {
        "request_id": "request-of-mine",
        "user": "2024***",
        "method": "POST",
        "route": "/api/ask",
        "status": 200,
        "level": "info",
    }
    assert line["duration_ms"] > 0
    assert line["timestamp"]


async def test_a_fault_carries_the_id_that_the_caller_got(client: Client, tmp_path: Path) -> None:
    """The id in the response finds the traceback in the log."""
    async with client() as http:
        http.app.state.services.catalog.categories = lambda _: fail("x")  # type: ignore[attr-defined]
        made = (await http.get("/api/categories")).headers["x-request-id"]
    lines = (tmp_path / "endy.log").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "request_failed" in line and made in line]


@pytest.mark.parametrize("blocked", ["folder", "file in the way", "nowhere"])
def test_a_log_file_that_cannot_be_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str], blocked: str) -> None:
    """One warning that names the file; from then on the console has everything."""
    (tmp_path / "in the way").write_text("")
    (tmp_path / "folder").mkdir()
    paths = {
        "folder": tmp_path / "folder",
        "file in the way": tmp_path / "in the way" / "endy.log",
        "nowhere": Path("/proc/nowhere/endy.log"),
    }
    configure_logging(settings_for(tmp_path, log_file=paths[blocked]))
    for number in range(3):
        ours.info("event", number=number)
    lines = capsys.readouterr().err.splitlines()
    assert str(paths[blocked]) in lines[0]
    assert [json.loads(line)["number"] for line in lines[1:]] == [0, 1, 2]


def test_a_folder_without_permission(open_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for a user who may not write there."""
    open_folder.chmod(0o555)

    def try_it() -> str:
        configure_logging(settings_for(open_folder))
        return str(len(logging.getLogger().handlers))

    assert as_nobody(try_it) == "1"


def test_a_full_disk_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every line still reaches the console, without a traceback for each that the file could not take."""
    configure_logging(settings_for(tmp_path, log_file=Path("/dev/full")))
    for number in range(50):
        ours.info("event", number=number, text="가" * 1000)
    configure_logging(settings_for(tmp_path))
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if line.startswith("{")]) == 50
    assert len([line for line in lines if not line.startswith("{")]) == 1
    assert "No space left" in "".join(lines)


async def test_a_full_disk_for_logs_breaks_no_answer(client: Client) -> None:
    """Questions are answered, sessions opened and faults reported as ever."""
    async with client(log_file=Path("/dev/full")) as http:
        http.app.state.services.catalog.categories = lambda _: fail("x")  # type: ignore[attr-defined]
        me = await sign_in(http, "2024003", "박민수")
        answer = await http.post("/api/ask", json={"question": "주차"}, headers=me)
        fault = await http.get("/api/categories")
    assert (answer.status_code, fault.status_code) == (200, 500)


def test_old_files_go(tmp_path: Path) -> None:
    """The file turns over at its size, as many as told are kept, and none of them holds a number."""
    settings = settings_for(tmp_path, log_max_bytes=2000, log_backup_count=2)
    configure_logging(settings)
    for number in range(100):
        ours.info("event", number=number, text=ALL)
    files = sorted(settings.log_file.parent.glob("endy.log*"))
    assert [path.name for path in files] == ["endy.log", "endy.log.1", "endy.log.2"]
    for path in files:
        assert path.stat().st_size < 2000 + 500  # a line more at most
        assert not [trace for trace in TRACES if trace in path.read_text(encoding="utf-8")]


def test_configuring_again_doubles_nothing(tmp_path: Path) -> None:
    """A second start in the same process writes each line once."""
    settings = settings_for(tmp_path)
    configure_logging(settings)
    configure_logging(settings)
    ours.info("once")
    theirs.warning("twice")
    assert len(settings.log_file.read_text(encoding="utf-8").splitlines()) == 2


def test_every_line_of_production_is_json(tmp_path: Path) -> None:
    """Line ends, quotes, colours and broken characters in a text leave one readable line."""
    settings = settings_for(tmp_path)
    configure_logging(settings)
    for text in ('줄\n바꿈 "따옴표" \\', "\x1b[31m빨강", "\ud800 surrogate", "\u2028", "NUL \x00"):
        ours.info("event", text=text)
        theirs.warning(text)
    lines = settings.log_file.read_text(encoding="utf-8").split("\n")[:-1]
    assert len(lines) == 10
    assert all("event" in json.loads(line) for line in lines)


def test_the_level_holds_for_everybody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """LOG_LEVEL=error silences warnings of ours and of libraries."""
    configure_logging(settings_for(tmp_path, log_level="error"))
    ours.warning("quiet")
    theirs.warning("quiet")
    ours.error("loud")
    shown = capsys.readouterr().err
    assert "quiet" not in shown
    assert "loud" in shown
