"""Tables that a person would call broken: rows of another width, no rows, cut off at the end of the file."""

import re
from collections.abc import Iterator, Sequence

from markdown_it.token import Token

from endy.knowledge.problems import Problem

_PIPE = re.compile(r"(?<!\\)\|")
_CUT_OFF = "파일이 표 중간에서 끊긴 것 같아요. 마지막 줄을 확인해 주세요."


def table_problems(name: str, lines: Sequence[str], tokens: Sequence[Token]) -> Iterator[Problem]:
    """Everything wrong with the tables among the document's top-level blocks."""
    last = max((number for number, line in enumerate(lines) if line.strip()), default=-1)
    for token in tokens:
        if token.level or token.map is None:
            continue
        start, end = token.map
        if token.type == "table_open":
            yield from _of_table(name, lines, range(start, end), last)
        elif token.type == "paragraph_open" and lines[start].lstrip().startswith("|"):
            yield from _of_failed_table(name, range(start, end), last)


def _of_table(name: str, lines: Sequence[str], rows: range, last: int) -> Iterator[Problem]:
    head, body = rows[0], rows[2:]
    width = len(_cells(lines[head]))
    ends_file = rows[-1] == last
    if not body:
        message = _CUT_OFF if ends_file else "표에 내용 줄이 없어요. 줄을 채우거나 표를 지워 주세요."
        yield Problem(name, message, head + 1, "error" if ends_file else "warning")
    for row in body:
        found = len(_cells(lines[row]))
        closed = _closed(lines[row]) or not _closed(lines[head])
        if row == last and (found < width or not closed):
            yield Problem(name, _CUT_OFF, row + 1, "error")
        elif found != width:
            message = (
                f"표의 칸 수가 달라요(머리글 {width}칸, 이 줄 {found}칸). 칸을 맞추거나 표 뒤에 빈 줄을 넣어 주세요."
            )
            yield Problem(name, message, row + 1)


def _of_failed_table(name: str, rows: range, last: int) -> Iterator[Problem]:
    if rows[-1] == last:
        yield Problem(name, _CUT_OFF, rows[0] + 1, "error")
    else:
        message = "표로 읽히지 않아요. 머리글 다음 줄에 같은 칸 수의 `|---|---|`를 넣어 주세요."
        yield Problem(name, message, rows[0] + 1)


def _cells(line: str) -> list[str]:
    line = line.strip()
    if _closed(line):
        line = line[:-1]
    return _PIPE.split(line.removeprefix("|"))


def _closed(line: str) -> bool:
    line = line.rstrip()
    return line.endswith("|") and not line.endswith("\\|")
