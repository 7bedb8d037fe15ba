"""What may stand behind a number, and which words mean the same unit."""

import re
from decimal import Decimal
from typing import NamedTuple

from endy.ask.guard.models import Kind


class Unit(NamedTuple):
    """`number × factor` of `name`; 2주 is 14 `day`, 1년 is 12 `month`, 1분 is 60 `second`."""

    kind: Kind
    name: str
    factor: Decimal = Decimal(1)


_KOREAN: dict[str, tuple[Kind, str, str]] = {
    "원": ("amount", "KRW", "1"), "달러|불": ("amount", "USD", "1"), "유로": ("amount", "EUR", "1"),
    "엔": ("amount", "JPY", "1"), "위안": ("amount", "CNY", "1"), "파운드": ("amount", "GBP", "1"),
    "퍼센트포인트|%p": ("percent", "point", "1"), "퍼센트|프로|%": ("percent", "%", "1"), "할": ("percent", "%", "10"),
    "초간|초": ("duration", "second", "1"), "분간|분": ("duration", "second", "60"),
    "시간": ("duration", "second", "3600"),
    "영업일|근무일|워킹데이|평일": ("duration", "workday", "1"), "일간|일": ("duration", "day", "1"),
    "돈": ("count", "don", "1"),
    "주일간|주일|주간|주": ("duration", "day", "7"), "개월간|개월|달간|달": ("duration", "month", "1"),
    "년간|년|해": ("duration", "month", "12"), "개 분기|개분기": ("duration", "month", "3"),
    "박": ("count", "night", "1"), "인분": ("count", "serving", "1"), "명|인|사람": ("count", "person", "1"),
    "번째|째": ("ordinal", "th", "1"), "회차|회째": ("ordinal", "th", "1"), "회|번|차례": ("count", "times", "1"),
    "개소|곳|군데|가지|개|종류|종": ("count", "thing", "1"), "배": ("count", "fold", "1"),
    "세|살": ("count", "age", "1"), "층": ("ordinal", "floor", "1"), "분기": ("ordinal", "quarter", "1"),
    "등급": ("ordinal", "grade", "1"), "단계": ("ordinal", "step", "1"), "차": ("ordinal", "round", "1"),
    "호선": ("ordinal", "line", "1"), "호실|호": ("ordinal", "room", "1"), "조": ("ordinal", "article", "1"),
    "항": ("ordinal", "clause", "1"), "장|매": ("count", "sheet", "1"), "쪽|페이지": ("count", "page", "1"),
    "건": ("count", "case", "1"), "대": ("count", "vehicle", "1"), "권|부": ("count", "copy", "1"),
    "점|포인트": ("count", "point", "1"), "글자|자리|자": ("count", "letter", "1"),
    "기가바이트|기가": ("count", "gb", "1"),
    "메가바이트|메가": ("count", "mb", "1"), "킬로미터|킬로": ("count", "m", "1000"), "미터": ("count", "m", "1"),
    "센티미터|센티": ("count", "m", "0.01"), "킬로그램": ("count", "kg", "1"), "평": ("count", "pyeong", "1"),
    "도": ("count", "degree", "1"), "학점": ("count", "credit", "1"), "학기": ("ordinal", "term", "1"),
    "학년": ("ordinal", "year", "1"), "마일": ("count", "mile", "1"), "잔": ("count", "cup", "1"),
    "끼": ("count", "meal", "1"),
    "칸": ("count", "space", "1"), "줄": ("count", "row", "1"), "통": ("count", "letter-mail", "1"),
    "팀": ("count", "team", "1"),
    "좌석|석": ("count", "seat", "1"), "과목": ("count", "subject", "1"), "병": ("count", "bottle", "1"),
    "위|등": ("ordinal", "rank", "1"),
}  # fmt: skip
_LATIN: dict[str, tuple[Kind, str, str]] = {
    "KRW|won": ("amount", "KRW", "1"), "USD|dollars?|bucks": ("amount", "USD", "1"),
    "EUR|euros?": ("amount", "EUR", "1"),
    "JPY|yen": ("amount", "JPY", "1"), "percentage points?": ("percent", "point", "1"),
    "per ?cent|percent|pct": ("percent", "%", "1"),
    "seconds?|secs?": ("duration", "second", "1"), "minutes?|mins?": ("duration", "second", "60"),
    "hours?|hrs?": ("duration", "second", "3600"),
    "(?:business|working|work) ?-?days?|workdays?|weekdays?": ("duration", "workday", "1"),
    "(?:calendar |consecutive )?days?": ("duration", "day", "1"), "weeks?": ("duration", "day", "7"),
    "months?": ("duration", "month", "1"), "years? old|years? of age": ("count", "age", "1"),
    "years?": ("duration", "month", "12"), "nights?": ("count", "night", "1"),
    "people|persons?|employees|members|guests?|staff": ("count", "person", "1"), "times": ("count", "times", "1"),
    "places|locations|sites": ("count", "thing", "1"), "points?|pts": ("count", "point", "1"),
    "pages?": ("count", "page", "1"),
    "sheets?": ("count", "sheet", "1"), "GB|gigabytes?": ("count", "gb", "1"), "MB|megabytes?": ("count", "mb", "1"),
    "TB": ("count", "tb", "1"), "KB": ("count", "kb", "1"), "km|kilomet(?:er|re)s?": ("count", "m", "1000"),
    "cm": ("count", "m", "0.01"), "mm": ("count", "m", "0.001"), "m2": ("count", "m2", "1"),
    "m|met(?:er|re)s?": ("count", "m", "1"),
    "kg": ("count", "kg", "1"), "characters|letters|digits": ("count", "letter", "1"), "kWh": ("count", "kwh", "1"),
    "kW": ("count", "kw", "1"), "Mbps": ("count", "mbps", "1"), "Gbps": ("count", "gbps", "1"),
}  # fmt: skip
_SIGN = {
    "₩": "KRW",
    "$": "USD",
    "€": "EUR",
    "¥": "JPY",
    "£": "GBP",
    "KRW": "KRW",
    "USD": "USD",
    "EUR": "EUR",
    "JPY": "JPY",
}


def _longest_first(table: dict[str, tuple[Kind, str, str]]) -> list[str]:
    return sorted((word for words in table for word in _split(words)), key=len, reverse=True)


def _split(words: str) -> list[str]:
    return re.split(r"\|(?![^(]*\))", words)


KOREAN = f"(?:{'|'.join(_longest_first(_KOREAN))})"
LATIN = rf"(?:(?:{'|'.join(_longest_first(_LATIN))})(?![A-Za-z0-9]))"
SIGN = r"(?:[₩$€¥£]|(?<![A-Za-z])(?:KRW|USD|EUR|JPY))"

_FIXED = {
    word: Unit(kind, name, Decimal(factor)) for words, (kind, name, factor) in _KOREAN.items() for word in _split(words)
}
_PATTERNS = [
    (re.compile(words, re.IGNORECASE if len(words) > 3 else 0), Unit(kind, name, Decimal(factor)))
    for words, (kind, name, factor) in _LATIN.items()
]


def unit_of(written: str) -> Unit | None:
    """The unit that a word or sign means."""
    word = written.strip()
    if word in _FIXED:
        return _FIXED[word]
    if word in _SIGN:
        return Unit("amount", _SIGN[word])
    return next((found for pattern, found in _PATTERNS if pattern.fullmatch(word)), None)
