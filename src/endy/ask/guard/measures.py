"""One number with its unit becomes a fact: money, a share, a duration, a count."""

import re
from decimal import Decimal

from endy.ask.guard.dates import bound_at
from endy.ask.guard.numerals import plain
from endy.ask.guard.periods import period_at, stands_for_period
from endy.ask.guard.scanning import Scan
from endy.ask.guard.units import Unit

_WORKDAY_BEFORE = re.compile(r"(?:영업일|근무일|워킹 ?데이)(?: ?기준)?(?:으로)? ?$")
_WORKDAY_AFTER = re.compile(r" ?\((?:영업일|근무일|working|business)")
_PERIODS = {
    "1 day": "day", "7 day": "week", "1 month": "month", "3 month": "quarter", "6 month": "half", "12 month": "year",
}  # fmt: skip


def add_measure(
    scan: Scan, number: Decimal | None, unit: Unit | None, span: tuple[int, int], half: str | None = None
) -> None:
    """The fact with its side and period; `half` is the 반 behind it."""
    if number is None:
        return
    start, end = span
    kind, name, factor = unit or Unit("number", "", Decimal(1))
    said = f"{plain(number * factor + (factor / 2 if half else 0))} {name}".strip()
    if kind == "duration" and number == 1 and said in _PERIODS and not half and stands_for_period(scan.text, end):
        scan.add("period", _PERIODS[said], start, end)
        return
    if said == "1 person" and scan.text.startswith(("당", "마다"), end):
        return
    before = scan.text[max(0, start - 12) : start]
    if name == "day" and (_WORKDAY_BEFORE.search(before) or _WORKDAY_AFTER.match(scan.text, end)):
        said = said.replace("day", "workday")
    scan.add(kind, said, start, end, bound_at(scan.text, end, start), period_at(scan.text, start, end))
