"""Numbers in letters with a unit behind them, told from the words that only look like them."""

import re
from decimal import Decimal

from endy.ask.guard.measures import add_measure
from endy.ask.guard.numerals import ENGLISH, NATIVE, SINO, value
from endy.ask.guard.periods import period_at
from endy.ask.guard.scanning import Scan
from endy.ask.guard.units import KOREAN, LATIN, Unit, unit_of

# What may follow a unit behind a spelled number; anything else makes another word of it (이천 매장, 두 부서).
AFTER = (
    r"(?=[^가-힣]|$|이(?![상]한)|을|를|은|는|가|에|의|로|으로|까|부터|간|동안|내|전|후|씩|마다|만|과"
    r"|와|도|쯤|정도|차|째|당|미만|초과|안|뒤|남|한|여|짜리|분|어|보다|밖|뿐|하|랑|반|단위|인|입|예|였"
    r"|임|엔|넘|연속|이상|치|대|걸)"
)
_PREFIX = (
    r"(?<![가-힣0-9A-Za-z\x00])(?:(?:약|총|각|단|딱|최대|최소|한도|매|연"
    r"|월)(?=[일이삼사오육칠팔구]?[십백천만억]|[두세네]))?"
)
_SINO_UNIT = re.compile(
    rf"{_PREFIX}(?!십분 ?(?:발|활|이해|참작"
    rf"|고려))(?P<n>{SINO})(?P<gap> ?)(?P<unit>{KOREAN}){AFTER}(?P<half> ?반(?![가-힣]))?"
)
_NATIVE_COUNTERS = (
    "시간|번째|번|명|개월|개|달간|달|주일|주간|주|살|분|사람|곳|군데|가지|장|권|대|층|배|차례|잔|끼"
    "|해|통|건|자리|쪽|줄|칸|종류"
    "|종|박|병|팀|과목|글자|단계|학기|매|째|부|일|년|학점|좌석|회|석|날|돈|포인트|점|쪽|페이지|평"
)
_NATIVE_UNIT = re.compile(
    rf"{_PREFIX}(?P<pair>한두|두세|두서너|서너|너댓|네댓|네다섯|대여섯|예닐곱|일고여덟"
    rf"|(?:{NATIVE}))(?P<gap> ?)(?P<unit>{_NATIVE_COUNTERS}){AFTER}(?P<half> ?반(?![가-힣])"
    rf"| ?반(?=[이을은까에]))?"
)
_PAIRS = {
    "한두": (1, 2), "두세": (2, 3), "두서너": (2, 4), "서너": (3, 4), "너댓": (4, 5), "네댓": (4, 5), "네다섯": (4, 5),
    "대여섯": (5, 6), "예닐곱": (6, 7), "일고여덟": (7, 8),
}  # fmt: skip
_ENGLISH_UNIT = re.compile(rf"(?<![A-Za-z])(?P<n>{ENGLISH})(?:[ \-](?P<unit>{LATIN}))?", re.IGNORECASE)
_UNSURE_SINO = re.compile(
    r"만일|[일이삼사오육칠팔구](?:매|유로|시간)|이 시간|만 ?[년월일주회번]|[일이사구오] ?(?:건|대|장"
    r"|점|자|도|위|부|종|호|권|통|칸|줄|인|등|조|항"
    r"|개|번|석|병|평)(?!월)|사원|일명|사주|이초|사 ?(?:회|장|례|살)|이 ?(?:분|일|주|시|달|해|살|끼|잔"
    r"|층)(?! ?(?:이내|안에|동안|전까지|간|씩|만에|후))"
    r"|구 ?분|공 ?[가-힣]+|조 ?[가-힣]+|일 ?(?:시|주(?!일|간)|초|해|할|병|석)|[영억] ?[^원명]"
    r"|오 ?(?:일|초|해|병)|[일이삼사오육칠팔구]원|이 ?(?:사람|가지|곳|종류|자리|단계|등급|팀|과목"
    r"|페이지|프로|포인트|쪽|매)|일 ?(?:가지|종류|등급|차)|천 ?(?:주|도|조|장|년)|백 ?(?:장|도|부|조"
    r"|병)"
)
_TRY_ONCE = re.compile(
    r" ?(?:더|쯤)? ?(?:확인|점검|살펴|읽어|봐|보[시세고면]|보는|생각|문의|물어|여쭤|말씀|검토|시도"
    r"|눌러|해 ?[보봐]|알아|들러|체크|다시|찾아|정리|연락|에(?! ?최대| ?[0-9]))"
)
_NEVER_NATIVE = re.compile(
    r"(?:한|두) ?날|한해(?!에|마다|동안)|한 ?(?:사람|명)(?=이 |은 |당|마다|에 )|한층|석권|한자리|열매"
    r"|열 ?자(?! )|백두|[한세네] ?(?:돈(?!을"
    r"|이|까)|석|점|평)|한 ?(?:도|층 더|가지|시적|대로)|세 ?대(?!의"
    r"|를|까|씩|가)|한 ?(?:줄|쪽|통|끼|부|개의|매|일|년|회|과목|단계)|너 |세 ?(?:부|일|년|주일)"
    r"|네 ?(?:일|년|회)|열 ?(?:대|번|통|병|부|차|일|회)(?![까을를가이만])|한 ?(?:사람|곳|대|주|팀"
    r"|층)(?=[은이]? ?(?:더|만의))"
)
# Units of native numbers only (두 해), those that make words of one digit, and those that make words of any number.
_NATIVE_ONLY = frozenset({"해", "달", "살", "끼", "잔", "달간"})
_NO_SHORT = frozenset("도자차할세")
_WORD_ENDS = frozenset("장매점석인도자부호조대통권항등위칸줄종병")
_AFTER_LARGE = frozenset(
    {"원", "명", "달러", "개", "건", "개월", "퍼센트", "프로", "포인트", "년", "일", "시간", "분", "회", "번"}
)
_NAMES_IN_LARGE = re.compile(r"천명(?=[하되된]|을 받)|백일(?=잔치|홍|몽|장)|백년(?=가약|해로)|일일이")


