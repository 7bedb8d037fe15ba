"""What kind of fact a question asks for, and which kinds a passage holds."""

import re
from functools import lru_cache
from typing import Literal

Fact = Literal["amount", "duration", "time", "date", "count", "ratio", "place", "contact", "steps", "permission"]

_ASKS: dict[Fact, re.Pattern[str]] = {
    "amount": re.compile(
        r"얼마(?!나\s*(?:걸|기다|오래|동안|자주|쉬|빠))|"
        r"금액|요금|비용|한도|단가|가격|값|수당|지원금|how much|cost|price|fee|cap"
    ),
    "duration": re.compile(
        r"며칠|몇일|메칠|얼마나|얼마\s*동안|"
        r"몇\s*(?:일|달|개월|년|주|시간|분)|기간|언제까지|how (?:long|many (?:days|weeks))"
    ),
    "time": re.compile(r"몇\s*시|언제|시각|시간|what time|when"),
    "date": re.compile(r"언제|며칠|몇일|몇\s*월|날짜|기한|마감|까지|일정|기간|when|deadline|payday"),
    "count": re.compile(r"몇\s*(?:명|개|번|회|곳|대|건|장|층|인|벌|프로|퍼|단계|가지)|횟수|인원|how many|limit"),
    "ratio": re.compile(r"몇\s*(?:프로|퍼|배|%)|비율|퍼센트|얼마나|할인|이자|이율|적립"),
    "place": re.compile(r"어디|위치|장소|층|주소|where"),
    "contact": re.compile(r"누구|누가|어디에\s*(?:연락|신고|문의|말)|연락|전화|담당|내선|번호|신고|who|contact|call"),
    "steps": re.compile(r"어떻게|어떡|방법|법\b|절차|하려면|어케|어캐|신청|등록|발급|how (?:do|can|to)"),
    "permission": re.compile(
        r"되나|돼|될까|가능|괜찮|해도|안\s*되|할 수 있|받을 수 있|되냐|됨|"
        r"can i|may i|allowed"
    ),
}

_OFFERS: dict[Fact, re.Pattern[str]] = {
    "amount": re.compile(
        r"\d[\d,.]*\s*(?:만|천|억|백만)?\s*원|(?:usd|eur|\$|달러)\s*\d|\d\s*(?:달러|유로)", re.IGNORECASE
    ),
    "duration": re.compile(r"\d+\s*(?:일|개월|달|년|주|시간|분|영업일)|(?:하루|이틀|사흘|일주일|한 달|반나절)"),
    "time": re.compile(r"\d{1,2}:\d{2}|\d{1,2}\s*시"),
    "date": re.compile(r"\d{1,2}월|매[월주달년]|\d{1,2}일|[월화수목금토일]요일|분기|말일|연말|영업일"),
    "count": re.compile(
        r"\d+\s*(?:명|개|번|회|곳|대|건|장|층|인|벌|가지|단계|gb|mb)|(?:한|두|세|네)\s*(?:번|명|개|대)", re.IGNORECASE
    ),
    "ratio": re.compile(r"\d[\d.]*\s*(?:%|퍼센트|배)|절반|전액"),
    "place": re.compile(r"\d+\s*층|지하|로비|건물|역|데스크|창구|옆|앞|https?://|[>→]|\.example"),
    "contact": re.compile(r"내선|\d{2,4}-\d{3,4}|@|팀|담당|센터|데스크"),
    "steps": re.compile(r"[>→]|신청|등록|올리|누르|제출|선택|접속|보내|예약|받"),
    "permission": re.compile(r"없|있|가능|불가|금지|안\s*[되돼됩]|않|됩니다|돼요|허용|수 있"),
}


@lru_cache(maxsize=4096)
def asked(question: str) -> frozenset[Fact]:
    """Kinds of fact that the wording of a (normalised) question asks for; empty if it only names a topic."""
    return frozenset(kind for kind, pattern in _ASKS.items() if pattern.search(question))


@lru_cache(maxsize=20_000)
def offered(passage: str) -> frozenset[Fact]:
    """Kinds of fact that a passage states."""
    return frozenset(kind for kind, pattern in _OFFERS.items() if pattern.search(passage))


def fit(question: str, passage: str) -> float:
    """Share of the asked kinds that the passage offers, 0-1; 0.5 where nothing particular is asked."""
    kinds = asked(question)
    return len(kinds & offered(passage)) / len(kinds) if kinds else 0.5
