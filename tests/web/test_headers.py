"""What every response carries and what no request may bring: headers, ids, error bodies, sizes and strange input."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from endy.errors import EndyError, ServiceUnavailable
from endy.settings import Settings
from endy.web.body import MAX_BODY
from tests.web.conftest import Client, sign_in
from tests.web.serving import exchange, serving

ASK = "/api/ask"
JSON = {"Content-Type": "application/json"}
POSTS = ("/api/ask", "/api/ask/stream", "/api/login", "/api/feedback", "/api/feedback/detailed")
SECURITY = {
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "x-permitted-cross-domain-policies",
    "cross-origin-resource-policy",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-opener-policy",
    "cache-control",
    "x-request-id",
}


STRANGE = {
    "nothing": b"",
    "half": b'{"question": "',
    "deep": b'{"question": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "deep objects": b'{"question":' * 10_000 + b"1" + b"}" * 10_000,
    "not UTF-8": b'{"question": "\xff\xfe", "name": "\xff", "employee_id": "\xff", "question_id": "\xff"}',
    "UTF-16": '{"question": "주차"}'.encode("utf-16"),
    "list": b"[]",
    "null": b"null",
    "NaN": b'{"question": NaN}',
    "number": b'{"question": 5, "employee_id": 5, "question_id": 5}',
    "huge number": b'{"question": ' + b"9" * 5000 + b"}",
    "lone surrogate": b'{"question":"\\ud800","employee_id":"\\ud800","name":"x","question_id":"\\ud800",'
    b'"is_helpful":true,"reasons":["\\udfff"]}',
    "twice": b'{"question":"x","question":"y","employee_id":"1","employee_id":"2","name":"x","question_id":"q",'
    b'"is_helpful":true,"is_helpful":false,"reasons":["other"]}',
    "infinite": b'{"question": "x", "extra": 1e999}',
    "beyond 64 bits": b'{"question": "x", "extra": 9223372036854775808}',
    "33 deep": b'{"question": "x", "extra": ' + b"[" * 32 + b"]" * 32 + b"}",
    "surrogate in a name": b'{"question": "x", "\\ud800": 1}',
    "NUL in a name": b'{"question": "x", "\\u0000": 1}',
    "NUL deep inside": b'{"question": "x", "extra": [{"a": ["\\\\\\u0000"]}]}',
    "raw NUL": b'{"question": "\x00"}',
    "NUL only": b'{"question": "\\u0000\\u0000"}',
}
QUESTIONS = {
    200: [
        "가" * 500,
        "\U0001f600" * 500,
        " \n\t" + "가" * 500 + "\u3000 ",
        "각" * 166,
        "주차\x07장",
        "주차\r\n어디",
        "?",
    ],
    422: [
        "가" * 501,
        "\U0001f600" * 501,
        "   ",
        "\t\r\n",
        "\u3000\u00a0\u2003",
        "\u200b\u200c\u200d\ufeff",
        "\u3164\u115f\uffa0\u2800",
        "\x01\x02",
        "주차\x00장",
    ],
}
ADDRESSES = [
    "/static/%00",
    "/static/" + "a" * 5000,
    "/static/%ED%A0%80",
    "/static/..%2f..%2fapp.py",
    "/static//etc/passwd",
    "/api/category/%00/questions",
    "/api/category/%FF%FE/questions",
    "/api/category/" + "a" * 5000 + "/questions",
    "/api/sections?id=%00",
    "/api/sections?id=%ED%A0%80",
    "/%00",
    "/%2e%2e/%2e%2e/etc/passwd",
]


@pytest.fixture
async def many(client: Client) -> AsyncIterator[httpx.AsyncClient]:
    async with client(rate_limit_per_minute=1000) as http:
        yield http


@contextmanager
def failing(http: httpx.AsyncClient, error: Exception) -> Iterator[None]:
    """The list of categories raises this error meanwhile."""
    catalog = http.app.state.services.catalog  # type: ignore[attr-defined]

    def fail(_: object) -> None:
        raise error

    catalog.categories = fail
    yield
    del catalog.categories


async def one_of_each(http: httpx.AsyncClient) -> dict[int | str, httpx.Response]:
    """A response of every kind that there is."""
    user = await sign_in(http, "2024003", "박민수")
    found: dict[int | str, httpx.Response] = {
        200: await http.post(ASK, json={"question": "주차"}),
        "page": await http.get("/"),
        "static": await http.get("/static/css/base.css"),
        "stream": await http.post("/api/ask/stream", json={"question": "주차"}),
        "metrics": await http.get("/metrics"),
        "preflight": await http.options(
            ASK, headers={"Origin": "https://on.encar.example", "Access-Control-Request-Method": "POST"}
        ),
        307: await http.get("/api/ask/"),
        "head": await http.head("/"),
        400: await http.get("/", headers=[("Host", "endy.test"), ("Host", "other.test")]),
        401: await http.get("/api/me"),
        403: await http.get("/api/feedback/stats", headers=user),
        404: await http.get("/nowhere"),
        405: await http.delete(ASK),
        413: await http.post("/api/login", content=b" " * (MAX_BODY + 1), headers=JSON),
        415: await http.post("/api/login", content="x", headers={"Content-Type": "text/plain"}),
        422: await http.post("/api/login", content="{", headers=JSON),
    }
    found["304"] = await http.get("/static/css/base.css", headers={"If-None-Match": found["static"].headers["etag"]})
    with failing(http, RuntimeError("/srv/secret.py")):
        found[500] = await http.get("/api/categories")
    with failing(http, ServiceUnavailable(details={"retry_after": 5})):
        found[503] = await http.get("/api/categories")
    while found.setdefault(429, await http.post(ASK, json={"question": "주차"})).status_code != 429:
        del found[429]
    return found


async def test_every_kind_of_response_has_the_headers(client: Client) -> None:
    """Answers, pages, files, streams, redirects and errors of every status; production adds HSTS."""
    async with client(allowed_origins="https://on.encar.example") as http:
        responses = await one_of_each(http)
    for kind, response in responses.items():
        assert kind in (str(response.status_code), response.status_code) or response.status_code == 200, kind
        assert not SECURITY - set(response.headers), kind
        assert "strict-transport-security" not in response.headers, kind
        assert "server" not in response.headers, kind
    production = {"environment": "production", "secret_key": "k" * 40}
    async with client(**production) as http:
        for path in ("/", "/nowhere", "/static/css/base.css", "/liveness"):
            assert "max-age=31536000" in (await http.get(path)).headers["strict-transport-security"]


async def test_only_files_and_the_page_may_be_kept(client: Client) -> None:
    """Answers, people's data and errors are stored by no cache; whatever may be kept says so itself."""
    async with client() as http:
        responses = await one_of_each(http)
    kept = {kind for kind, response in responses.items() if response.headers["cache-control"] != "no-store"}
    assert kept == {"page", "head", "static", "304"}


