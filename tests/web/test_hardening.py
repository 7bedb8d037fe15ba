"""What a browser may run, which names are answered, and what a hostile connection gets: over real sockets."""

import asyncio
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from endy.errors import ValidationFailed
from endy.settings import Settings, load_settings
from endy.web import body, protocol
from endy.web.app import create_app
from endy.web.body import MAX_BODY, check_json
from endy.web.headers import ANSWER_POLICY
from endy.web.pages import HERE
from tests.web.conftest import Client
from tests.web.serving import exchange, serving

PRODUCTION = {"environment": "production", "secret_key": "k" * 40}
NAMED = PRODUCTION | {"public_url": "https://endy.encar.example"}
QUESTION = b'{"question": "\xec\xa3\xbc\xec\xb0\xa8"}'
ASK_HEAD = b"POST /api/ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
SECURITY_TXT = "/.well-known/security.txt"
Make = Callable[..., Settings]


def nonce_of(response: httpx.Response) -> str:
    found = re.search(r"script-src 'nonce-([\w-]{22})';", response.headers["content-security-policy"])
    assert found
    return found[1]


def parsed(answer: bytes) -> tuple[int, dict[str, str], dict]:
    """Status, headers and the one body of a raw answer, which must be in the format of errors."""
    head, _, content = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["content-length"]) == len(content)
    found = json.loads(content)
    assert set(found) == {"error", "message", "details"}
    return int(status.split()[1]), headers, found


async def test_each_page_has_its_own_nonce(client: Client) -> None:
    """Fresh for every load, unguessable, on every script of the page, and nothing inline is allowed."""
    async with client() as http:
        loads = [await http.get("/") for _ in range(20)] + [await http.get("/docs")]
    assert len({nonce_of(load) for load in loads}) == 21
    for load in loads:
        policy = load.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "*" not in policy
        scripts = re.findall(r"<script([^>]*)>", load.text)
        assert all(f'nonce="{nonce_of(load)}"' in script or "application/json" in script for script in scripts)


