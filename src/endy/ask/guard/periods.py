"""The periods that rates are for: 연 8회, 한 달에 두 번, twice a year."""

import re

_AS_PERIOD = re.compile(
    r"에(?![가-힣])|당(?![가-힣])|마다|(?! ?[0-9]+ ?(?:개월|달|시간|분))(?: (?:총|최대|최소|평균|약"
    r"|기준))* ?[0-9]| (?:한|두|세|네|다섯|여섯|일곱|여덟|아홉|열|이틀|사흘|나흘) ?| ?한도"
)
_PERIODS = {
    "연": "year", "년": "year", "해": "year", "매년": "year", "해마다": "year", "연간": "year", "반기": "half",
    "분기": "quarter", "월": "month", "달": "month", "개월": "month", "월간": "month", "매월": "month", "매달": "month",
    "주": "week", "매주": "week", "주일": "week", "주간": "week", "하루": "day", "일": "day", "매일": "day",
    "day": "day", "week": "week", "month": "month", "year": "year", "quarter": "quarter", "annum": "year",
}  # fmt: skip
_PER_BEFORE = re.compile(
    r"(?:(?<![가-힣0-9])(?P<a>연간|월간|주간|연|월|주|일|매년|매월|매달|매주|매일|해마다)"
    r"|(?<![가-힣0-9])(?:1|일|한) ?(?P<b>년|해|개월|달|주일|주|분기|반기|일)(?:에|당|마다)?"
    r"|(?:매 ?)(?P<c>분기|반기)|(?P<d>분기|반기|하루)(?:마다|에|당)?|(?P<e>주|달|해|일주일)마다)"
    r"(?: ?(?:총|최대|최소|각|약|평균|한도|한도는|딱|단|기준|합쳐|합산|모두))*[ ,:|]{0,3}$"
)
_EACH = re.compile(
    r"(?:[2-9]|[1-9][0-9]|[두세네석넉]|다섯|여섯|열|이틀|사흘) ?(?:년|해|개월|달|주|주일|일|시간|분|분기)?에 ?$"
)
_YEAR_AND = re.compile(r"[0-9] ?년 [0-9]{1,2} ?개월")
_PER_AFTER = re.compile(
    r"(?:씩|까지|으로|이|을|를|의|\))?[ ]?(?:/ ?|(?:per|a|an|each|every) )(?P<a>day|week|month|year"
    r"|quarter|annum|월|일|주|년|연)(?![A-Za-z가-힣])|[ ](?P<w>annually|yearly|monthly|weekly|daily)"
)
_ADVERB = {"annually": "year", "yearly": "year", "monthly": "month", "weekly": "week", "daily": "day"}


def period_at(text: str, start: int, end: int) -> str:
    """The period that a rate is for: 연 8회, 한 달에 두 번, twice a year."""
    if _EACH.search(text[max(0, start - 12) : start]) and text[start:end].replace(" ", "") in ("한번", "1회", "1번"):
        return "each"
    before = (
        None
        if _YEAR_AND.search(text[max(0, start - 5) : end])
        else _PER_BEFORE.search(text[max(0, start - 20) : start])
    )
    if before:
        word = next(group for group in before.groups() if group)
        return _PERIODS[word.removeprefix("일") if word == "일주일" else word]
    after = _PER_AFTER.match(text, end)
    if after:
        return _ADVERB[after["w"]] if after["w"] else _PERIODS[after["a"]]
    return ""


def stands_for_period(text: str, end: int) -> bool:
    """1년 in 1년에 두 번 is no duration."""
    return bool(_AS_PERIOD.match(text, end))