async def test_every_error_has_the_one_format(client: Client) -> None:
    """Code, Korean sentence and details, for every status; faults of ours name the request in the body, too."""
    codes = {
        400: "validation_error",
        401: "authentication_required",
        403: "insufficient_permissions",
        404: "not_found",
        405: "not_found",
        413: "payload_too_large",
        415: "unsupported_media_type",
        422: "validation_error",
        429: "rate_limit_exceeded",
        500: "internal_error",
        503: "service_unavailable",
    }
    async with client() as http:
        responses = await one_of_each(http)
    for status, code in codes.items():
        body = responses[status].json()
        assert set(body) == {"error", "message", "details"}, status
        assert body["error"] == code
        assert re.search(r"[가-힣]", body["message"]), status
        assert responses[status].headers["content-type"] == "application/json"
    for status in (500, 503):
        assert responses[status].json()["details"]["request_id"] == responses[status].headers["x-request-id"]
    assert "secret" not in responses[500].text
    assert responses[503].headers["retry-after"] == "5"
    assert responses[401].headers["www-authenticate"] == "Bearer"
    assert "POST" in responses[405].headers["allow"]


def test_every_error_class_has_a_korean_sentence_and_its_status() -> None:
    """The codes of the contract, each with the status that it promises."""
    found = {kind.code: kind.status for kind in EndyError.__subclasses__()}
    assert found == {
        "validation_error": 422,
        "authentication_required": 401,
        "authentication_failed": 401,
        "insufficient_permissions": 403,
        "not_found": 404,
        "conflict": 409,
        "payload_too_large": 413,
        "unsupported_media_type": 415,
        "rate_limit_exceeded": 429,
        "service_unavailable": 503,
    }
    assert all(re.search(r"[가-힣]", kind.message) for kind in EndyError.__subclasses__())


async def test_a_well_formed_id_is_kept(many: httpx.AsyncClient) -> None:
    """The caller's id comes back, in the body of a fault as well."""
    for given in ("abcd-1234", "A.b_c-d.0", "a" * 64, "4bf92f3577b34da6a3ce929d0e0e4736"):
        good = await many.get("/liveness", headers={"X-Request-ID": given})
        with failing(many, RuntimeError()):
            bad = await many.get("/api/categories", headers={"X-Request-ID": given})
        assert good.headers.get_list("x-request-id") == [given]
        assert bad.json()["details"] == {"request_id": given}


async def test_an_ill_formed_id_is_replaced(many: httpx.AsyncClient) -> None:
    """Too short, too long, strange or somebody's number: a new one is made and nothing of it comes back."""
    for given in (
        "short",
        "a" * 65,
        "with space-1",
        "한글한글한글한글",
        "<b>alert(1)</b>",
        "a;b=c;d=e",
        "010-1234-5678",
    ):
        response = await many.get("/nowhere", headers=[(b"X-Request-ID", given.encode())])
        assert re.fullmatch(r"[a-z]{32}", response.headers["x-request-id"]), given


