"""Words that are numbers by themselves: 사흘, 절반, 전날, twice."""

import re
from decimal import Decimal

from endy.ask.guard.measures import add_measure
from endy.ask.guard.numerals import DAYS
from endy.ask.guard.scanning import Scan
from endy.ask.guard.units import unit_of

_DAY_WORD = re.compile(
    rf"(?<![가-힣])(?P<n>{'|'.join(sorted(DAYS, key=len, reverse=True))})(?!빨리|하루|살이|달|아침"
    rf"|만큼)(?P<half> ?반(?![가-힣]))?"
)
_WORDS = re.compile(
    r"(?P<halfpart>(?<![가-힣])(?:절반|반값)|(?<![A-Za-z])(?:half)(?! (?:an? )?(?:day|hour|year"
    r"|past))(?![A-Za-z\-]))|(?P<whole>(?<![가-힣])전액|in full(?![a-z])|full amount)"
    r"|(?P<halfyear>반년|half a year)"
    r"|(?P<once>(?<![A-Za-z])once(?= (?:a|per|every|each|in)(?![a-z])))"
    r"|(?P<twice>(?<![A-Za-z])twice(?![A-Za-z]))|(?P<double>두 ?배|(?<![A-Za-z])double the)"
    r"|(?<![A-Za-z])(?:within|in|after|for|up to|at least|than|before|every|next|lasts?"
    r"|about) an? (?P<an>day|week|month|year|hour|minute)(?![A-Za-z])"
    r"|(?P<halfhour>half an hour|반 ?시간)|(?P<first>첫 ?번째|첫째(?! ?,)|(?<![A-Za-z])first (?=time"
    r"|year|month|week|day))"
    r"|(?P<second>둘째(?! ?,))|(?P<third>셋째(?! ?,))|(?P<fourth>넷째(?! ?,))|(?P<halves>상반기"
    r"|하반기)|(?P<eve>(?<![가-힣])전날|(?<![가-힣])전일(?=[ 까에])|하루전|(?<![A-Za-z])(?:(?:the|one|a) day before"
    r"|previous day))"
)
_EVERY_DAY = re.compile(
    r"(?:에|당|마다)(?![가-힣])|,? ?(?:총|최대|최소|평균|약|기준|한도)? ?(?=[0-9])| (?:종일|중|일과"
    r"|최대|한도|평균|두|세|네|다섯|여섯|일곱|여덟)"
)
_WORTH = {
    "halfpart": ("50", "%"), "whole": ("100", "%"), "halfyear": ("6", "개월"), "halfhour": ("30", "분"),
    "once": ("1", "회"), "twice": ("2", "회"), "double": ("2", "배"), "first": ("1", "번째"), "second": ("2", "번째"),
    "third": ("3", "번째"), "fourth": ("4", "번째"),
}  # fmt: skip


def find_words(scan: Scan) -> None:
    """Days and shares; 하루 8시간 is a rate and no day."""
    for match in scan.each(_DAY_WORD):
        if match["n"] == "하루" and _EVERY_DAY.match(scan.text, match.end()) and not match["half"]:
            scan.keep(match)
            continue
        add_measure(scan, Decimal(DAYS[match["n"]]), unit_of("일"), match.span(), match["half"])
    for match in scan.each(_WORDS):
        _word(scan, match)


def _word(scan: Scan, match: re.Match[str]) -> None:
    name = match.lastgroup or ""
    if name in _WORTH:
        number, unit = _WORTH[name]
        add_measure(scan, Decimal(number), unit_of(unit), match.span())
    elif name == "an":
        add_measure(scan, Decimal(1), unit_of(match["an"]), match.span("an"))
    elif name == "eve":
        scan.add("duration", "1 day", *match.span(), bound="before")
    elif name == "halves":
        scan.add("ordinal", ("1" if match.group() == "상반기" else "2") + " half", *match.span())
