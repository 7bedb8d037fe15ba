"""Find the checkable facts of a text."""

import re
from functools import lru_cache

from endy.ask.guard.addresses import find_addresses, find_codes, find_menus, find_phones, find_versions
from endy.ask.guard.dates import find_dates, find_times, find_weekdays
from endy.ask.guard.models import Fact
from endy.ask.guard.quantities import find_bare_numbers, find_quantities, joined
from endy.ask.guard.reading import read
from endy.ask.guard.scanning import Scan


def facts(text: str) -> list[Fact]:
    """Every number, date, time, amount, address, menu path and period, in the order of the text."""
    return list(_facts(text, passage=False))


def passage_facts(text: str) -> tuple[Fact, ...]:
    """The same of a passage, which may say more by less: `수` in a table, `(단위: 만 원)` in a heading."""
    return _facts(text, passage=True)


@lru_cache(maxsize=512)
def _facts(text: str, *, passage: bool) -> tuple[Fact, ...]:
    scan = Scan(read(text))
    find_addresses(scan)
    find_menus(scan)
    find_phones(scan)
    find_versions(scan)
    find_dates(scan)
    find_times(scan)
    find_weekdays(scan, cells=passage)
    find_quantities(scan)
    find_codes(scan)
    find_bare_numbers(scan)
    _find_periods(scan)
    return tuple(joined(sorted(scan.found, key=lambda fact: (fact.start, fact.end))))


_PERIOD = re.compile(
    r"(?<![가-힣])(?P<year>매년|해마다|연간|매해)|(?P<month>매월|매달|달마다|월마다)|(?P<week>매주"
    r"|주마다)|(?<![가-힣])(?P<day>매일|날마다|하루에|하루(?= ?최대| ?[0-9]))"
    r"|(?P<quarter>매 ?분기|분기마다|분기별)|(?P<half>매 ?반기|반기마다)"
    r"|(?<![A-Za-z])(?:(?P<year2>annually|yearly|every year|each year)|(?P<month2>monthly|every month"
    r"|each month)|(?P<week2>weekly|every week|each week)|(?P<day2>daily|every day|each day)"
    r"|(?P<quarter2>quarterly|every quarter))(?![A-Za-z])"
)


def _find_periods(scan: Scan) -> None:
    for match in _PERIOD.finditer(scan.text):
        scan.add("period", (match.lastgroup or "").rstrip("2"), *match.span())
