"""Dates, times of day and weekdays, in Korean and English."""

import re

from endy.ask.guard.numerals import value
from endy.ask.guard.scanning import Scan

_SINO_MONTH = {
    "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "유": 6, "육": 6, "칠": 7, "팔": 8, "구": 9, "시": 10,
    "십": 10, "십일": 11, "십이": 12,
}  # fmt: skip
_SINO_DAY = r"(?:[이삼]?십[일이삼사오육칠팔구]?|[일이삼사오육칠팔구])"
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH_NAME = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DATE = re.compile(
    rf"(?<![0-9.])(?P<y>(?:19|20)[0-9]{{2}}) ?(?:년|[.\-/]) ?(?P<m>1[0-2]|0?[1-9]) ?(?:월"
    rf"|[.\-/]) ?(?P<d>3[01]|[12][0-9]|0?[1-9])(?![0-9]) ?(?:일|\.(?![0-9]))?"
    rf"|(?<![0-9.])'?(?P<y2>[0-9]{{2}}) ?년 ?(?P<m2>1[0-2]|0?[1-9]) ?월(?: ?(?P<d2>3[01]|[12][0-9]|0?[1-9]) ?일)?"
    rf"|(?<![0-9.])(?P<y3>(?:19|20)[0-9]{{2}}) ?(?:년|[.\-/]) ?(?P<m3>1[0-2]|0?[1-9])(?: ?월|(?![0-9.,]))"
    rf"|(?<![0-9])(?P<m0>1[0-2]|0?[1-9]) ?월 ?(?P<d0>3[01]|[12][0-9]|0?[1-9])(?= ?(?:[~,·\-]|부터"
    rf"|에서) ?(?:3[01]|[12][0-9]|0?[1-9]) ?일)"
    rf"|(?<![0-9])(?P<m4>1[0-2]|0?[1-9]) ?월 ?(?P<d4>3[01]|[12][0-9]|0?[1-9]) ?일"
    rf"|(?<![가-힣])(?P<m5>십[일이]|[일이삼사오유육칠팔구시십])월 ?(?P<d5>{_SINO_DAY}) ?일(?!부 )"
    rf"|(?<![A-Za-z])(?P<m6>{_MONTH_NAME}) (?P<d6>3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd"
    rf"|th)?(?![0-9:])(?:,? (?P<y6>20[0-9]{{2}}))?"
    rf"|(?<![0-9])(?P<d7>3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd"
    rf"|th)?(?: of)? (?P<m7>{_MONTH_NAME})(?![A-Za-z])(?:,? (?P<y7>20[0-9]{{2}}))?"
    rf"|(?<![0-9])(?P<m8>1[0-2]|0?[1-9])[/](?P<d8>3[01]|[12][0-9]|0?[1-9])(?![0-9/])"
    rf"|(?<![0-9.])(?P<y9>(?:19|20)[0-9]{{2}}) ?년(?!간|차|제|치)"
    rf"|(?<![0-9])(?P<m10>1[0-2]|0?[1-9]) ?월(?!간|세)"
    rf"|(?<![가-힣])(?P<m11>십[일이]|[삼사오칠팔구]|유|시)월(?=[ ,.]|[에은는이의을까부말초중~\-])"
    rf"|(?<![A-Za-z])(?P<m12>January|February|March(?! \w+ed)|April|June|July|August|September|October"
    rf"|November|December)(?![A-Za-z])"
    rf"|(?<=in )(?P<m13>May)(?![A-Za-z])"
)
_AND_DAY = re.compile(r"[가-힣() ]{0,6} ?(?:[~,·\-]|부터|에서|과|와|및) ?(?P<d>3[01]|[12][0-9]|0?[1-9]) ?일(?![0-9])")
_DAY = re.compile(
    r"(?:다음 ?달|이번 ?달|지난 ?달|그 ?달|그 다음 ?달|매월|매달|매 달|익월|익익월|당월|전월|해당 ?월"
    r"|월)(?:의)? ?(?P<d>3[01]|[12][0-9]|0?[1-9]) ?일(?!간|씩|이내|이상|이하|치|을? ?초과)"
    rf"|(?:다음 ?달|이번 ?달|매월|매달|매 달|익월|당월|전월) ?(?P<s>{_SINO_DAY}) ?일"
    r"|(?:on|by|until|before|after|from) the (?P<e>3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th)(?! (?:floor"
    r"|time|year|week|day|place|grade))"
)
_EDGE = re.compile(
    r"월말|말일|(?<=월) ?말(?=[ 에까일이,.])|월초|(?<=월) ?초(?=[ 에까이,.])|(?<=월) ?중순"
    r"|end of (?:the |each |every )?month"
)
_HALF_OF_DAY = "오전|오후|새벽|아침|점심|낮|저녁|밤|정오|자정|AM|PM|am|pm|a\\.m\\.|p\\.m\\."
_HOUR_NATIVE = "(?:열 ?한|열 ?두|한|두|세|네|다섯|여섯|일곱|여덟|아홉|열)"
_TIME = re.compile(
    rf"(?P<half>오전|오후|새벽|아침|점심|낮|저녁|밤|AM|PM)? ?(?:(?<![0-9:.])(?P<h>2[0-4]"
    rf"|[01]?[0-9]) ?시(?!간)|(?<![가-힣])(?P<n>{_HOUR_NATIVE}) ?시(?!간|도|작|기|대|각|스|설|행|청|험"
    rf"|점|즌|리|적|루|민|장|내)"
    rf"|(?<![가-힣])(?P<s>이십[일이삼사]?|십[삼사오육칠팔구]) ?시(?!간"
    rf"|오))(?: ?(?P<half2>반)(?![가-힣])| ?(?P<half3>반)(?=[에까부이을은는으])"
    rf"| ?(?P<mm>[0-5]?[0-9]) ?분(?!간| ?(?:이내|동안|안에))"
    rf"| ?(?P<mk>[이삼사오]?십[일이삼사오육칠팔구]?|[일이삼사오육칠팔구]) ?분(?!간| ?(?:이내|동안"
    rf"|안에)))?"
    rf"|(?P<half4>오전|오후|새벽|아침|저녁|밤|AM|PM)? ?(?<![0-9:])(?P<h2>2[0-4]"
    rf"|[01]?[0-9]):(?P<m2>[0-5][0-9])(?![0-9])(?: ?(?P<pm>[AaPp]\.?[Mm]\.?)(?![A-Za-z]))?"
    rf"|(?<![0-9:.])(?P<h3>1[0-2]|0?[1-9]) ?(?P<pm3>[AaPp]\.?[Mm]\.?)(?![A-Za-z])"
    rf"|(?<![0-9:.])(?P<h4>1[0-2]|0?[1-9]) ?(?:-|~|to) ?(?=(?:1[0-2]|0?[1-9]) ?(?P<pm4>[AaPp]\.?[Mm]\.?)(?![A-Za-z]))"
    rf"|(?<![0-9:.])(?P<h5>2[0-4]|[01]?[0-9])(?= ?(?:~|-|에서) ?(?:오후 ?)?(?:2[0-4]|[01]?[0-9]) ?시(?!간))"
    rf"|(?P<word>(?<![가-힣])(?:정오|자정)|(?<![A-Za-z])(?:noon|midnight)(?![A-Za-z]))|(?<![A-Za-z])(?P<he>twelve"
    rf"|eleven|ten|nine|eight|seven|six|five|four|three|two|one) (?P<pme>[AaPp]\.?[Mm]\.?"
    rf"|o'clock)(?![A-Za-z])",
)
_LATE = {"오후", "저녁", "밤", "pm", "낮", "점심"}
_DAY_NAMES = {"월": "mon", "화": "tue", "수": "wed", "목": "thu", "금": "fri", "토": "sat", "일": "sun"}
_ORDER = list(_DAY_NAMES.values())
_WEEKDAY = re.compile(
    r"(?P<from>[월화수목금토일])(?:요일)? ?(?:~|-|부터|에서) ?(?P<to>[월화수목금토일])요일"
    r"|(?<![가-힣])(?P<from2>[월화수목금토일]) ?(?:~|-) ?(?P<to2>[월화수목금토일])(?![가-힣])"
    r"|(?P<list>[월화수목금토일](?:[·,/][ ]?[월화수목금토일])+)(?:요일|(?![가-힣]))"
    r"|(?P<one>[월화수목금토일])요일|\((?P<paren>[월화수목금토일])\)"
    r"|(?<![가-힣])(?P<word>평일|주말)|(?<![A-Za-z])(?P<en>Mon|Tues|Wednes|Thurs|Fri|Satur"
    r"|Sun)days?(?![A-Za-z])|(?<![A-Za-z])(?P<enw>weekdays?|weekends?)(?![A-Za-z])"
)
_CELL_DAY = re.compile(r"(?<=[|:,]) ?(?P<one>[월화수목금토일]) ?(?=[|,\n])")


