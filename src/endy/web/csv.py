"""Tables as CSV downloads that Excel opens as they are and in which nothing that people wrote is a formula."""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from decimal import Decimal
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from endy.web.typed import readable

PIECE = 32 * 1024
"""Characters that are gathered before they are sent."""

# Excel in Korean and Japanese takes full-width signs for the beginning of a formula, too, and looks behind spaces.
_FORMULA = re.compile(r"""[\s"'\u200b\ufeff]*[=+\-@＝＋－＠]|[\t\r\n]""")
_BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel takes UTF-8 for the system's old code page."""


def csv_response(
    filename: str, header: Sequence[str], rows: AsyncIterator[Sequence[object]] | Iterable[Sequence[object]]
) -> StreamingResponse:
    """A download that is written while it is read; numbers stay numbers, and text never becomes a formula."""
    return StreamingResponse(
        _pieces(header, rows),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": content_disposition(filename)},
    )


def content_disposition(filename: str) -> str:
    """RFC 6266: the name for every browser, and an ASCII one for those that know no other."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(readable(filename), safe='')}"


async def _pieces(
    header: Sequence[str], rows: AsyncIterator[Sequence[object]] | Iterable[Sequence[object]]
) -> AsyncIterator[bytes]:
    text = io.StringIO(newline="")
    text.write(_BYTE_ORDER_MARK)
    writer = csv.writer(text)
    writer.writerow([cell(name) for name in header])
    async for row in _each(rows):
        writer.writerow([cell(value) for value in row])
        if text.tell() >= PIECE:
            yield _taken(text)
    yield _taken(text)


async def _each(
    rows: AsyncIterator[Sequence[object]] | Iterable[Sequence[object]],
) -> AsyncIterator[Sequence[object]]:
    if isinstance(rows, AsyncIterator):
        async for row in rows:
            yield row
    else:
        for row in rows:
            yield row


def _taken(text: io.StringIO) -> bytes:
    piece = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return piece


def cell(value: object) -> object:
    """What a cell may hold: numbers as they are, text that no spreadsheet takes for a formula."""
    if value is None or isinstance(value, (int, float, Decimal)):
        return value
    shown = readable(str(value))
    return f"'{shown}" if _FORMULA.match(shown) else shown
