"""Units that stand in a table's head, written behind the numbers below it."""

import re

_UNIT = re.compile(r"\((?:단위 ?: ?)?([가-힣A-Za-z% ]{1,8})\)")
_NAMED = {
    "일수": "일",
    "횟수": "회",
    "인원": "명",
    "개월 수": "개월",
    "비율": "%",
    "할인율": "%",
    "개월수": "개월",
    "인원수": "명",
    "시간 수": "시간",
}
_NUMBER = re.compile(r"(?:[0-9][0-9,.]*|[0-9]+ ?[~\-] ?[0-9]+)")


def cells(row: str) -> list[str]:
    """The cells of a Markdown row."""
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def with_units(row: str, head: list[str]) -> str:
    """The row with the units of its columns, for numbers that have none."""
    said = cells(row)
    if len(said) != len(head):
        return row
    pairs = zip(said, head, strict=True)
    return (
        "| "
        + " | ".join(cell + _unit_of(name) if _NUMBER.fullmatch(cell.strip("*")) else cell for cell, name in pairs)
        + " |"
    )


def _unit_of(name: str) -> str:
    match = _UNIT.search(name)
    return match[1].strip() if match else _NAMED.get(name.strip("* "), "")


def spell_out(passage: str) -> str:
    """A passage with the units of its tables behind their numbers."""
    if "|" not in passage:
        return passage
    head: list[str] = []
    lines = []
    for line in passage.split("\n"):
        if not line.lstrip().startswith("|"):
            head = []
        elif not head:
            head = cells(line)
        else:
            lines.append(with_units(line, head))
            continue
        lines.append(line)
    return "\n".join(lines)