async def test_made_ids_differ_and_survive_masking(many: httpx.AsyncClient) -> None:
    """Ids are letters only: a run of digits would be masked in the log like somebody's number."""
    made = {(await many.get("/liveness")).headers["x-request-id"] for _ in range(200)}
    assert len(made) == 200
    assert all(name.isalpha() for name in made)


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1024):
        yield b" " * 1024


async def test_a_body_may_have_a_quarter_megabyte(many: httpx.AsyncClient) -> None:
    """With a length and without one: a byte more is refused with 413, at the limit it is read."""
    for path in POSTS:
        within = await many.post(path, content=b" " * MAX_BODY, headers=JSON)
        beyond = await many.post(path, content=b" " * (MAX_BODY + 1), headers=JSON)
        chunked = await many.post(path, content=chunks(MAX_BODY + 1024), headers=JSON)
        assert within.status_code == 422, path
        for refused in (beyond, chunked):
            assert (refused.status_code, refused.json()["error"]) == (413, "payload_too_large"), path


async def test_an_endless_body_is_not_read_on(make_settings: Callable[..., Settings]) -> None:
    """A real connection that goes on sending gets its 413 and is closed; the others are answered meanwhile."""
    async with serving(make_settings()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST {ASK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        sent = 0
        try:
            while sent < 64 * MAX_BODY and not reader.at_eof():
                writer.write(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
                await writer.drain()
                sent += 0x4000
        except ConnectionError:
            pass
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            answer = await http.post(ASK, json={"question": "주차"})
            metrics = (await http.get("/metrics")).text
        writer.close()
    assert sent < 64 * MAX_BODY
    assert answer.status_code == 200
    assert 'api_requests_total{endpoint="/api/ask",method="POST",status="413"} 1.0' in metrics


async def test_the_status_reaches_a_raw_connection(make_settings: Callable[..., Settings]) -> None:
    """The refusal of a large body with its length arrives whole, with the headers."""
    body = b" " * (MAX_BODY + 1)
    head = f"POST {ASK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    async with serving(make_settings()) as (_, port):
        answer = (await exchange(port, head.encode() + b"Connection: close\r\n\r\n" + body)).decode()
    assert answer.startswith("HTTP/1.1 413")
    assert '"payload_too_large"' in answer
    assert "content-security-policy: " in answer
    assert "\r\nserver:" not in answer.lower()


@pytest.mark.parametrize("path", POSTS)
async def test_strange_bodies_are_refused_alike_at_every_door(many: httpx.AsyncClient, path: str) -> None:
    """422 with our body, and none of what was sent comes back."""
    for kind, body in STRANGE.items():
        response = await many.post(path, content=body, headers=JSON)
        assert (response.status_code, response.json()["error"]) == (422, "validation_error"), kind
        assert len(response.content) < 2000, kind
        assert "999999" not in response.text
        assert "[[[[" not in response.text


async def test_other_formats_are_refused_alike_at_every_door(many: httpx.AsyncClient) -> None:
    """415: a form of another site cannot even be read, which is what keeps it from signing anybody in."""
    for path in POSTS:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", ""):
            response = await many.post(
                path, content=b'{"question": "x"}', headers={"Content-Type": kind} if kind else {}
            )
            assert (response.status_code, response.json()["error"]) == (415, "unsupported_media_type"), (path, kind)


async def test_five_hundred_characters_that_can_be_seen(many: httpx.AsyncClient) -> None:
    """Counted as characters, not bytes or UTF-16 units, after trimming; what cannot be seen is no question."""
    for status, questions in QUESTIONS.items():
        for question in questions:
            response = await many.post(ASK, json={"question": question})
            assert response.status_code == status, ascii(question[:20])


async def test_strange_addresses_are_not_found(many: httpx.AsyncClient) -> None:
    """404 in our format, never a fault."""
    for path in ADDRESSES:
        response = await many.get(path)
        assert (response.status_code, response.json()["error"]) == (404, "not_found"), path[:50]


async def test_invented_methods_do_not_fill_the_metrics(many: httpx.AsyncClient) -> None:
    """Names of methods come from callers: only the usual ones become labels."""
    for number in range(5):
        assert (await many.request(f"MADEUP{number}", ASK)).status_code == 405
    metrics = (await many.get("/metrics")).text
    assert "MADEUP" not in metrics
    assert 'method="OTHER"' in metrics


async def test_only_allowed_origins_may_read(client: Client) -> None:
    """A listed origin gets the CORS headers with errors, too; any other gets none and no wildcard."""
    async with client(allowed_origins="https://on.encar.example") as http:
        listed = await http.get("/api/me", headers={"Origin": "https://on.encar.example"})
        other = await http.get("/api/me", headers={"Origin": "https://on.encar.example.evil.test"})
    assert listed.headers["access-control-allow-origin"] == "https://on.encar.example"
    assert "access-control-allow-origin" not in other.headers
