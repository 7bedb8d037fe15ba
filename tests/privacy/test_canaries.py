"""Planted numbers and addresses are looked for in every place that keeps or shows something: none is there."""

import json
import logging
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import MappingProxyType

import httpx
import pytest
import structlog

from endy.observability.logging import configure_logging, configure_quiet_logging
from tests.observability.test_logging import logging_restored
from tests.web.conftest import Client, client, make_settings, sign_in

__all__ = ["client", "logging_restored", "make_settings"]

# Of nobody: written as people type them, and what of each must be found nowhere.
CANARIES = {
    "010-9870-6543": "9870-6543",
    "０１０－９８７１－６５４３": "９８７１",
    "010%2D9872%2D6543": "9872%2D",
    "01098736543": "98736543",
    "010\u200b-9874-6543": "9874-6543",
    "canary.one@encar.example": "canary.one",
    "canary.two%40encar.example": "canary.two",
    "ｃａｎａｒｙ＠encar.example": "ｃａｎａｒｙ",
    "2031777": "2031777",
    "910203-2987654": "2987654",
    "9102032987653": "9102032987653",
    "4242-4242-4242-4242": "4242-4242",
    "110-987-654321": "987-654321",
    "M98765432": "98765432",
    "11-98-765432-10": "765432",
    "987다 6543": "987다",
    "1588-9876": "1588-9876",
}
ALL = ", ".join(CANARIES)
HALF = len(ALL) // 2


