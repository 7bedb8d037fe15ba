"""Fractions, floors, articles, quarters and other numbers that say which one."""

import re
from decimal import Decimal

from endy.ask.guard.dates import bound_at
from endy.ask.guard.numerals import SINO, WITH_DIGITS, plain, value
from endy.ask.guard.scanning import Scan

_FRACTION = re.compile(
    r"(?P<b>[0-9]+|[이삼사오육칠팔구십]) ?분의 ?(?P<a>[0-9]+|[일이삼사오육칠팔구])"
    r"|(?P<en>a(?= (?:third|quarter|fifth) of)|one"
    r"|two)[ \-](?P<part>third|quarter|fifth)s?"
    r"|(?<![0-9/])(?P<x>[0-9]{1,3})/(?P<y>[0-9]{1,3})(?![0-9/])"
)
_ORDINAL = re.compile(
    rf"(?<![가-힣])제 ?(?P<n>{WITH_DIGITS}|(?![공영]){SINO}) ?(?P<unit>조|항|호|장|차|회|절|단계|학기|기|관|동|공장)"
    rf"|지하 ?(?P<b>[0-9]+|[일이삼사오]) ?층|(?<![A-Za-z])B(?P<b2>[0-9]{{1,2}})(?:층|F)?(?![A-Za-z0-9])"
    rf"|(?<![A-Za-z0-9])(?P<f>[0-9]{{1,2}})F(?![A-Za-z0-9])"
    r"|(?<![0-9A-Za-z])(?P<en>[0-9]+)(?:st|nd|rd|th)(?:[ \-](?P<of>floor|quarter|time|grade|round"
    r"|week))?(?![A-Za-z])|(?<![A-Za-z])Q(?P<q>[1-4])(?![0-9A-Za-z])"
    r"|(?:floor|step|article|room|gate|rank|level|section|line|grade) (?P<en2>[0-9]{1,4})(?![0-9])",
    re.IGNORECASE,
)
_KOREAN = {"조": "article", "항": "clause", "호": "room", "차": "round", "단계": "step", "학기": "term"}
_ENGLISH = {"floor", "quarter", "round", "grade", "article", "room", "step"}


def find_fractions(scan: Scan) -> None:
    """3분의 1, 1/3, one third."""
    for match in scan.each(_FRACTION):
        top = value(match["a"] or (match["en"] or "").replace("a", "one") or match["x"])
        part = {"third": "3", "quarter": "4", "fifth": "5"}.get(match["part"] or "")
        bottom = value(match["b"] or part or match["y"])
        scan.add("number", f"{top}/{bottom}", *match.span())


def find_ordinals(scan: Scan) -> None:
    """제3조, 지하 2층, B2, 9F, 9th floor, Q3."""
    for match in scan.each(_ORDINAL):
        scan.add("ordinal", _ordinal(match), *match.span(), bound=bound_at(scan.text, match.end()))


def _ordinal(match: re.Match[str]) -> str:
    if match["n"]:
        return f"{_number(match['n'])} {_KOREAN.get(match['unit'], 'th')}"
    if match["b"] or match["b2"]:
        return f"-{_number(match['b'] or match['b2'])} floor"
    if match["f"] or match["q"]:
        return f"{match['f']} floor" if match["f"] else f"{match['q']} quarter"
    word = (match["of"] or match.group().split()[0]).lower()
    return f"{match['en'] or match['en2']} {word if word in _ENGLISH else 'th'}"


def _number(written: str) -> str:
    return plain(value(written) or Decimal(0))