def find_dates(scan: Scan) -> None:
    """Dates as ISO 8601 and its shortened forms: 2026-03-02, --03-02, ---25, 2026-03, --03, 2026."""
    days: list[tuple[int, int, str]] = []
    for match in scan.each(_DATE):
        year, month, day = _parts(match)
        scan.add("date", _iso(year, month, day), *match.span(), bound=bound_at(scan.text, match.end()))
        after = _AND_DAY.match(scan.left, match.end()) if day else None
        if after:
            days.append((after.start("d"), after.end(), _iso(None, month, int(after["d"]))))
    for start, end, iso in days:
        scan.add("date", iso, start, end, bound=bound_at(scan.text, end))
        scan.left = scan.left[:start] + "\x00" * (end - start) + scan.left[end:]
    for match in scan.each(_DAY):
        number = match["d"] or match["e"] or match["s"]
        scan.add("date", f"---{int(value(number) or 0):02}", *match.span(), bound=bound_at(scan.text, match.end()))
    for match in _EDGE.finditer(scan.text):
        word = match.group()
        scan.add("date", "---start" if "초" in word else "---mid" if "중순" in word else "---end", *match.span())


def _parts(match: re.Match[str]) -> tuple[int | None, int | None, int | None]:
    named = {key[0] + key[1:]: text for key, text in match.groupdict().items() if text}
    year = next((text for key, text in named.items() if key[0] == "y"), None)
    month = next((text for key, text in named.items() if key[0] == "m"), None)
    day = next((text for key, text in named.items() if key[0] == "d"), None)
    full_year = None if year is None else int(year) if len(year) == 4 else 2000 + int(year)
    return full_year, _month(month), None if day is None else int(value(day) or 0)