def traces(text: str | bytes) -> list[str]:
    """Which canaries are in there, as they are or as JSON and Python escape them."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    ways = (
        lambda trace: trace.encode(),
        lambda trace: trace.encode("unicode_escape"),
        lambda trace: repr(trace.encode())[2:-1].encode(),
    )
    return [trace for trace in CANARIES.values() if any(way(trace) in data for way in ways)]


def test_the_search_finds_what_is_planted() -> None:
    """Each canary in each form, so that finding nothing says something."""
    for text in (ALL, json.dumps(ALL), repr(ALL.encode())):
        assert len(traces(text)) == len(CANARIES)


def files(folder: Path, beginning: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name.startswith(beginning)}


@pytest.fixture(autouse=True)
def warnings_go_where_they_went() -> Iterator[None]:
    logging.captureWarnings(False)
    yield
    logging.captureWarnings(False)


class Colleague:
    """Something whose text tells everything."""

    def __repr__(self) -> str:
        return f"<Colleague {ALL}>"


def failing() -> None:
    secret_of_the_frame = " / ".join(CANARIES)
    try:
        {}[ALL]
    except KeyError as error:
        error.add_note(f"asked by {ALL}")
        raise ExceptionGroup(ALL, [ValueError(secret_of_the_frame), RuntimeError(ALL, {"who": Colleague()})]) from error


def logged_exception(logger: logging.Logger) -> None:
    try:
        failing()
    except ExceptionGroup:
        logger.exception("marker %s", ALL)


def warn() -> None:
    warnings.warn(f"marker {ALL}", UserWarning, stacklevel=1)


ours = structlog.get_logger("endy.canaries")
theirs = logging.getLogger("somebody.else")
WAYS: dict[str, Callable[[], object]] = {
    "key and value": lambda: ours.warning("marker", **{ALL: {ALL: ALL}}),
    "tuples, sets and queues": lambda: ours.warning("marker", a=(ALL, {ALL}), b=deque([ALL]), c=frozenset([ALL])),
    "other mappings": lambda: ours.warning("marker", a=MappingProxyType({ALL: [ALL]})),
    "bytes": lambda: ours.warning("marker", a=ALL.encode(), b=bytearray(ALL.encode()), c=[memoryview(ALL.encode())]),
    "objects": lambda: ours.warning("marker", a=Colleague(), b=[httpx.URL("http://x/", params={"q": ALL})]),
    "arguments": lambda: theirs.warning("marker %s %r %s", ALL, [ALL], Colleague()),
    "split over arguments": lambda: theirs.warning("marker %s%s-%s", ALL[:HALF], ALL[HALF:], "x"),
    "a named argument": lambda: theirs.warning("marker %(who)s", {"who": Colleague()}),
    "a message that is no text": lambda: theirs.warning({"marker": ALL}),
    "extras": lambda: theirs.warning("marker", extra={"who": {ALL: [Colleague()]}, ALL: ALL}),
    "exceptions": lambda: logged_exception(theirs),
    "exceptions as fields": lambda: ours.warning("marker", error=ValueError(ALL), errors=[KeyError(ALL)]),
    "warnings": warn,
    **{
        name: lambda name=name: logging.getLogger(name).warning("marker %s", ALL, extra={"parameters": (ALL,)})
        for name in ("uvicorn.error", "uvicorn.access", "sqlalchemy.engine.Engine", "httpx", "alembic", "authlib")
    },
}  # fmt: skip


def ways_with_context() -> Iterator[tuple[str, Callable[[], object]]]:
    yield from WAYS.items()
    with structlog.contextvars.bound_contextvars(who=ALL, deep={"list": [ALL]}):
        yield "context", lambda: theirs.warning("marker")
        yield "our context", lambda: ours.warning("marker")


@pytest.mark.parametrize("environment", ["production", "development"])
def test_no_log_shows_a_canary(
    make_settings: Callable[..., object], tmp_path: Path, capsys: pytest.CaptureFixture[str], environment: str
) -> None:
    """Console, file and the files that it turned over to: every way of logging is in there, and none tells."""
    values = {"environment": environment, "secret_key": "k" * 40, "anonymous_access": False}
    configure_logging(make_settings(**values, log_max_bytes=5_000, log_backup_count=200))  # type: ignore[arg-type]
    for name, way in ways_with_context():
        way()
        shown = capsys.readouterr().err
        assert "marker" in shown, name
        assert not traces(shown), (name, shown)
    logs = files(tmp_path, "endy.log")
    assert len(logs) > 1
    written = b"".join(logs.values())
    assert written.count(b"marker") >= len(WAYS) + 2
    assert not traces(written)
    assert b"in failing" in written, "where it happened is shown, the values there never"


def test_commands_show_no_canary(capsys: pytest.CaptureFixture[str]) -> None:
    """What `endy ...` says on standard error goes the same way."""
    configure_quiet_logging()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, way in ways_with_context():
            way()
            assert not traces(capsys.readouterr().err), name


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    """Five bytes at a time, so that no chunk holds a whole canary."""
    for start in range(0, len(body), 5):
        yield body[start : start + 5]


def body(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


async def use_everything(http: httpx.AsyncClient) -> list[httpx.Response]:
    """Every door that takes text, with canaries in paths, queries, headers, keys and values."""
    as_json = {"Content-Type": "application/json"}
    me = await sign_in(http, "2024003", "박민수")
    answers = []
    for canary in (*CANARIES, ALL):
        question = body({"question": f"주차는 어디에 하나요? 제 번호는 {canary}"[:500], "category": canary[:200]})
        asked = await http.post("/api/ask", content=in_chunks(question), headers=as_json | me)
        rating = {"question_id": asked.json()["question_id"], "is_helpful": False, "comment": f"{canary}로 연락 주세요"}
        answers += [
            asked,
            await http.post("/api/ask/stream", content=in_chunks(question), headers=as_json | me),
            await http.post("/api/feedback", content=in_chunks(body(rating)), headers=as_json | me),
            await http.post("/api/feedback/detailed", json={**rating, "reasons": ["outdated"]}, headers=me),
            await http.post("/api/feedback/detailed", json={**rating, "reasons": [canary]}, headers=me),
            await http.post("/api/ask", json={"question": [canary]}, headers=me),
            await http.post("/api/ask", json={canary: canary}, headers=me),
            await http.post("/api/ask", content=f'{{"question": "{canary}'.encode(), headers=as_json | me),
            await http.post("/api/ask", content=canary.encode(), headers=me),
            await http.post("/api/ask", json={"question": "주차", "conversation_id": canary}, headers=me),
            await http.post("/api/feedback", json={"question_id": canary[:64], "is_helpful": True}, headers=me),
            await http.get("/api/questions", params={"q": canary[:100], "limit": canary}, headers=me),
            await http.get(f"/api/category/{canary}/questions", headers=me),
            await http.get(f"/{canary}"),
            await http.get("/api/me", headers={"Authorization": f"Bearer {canary}".encode()}),
            await http.get("/api/me", headers={"X-Request-ID": canary.encode(), "User-Agent": canary.encode()}),
            await http.post("/api/login", json={"employee_id": canary[:32], "name": canary[:100]}),
            await http.post("/api/login", json={"employee_id": "2024001", "password": canary, "name": canary[:100]}),
            await http.request("QUERY", "/api/ask", params={"q": canary}),
        ]
    return answers


def fail(_: object) -> None:
    raise RuntimeError(f"while reading {ALL}", Colleague())


async def test_no_file_and_no_answer_keeps_a_canary(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The database and its journal to the last byte, log, console, metrics, and every answer with its headers."""
    async with client(
        log_level="debug", log_max_bytes=50_000, rate_limit_per_minute=10_000, rate_limit_per_hour=10_000
    ) as http:
        answers = await use_everything(http)
        http.app.state.services.catalog.categories = fail  # type: ignore[attr-defined]
        answers.append(await http.get("/api/categories"))
        assert answers[-1].status_code == 500
        metrics = (await http.get("/metrics")).text
        kept = files(tmp_path, "endy.")
        assert kept.keys() >= {"endy.db", "endy.db-wal", "endy.log", "endy.log.1"}
        assert not {name: found for name, data in kept.items() if (found := traces(data))}
    assert not traces(files(tmp_path, "endy.")["endy.db"])
    assert not traces(metrics)
    assert not traces(capsys.readouterr().err)
    told = [
        (one.request.method, one.request.url.path, traces(one.content + repr(one.headers).encode())) for one in answers
    ]
    assert not [one for one in told if one[2]]
    assert {one.status_code for one in answers} >= {200, 401, 404, 405, 415, 422, 500}