def find_spelled(scan: Scan) -> None:
    """세 번, 십오 일, fifteen days."""
    for match in scan.each(_NATIVE_UNIT):
        _native(scan, match)
    for match in scan.each(_SINO_UNIT):
        if _is_word(match):
            scan.keep(match)
            continue
        add_measure(scan, value(match["n"]), unit_of(match["unit"]), match.span(), match["half"])
    for match in scan.each(_ENGLISH_UNIT):
        number = value(match["n"])
        if not match["unit"] and number is not None and number < 2:
            scan.keep(match)
            continue
        add_measure(scan, number, unit_of(match["unit"]) if match["unit"] else None, match.span())


def _is_word(match: re.Match[str]) -> bool:
    """사원, 구분, 만점 and 이 일 are words; 사 개월 and 십오 일 are numbers."""
    number, unit, apart = match["n"].replace(" ", ""), match["unit"], bool(match["gap"])
    if unit in _NATIVE_ONLY or _NAMES_IN_LARGE.match(match.string, match.start("n")):
        return True
    if number in ("억", "조") and unit not in ("원", "명"):
        return True
    if number in ("십", "백", "천", "만") and not apart and unit not in _AFTER_LARGE:
        return True
    if len(number) > 1 and not apart and unit in _WORD_ENDS and "십" not in number:
        return True
    if len(number) > 1 and number != "만":
        return _UNSURE_SINO.fullmatch(match.group()) is not None
    return unit in _NO_SHORT or _UNSURE_SINO.match(match.group().lstrip()) is not None


_NATIVE_UNITS = {"분": Unit("count", "person"), "대": Unit("count", "vehicle"), "날": Unit("duration", "day")}


def _native(scan: Scan, match: re.Match[str]) -> None:
    word, counter = match["pair"].replace(" ", ""), match["unit"]
    tried = counter == "번" and word in ("한", "한두") and _is_try(scan.text, match)
    if tried or counter in ("일", "년", "회") or _NEVER_NATIVE.match(match.string, match.start("pair")):
        scan.keep(match)
        return
    unit = _NATIVE_UNITS.get(counter) or unit_of(counter)
    for number in _PAIRS.get(word, ()):
        add_measure(scan, Decimal(number), unit, match.span())
    if word not in _PAIRS:
        add_measure(scan, value(word), unit, match.span(), match["half"])


def _is_try(text: str, match: re.Match[str]) -> bool:
    """한 번 확인해 보세요 counts nothing, 1년에 한 번 does."""
    if period_at(text, match.start("pair"), match.end("unit")):
        return False
    if text[max(0, match.start("pair") - 4) : match.start("pair")].endswith(("다시 ", "또 ", "꼭 ", "또다시 ")):
        return True
    return bool(_TRY_ONCE.match(text, match.end("unit"))) or (
        not match["gap"] and text[match.end() : match.end() + 1] not in "만씩까이입"
    )