def _month(written: str | None) -> int | None:
    if written is None:
        return None
    if written.isdigit():
        return int(written)
    return _SINO_MONTH.get(written) or _MONTHS.index(written[:3].lower()) + 1


def _iso(year: int | None, month: int | None, day: int | None) -> str:
    if month is None:
        return str(year)
    return (str(year) if year else "-") + f"-{month:02}" + (f"-{day:02}" if day else "")


_BOUND = re.compile(
    r"[)\]'\" ]{0,2}(?:(?P<max>이내|이하|안(?:에|으로|까지)?(?![가-힣]|내|전)|내(?:에|로)(?![가-힣])"
    r"|까지|한도|에 ?(?:마감|종료)|or (?:less|fewer)|or below)"
    r"|(?P<min>이상|부터|or more|or above|or older)|(?P<under>미만)|(?P<over>초과)|(?P<past>(?:을|를"
    r"|이|가)? ?넘(?!으면|기면|길|을 ?경우|었|겼))"
    r"|(?P<before>(?:이)?전(?:까지|에|부터|에는|$|[ ,.)])|before|in advance|prior|ahead|earlier)"
    r"|(?P<after>(?:(?:이)?후|뒤)(?![가-힣 ,]{0,10}(?:사라|소멸|만료|막[히혀힙]|불가|못|안 |없|끝|종료"
    r"|마감))|after|later))"
)
_BOUND_BEFORE = re.compile(
    r"(?:(?P<max>최대|최장|up to|within|at most|no more than|maximum of|max\.?)|(?P<min>최소|최저"
    r"|적어도|at least|no less than|minimum of)"
    r"|(?P<over>(?<!no )more than)|(?P<under>(?<!no )less than|(?<!no )fewer than)) ?(?:of )?$",
    re.IGNORECASE,
)