@pytest.mark.parametrize("template", sorted((HERE / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_every_script_of_every_template_asks_for_the_nonce(template: Path) -> None:
    """A script without it would not run; a preloaded module without it would be fetched for nothing."""
    tags = re.findall(r"<script[^>]*>|<link[^>]*preload[^>]*>", template.read_text(encoding="utf-8"))
    assert not [tag for tag in tags if 'nonce="{{ nonce }}"' not in tag and "application/json" not in tag]


async def test_what_is_no_page_runs_nothing(client: Client) -> None:
    """Answers, errors, files and metrics, opened in a browser, load and run nothing."""
    async with client() as http:
        for path in ("/api/categories", "/nowhere", "/static/mark.svg", "/metrics", "/openapi.json", "/api/me"):
            assert (await http.get(path)).headers["content-security-policy"] == ANSWER_POLICY, path


async def test_head_is_get_without_a_body(client: Client) -> None:
    """For pages, files and what monitors look at: same status and headers; the API's calls are not done by HEAD."""
    async with client() as http:
        for path in (
            "/",
            "/docs",
            "/static/css/base.css",
            "/health",
            "/liveness",
            "/readiness",
            "/metrics",
            "/nowhere",
        ):
            got, head = await http.get(path), await http.head(path)
            assert (head.status_code, head.content) == (got.status_code, b""), path
            varying = {"x-request-id", "content-security-policy", "content-length"}
            assert {*head.headers.items()} - {*got.headers.items()} <= {
                (n, head.headers[n]) for n in varying & {*head.headers}
            }
        refused = await http.head("/api/categories")
        metrics = (await http.get("/metrics")).text
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
    assert 'api_requests_total{endpoint="/docs",method="HEAD",status="200"} 1.0' in metrics


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PUT", "PROPFIND"])
async def test_other_methods_are_refused_with_what_is_allowed(client: Client, method: str) -> None:
    """405 in our format with Allow, and TRACE gives nothing back of what was sent."""
    async with client() as http:
        for path, allowed in (
            ("/", "GET"), ("/api/ask", "POST"), ("/api/sessions/1", "DELETE"), ("/health", "GET"),
        ):  # fmt: skip
            answer = await http.request(method, path, headers={"Cookie": "endy_session=secret"})
            assert (answer.status_code, answer.json()["error"]) == (405, "not_found"), path
            assert answer.headers["allow"] == allowed, path
            assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("endy.encar.example", 200),
        ("ENDY.encar.example.:443", 200),
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("10.2.3.4:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 400),
        ("endy.encar.example.evil.example", 400),
        ("endy.encar.example@evil.example", 400),
        ("evil.example:endy.encar.example", 400),
        ("", 400),
        ("[::1", 200),
        ("[evil.example]", 400),
        ("<script>", 400),
    ],
)
async def test_production_answers_to_its_own_name(client: Client, host: str, status: int) -> None:
    """With a public address: it, this machine and bare numbers; machines that probe may use any name."""
    async with client(**NAMED) as http:
        answer = await http.get("/", headers={"Host": host})
        probe = await http.get("/liveness", headers={"Host": host})
    assert (answer.status_code, probe.status_code) == (status, 200)
    assert status == 200 or answer.json()["error"] == "validation_error"
    assert "evil" not in answer.text


async def test_without_a_public_address_any_name_is_answered(client: Client) -> None:
    """In development always, in production as long as nothing is set; two names at once never."""
    for settings in (PRODUCTION, {"public_url": "https://endy.encar.example"}):
        async with client(**settings) as http:
            assert (await http.get("/", headers={"Host": "other.example"})).status_code == 200
            assert (await http.get("/", headers=[("Host", "a.example"), ("Host", "b.example")])).status_code == 400


async def test_nothing_is_built_from_the_host(client: Client) -> None:
    """A redirect stays on the site whatever the caller calls it."""
    async with client() as http:
        answer = await http.get("/api/categories/?q=1", headers={"Host": "evil.example"})
        page = await http.get("/", headers={"Host": "evil.example"})
        strange = await http.get("//evil.example/api/categories/", headers={"Host": "x"})
    assert answer.headers["location"] == "/api/categories?q=1"
    assert "evil" not in page.text + str(page.headers)
    assert "evil" not in strange.headers.get("location", "")


@pytest.mark.parametrize(
    "text", ['{"a": "' + "[" * 100 + '"}', '{"a": "\\"[[{{' + "[" * 60 + '"}', "[" * 32 + "]" * 32]
)
def test_brackets_in_texts_are_no_depth(text: str) -> None:
    """Only what nests counts, and 32 levels are enough for anybody."""
    check_json(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "[" * MAX_BODY,
        "[]," * (MAX_BODY // 3),
        '"\\' * (MAX_BODY // 2) + "[" * 40,
        '\\"' * (MAX_BODY // 2) + "[" * 40,
        "[" * 40 + '"' * (MAX_BODY - 40),
        "[" * 40 + '"' + "\\" * (MAX_BODY - 41),
        "[" * 40 + "\\u0000" * (MAX_BODY // 6),
        '["' + "\\\\" * (MAX_BODY // 2 - 10) + '\\u0061"]',
        '{"a":' * (MAX_BODY // 5),
        "[" + "1" * (MAX_BODY - 2) + "]",
        "[" + ",".join(["1e5"] * (MAX_BODY // 4 - 2)) + "]",
    ],
    ids=range(11),
)
def test_no_body_keeps_the_server_busy(text: str) -> None:
    """The worst that fits into the limit is looked at in time that nobody notices."""
    started = time.perf_counter()
    with suppress(ValidationFailed):
        check_json(text.encode())
    assert time.perf_counter() - started < 0.25


@pytest.mark.parametrize("number", ["9223372036854775807", "-9223372036854775808", "1e308", "0.1", "-0"])
def test_ordinary_numbers_pass(number: str) -> None:
    """What fits into a database's number is no huge number."""
    check_json(f'{{"a": {number}}}'.encode())


RAW = {
    "no request at all": (b"hello\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100, 400),
    "an invented method": (b"MADEUP / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "CONNECT": (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 400),
    "HTTP/3.7": (b"GET / HTTP/3.7\r\nHost: x\r\n\r\n", 400),
    "NUL in the address": (b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "bytes in the address": (b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "length and chunks": (ASK_HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (ASK_HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345", 400),
    "a negative length": (ASK_HEAD + b"Content-Length: -5\r\n\r\n", 400),
    "an endless length": (ASK_HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", 400),
    "a chunk without a size": (ASK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    "an endless head": (b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 9_000, 431),
    "an endless header": (b"GET / HTTP/1.1\r\nX-A: " + b"b" * 70_000, 431),
    "an endless address": (b"GET /" + b"a" * 70_000, 431),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", 400),
}


@pytest.mark.parametrize("production", [False, True])
async def test_what_the_server_itself_refuses_looks_like_everything_else(make_settings: Make, production: bool) -> None:
    """Broken, ambiguous and endless requests: our format, all headers, and the connection is closed."""
    async with serving(make_settings(**(PRODUCTION if production else {}))) as (_, port):
        for kind, (request, status) in RAW.items():
            got, headers, found = parsed(await exchange(port, request))
            assert (got, found["error"]) == (status, "validation_error"), kind
            assert headers["content-security-policy"] == ANSWER_POLICY, kind
            assert headers["connection"] == "close", kind
            assert len(headers["x-request-id"]) == 32, kind
            assert ("strict-transport-security" in headers) == production, kind
            assert "server" not in headers, kind


async def test_a_full_server_says_so_in_the_usual_words(make_settings: Make) -> None:
    """More connections than there are places: 503 with our body and Retry-After, and it is counted."""
    async with serving(make_settings(), limit_concurrency=3) as (_, port):
        others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        status, headers, found = parsed(await exchange(port, b"GET /liveness HTTP/1.1\r\nHost: x\r\n\r\n"))
        for _, writer in others:
            writer.close()
        await asyncio.sleep(0.1)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            metrics = (await http.get("/metrics")).text
    assert (status, found["error"], headers["retry-after"]) == (503, "service_unavailable", "1")
    assert found["details"]["request_id"] == headers["x-request-id"]
    assert headers["content-security-policy"] == ANSWER_POLICY
    assert 'api_requests_total{endpoint="unmatched",method="GET",status="503"} 1.0' in metrics


async def test_a_websocket_is_an_ordinary_request(make_settings: Make) -> None:
    """Nothing here speaks it, so that nothing is asked past the envelope."""
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"
    async with serving(make_settings()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n" + upgrade + b"\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.close()
    assert head.startswith(b"HTTP/1.1 404")
    assert b"x-frame-options: DENY" in head


async def test_a_trailer_is_no_header(make_settings: Make) -> None:
    """What follows the body is not added to what was looked at before it."""
    trailer = b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    chunks = b"%x\r\n%s\r\n0\r\nX-Request-ID: from-the-trailer\r\nHost: evil.example\r\n\r\n" % (
        len(QUESTION),
        QUESTION,
    )
    async with serving(make_settings()) as (_, port):
        answer = await exchange(port, ASK_HEAD + trailer + chunks)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"from-the-trailer" not in answer


async def test_a_length_that_lies(make_settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too short: the rest is no second request of anybody's. Too long: 408, without waiting for ever."""
    monkeypatch.setattr(body, "BODY_SECONDS", 0.3)
    async with serving(make_settings()) as (_, port):
        short = await exchange(port, ASK_HEAD + b"Content-Length: 5\r\n\r\n" + QUESTION)
        started = time.perf_counter()
        status, headers, _ = parsed(await exchange(port, ASK_HEAD + b"Content-Length: 500\r\n\r\n" + QUESTION))
    assert b"HTTP/1.1 200" not in short
    assert (status, headers["connection"]) == (408, "close")
    assert time.perf_counter() - started < 3


DRIPS = {
    "a head": (b"GET / HTTP/1.1\r\nX-A: ", b"a", 408),
    "empty lines": (b"", b"\r\n", 408),
    "a body": (ASK_HEAD + b"Content-Length: 5000\r\n\r\n", b" ", 408),
    "a body in chunks": (ASK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 408),
    "a body that nobody reads": (b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n", b" ", 404),
}


async def drip(port: int, start: bytes, more: bytes) -> bytes:
    """What comes back until the end, for somebody who sends a little ten times a second and never stops by himself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    came = bytearray()

    async def listen() -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(4096):
                came.extend(piece)

    listening = asyncio.ensure_future(listen())
    writer.write(start)
    while not listening.done():
        writer.write(more)
        await asyncio.sleep(0.1)
    writer.close()
    return bytes(came)


@pytest.mark.parametrize("kind", DRIPS)
async def test_who_sends_a_little_at_a_time_is_let_go(
    make_settings: Make, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Whatever part is dripped, and again on a connection that was good before; nothing keeps it open."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(body, "BODY_SECONDS", 0.5)
    start, more, status = DRIPS[kind]
    async with serving(make_settings()) as (_, port):
        answer = await asyncio.wait_for(drip(port, start, more), 5)
        again = await asyncio.wait_for(drip(port, b"GET /liveness HTTP/1.1\r\nHost: x\r\n\r\n" + start, more), 5)
    assert parsed(answer)[0] == status
    assert again.startswith(b"HTTP/1.1 200")


def test_how_long_anybody_is_waited_for() -> None:
    """The promised seconds."""
    assert (protocol.HEAD_SECONDS, body.BODY_SECONDS, protocol.READ_SECONDS) == (15, 30, 60)


async def test_who_says_nothing_is_let_go(make_settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without a byte ends without one; one that is quiet between requests is kept longer."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    async with serving(make_settings()) as (_, port):
        silent = await exchange(port, b"")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"GET /liveness HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" in await asyncio.wait_for(reader.readuntil(b"alive"), 3)
            await asyncio.sleep(0.5)
        writer.close()
    assert silent == b""


async def test_two_hundred_slow_ones_do_not_slow_the_others(make_settings: Make) -> None:
    """While 200 connections send a byte at a time, a question is answered as fast as ever."""
    async with serving(make_settings(rate_limit_per_minute=9999, rate_limit_per_hour=9999)) as (_, port):
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            taken = []
            for turn in range(10):
                for number, (_, writer) in enumerate(slow):
                    head = (b"GET / HTTP/1.1", ASK_HEAD + b"Content-Length: 5000\r\n\r\n")[number % 2]
                    writer.write(b" " if turn else head)
                started = time.perf_counter()
                answer = await http.post("/api/ask", content=QUESTION, headers={"Content-Type": "application/json"})
                taken.append(time.perf_counter() - started)
                assert answer.status_code == 200
        for _, writer in slow:
            writer.transport.abort()
    assert sorted(taken)[5] < 0.2


async def test_who_does_not_read_is_let_go(make_settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that nobody takes are neither gathered in memory nor kept for ever, and others are served meanwhile."""
    monkeypatch.setattr(protocol, "READ_SECONDS", 0.5)
    async with serving(make_settings()) as (app, port):
        held: list[int] = []

        async def endless(_request: Request) -> StreamingResponse:
            return StreamingResponse(pieces())

        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    held.append(1)
                    yield b"x" * 65536
                    await asyncio.sleep(0)
            finally:
                ended.set()

        ended = asyncio.Event()
        app.router.add_route("/endless", endless)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(0.3)
            gathered = len(held)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                assert (await http.get("/liveness")).status_code == 200
            await asyncio.wait_for(ended.wait(), 3)
    assert gathered * 65536 < 16 * 2**20
    assert len(held) <= gathered + 2


async def test_a_handler_may_take_more(make_settings: Make) -> None:
    """The hook for files: a larger limit for one route alone, and a megabyte more than it allows is refused."""

    @body.accepts_body(2 * 2**20)
    async def upload(request: Request) -> JSONResponse:
        return JSONResponse({"size": len(await request.body())})

    app = create_app(make_settings())
    app.router.add_route("/upload", upload, methods=["POST"])
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://endy.test") as http,
    ):
        taken = await http.post("/upload", content=b"x" * 2**21)
        refused = await http.post("/upload", content=b"x" * (2**21 + 1))
    assert taken.json() == {"size": 2**21}
    assert refused.status_code == 413


async def test_security_txt_says_whom_to_tell(client: Client) -> None:
    """RFC 9116: contact, an end within a year, languages and the place; without a contact there is none."""
    async with client() as http:
        assert (await http.get(SECURITY_TXT)).status_code == 404
    async with client(security_contact="mailto:security@encar.example", **NAMED) as http:
        answer = await http.get(SECURITY_TXT, headers={"Host": "endy.encar.example"})
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert fields["Contact"] == "mailto:security@encar.example"
    assert fields["Preferred-Languages"] == "ko, en"
    assert fields["Canonical"] == f"https://endy.encar.example{SECURITY_TXT}"
    left = datetime.fromisoformat(fields["Expires"]) - datetime.now(UTC)
    assert timedelta(days=364) < left <= timedelta(days=365)


@pytest.mark.parametrize("contact", ["security@encar.example", "javascript:alert(1)", "mailto:a@b.example\nHack: yes"])
def test_a_contact_is_an_address(contact: str) -> None:
    """What nobody could use stops the start with one line."""
    with pytest.raises(Exception, match="SECURITY_CONTACT"):
        load_settings(_env_file=None, security_contact=contact)