def bound_at(text: str, end: int, start: int | None = None) -> str:
    """Which side of the number is meant: 이내 `max`, 이상 `min`, 미만 `under`, 초과 `over`, 전 `before`, 후 `after`."""
    before = None if start is None else _BOUND_BEFORE.search(text[max(0, start - 14) : start])
    behind = _BOUND.match(text, end)
    match = before if before and (behind is None or before.group().isascii()) else behind
    return (match.lastgroup or "") if match else ""


def find_times(scan: Scan) -> None:
    """Times of day as 24 hours; one that may be morning or afternoon ends in `?`."""
    half = ""
    last = -99
    for match in scan.each(_TIME):
        text = match.group()
        stated = _stated(match)
        if not stated and match.start() - last < 12 and half:
            stated = half
        clock = _clock(match, stated)
        if clock is None:
            scan.keep(match)
            continue
        half, last = stated, match.end()
        end = match.end()
        scan.add("time", clock, match.start() + len(text) - len(text.lstrip()), end, bound=bound_at(scan.text, end))


def _stated(match: re.Match[str]) -> str:
    for name in ("half", "half4", "pm", "pm3", "pm4", "pme"):
        if match[name]:
            return "" if match[name] == "o'clock" else match[name].lower().replace(".", "")
    return ""


def _clock(match: re.Match[str], half: str) -> str | None:
    if match["word"]:
        return "12:00" if match["word"] in ("정오", "noon") else "00:00"
    written = next(match[name] for name in ("h", "n", "s", "h2", "h3", "h4", "h5", "he") if match[name])
    hour = int(value(written) or 0)
    minute = (
        30 if match["half2"] or match["half3"] else int(match["mm"] or match["m2"] or value(match["mk"] or "영") or 0)
    )
    if hour > 24 or minute > 59:
        return None
    open_ended = not half and hour <= 12 and not (match["h2"] and written.startswith("0"))
    if half in _LATE and hour < 12 and not (half == "밤" and hour < 5) and not (half in ("낮", "점심") and hour > 9):
        hour += 12
    elif half in ("오전", "새벽", "am", "밤") and hour == 12:
        hour = 0
    return f"{hour % 24:02}:{minute:02}" + ("?" if open_ended else "")


def find_weekdays(scan: Scan, cells: bool) -> None:
    """Days of the week; with `cells` also the bare 수 in a table cell, as passages write it."""
    for match in scan.each(_WEEKDAY):
        for day in _days(match):
            scan.add("weekday", day, *match.span())
    if cells:
        for match in scan.each(_CELL_DAY):
            scan.add("weekday", _DAY_NAMES[match["one"]], *match.span())


def day_range(written: str) -> set[str]:
    """The days of `mon-fri`, `weekdays` or `tue`."""
    first, _, last = {"weekdays": "mon-fri", "weekend": "sat-sun"}.get(written, written).partition("-")
    start, end = _ORDER.index(first), _ORDER.index(last or first)
    return set(_ORDER[start : end + 1]) if start <= end else {*_ORDER[start:], *_ORDER[: end + 1]}


def _days(match: re.Match[str]) -> list[str]:
    one = match["one"] or match["paren"]
    if one:
        return [_DAY_NAMES[one]]
    if match["list"]:
        return [_DAY_NAMES[day] for day in match["list"] if day in _DAY_NAMES]
    if match["en"]:
        return [match["en"][:3].lower()]
    word = match["word"] or match["enw"]
    if word:
        return ["weekdays" if word.startswith(("평", "weekd")) else "weekend"]
    first, last = (
        _ORDER.index(_DAY_NAMES[day]) for day in (match["from"] or match["from2"], match["to"] or match["to2"])
    )
    return [f"{_ORDER[first]}-{_ORDER[last]}"]
