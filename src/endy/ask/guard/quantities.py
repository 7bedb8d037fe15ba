"""Numbers with what they count, in digits and in letters, and the bare ones that are left."""

import re
from dataclasses import replace
from decimal import Decimal

from endy.ask.guard.measures import add_measure
from endy.ask.guard.models import Fact
from endy.ask.guard.numerals import DIGITS, WITH_DIGITS, plain, value
from endy.ask.guard.ordinals import find_fractions, find_ordinals
from endy.ask.guard.scanning import Scan
from endy.ask.guard.spelled import AFTER, find_spelled
from endy.ask.guard.units import KOREAN, LATIN, SIGN, unit_of
from endy.ask.guard.words import find_words

_RANGE = r"(?: ?(?:~|-|to|에서|내지|부터) ?)"
_EN_SCALE = r"(?: ?(?:hundred|thousand|million|billion|[kK](?![A-Za-z])))?"
_LOW = rf"(?P<low>{WITH_DIGITS}(?= ?(?:~|-|to|에서|내지|부터))){_RANGE}"
_WITH_UNIT = re.compile(
    rf"(?<![0-9.,])(?P<age>만 ?)?(?P<sign>{SIGN} ?)?(?:{_LOW})?(?P<n>{DIGITS}{_EN_SCALE}(?="
    rf" ?(?:{LATIN}|%))|{WITH_DIGITS})"
    rf"(?P<about>여)?[ \-]?(?P<unit>{LATIN}|%p|%|(?<=[^ ]){KOREAN}"
    rf"|(?<= ){KOREAN}(?![가-힣])|(?<= ){KOREAN}{AFTER})(?P<half> ?반(?![가-힣])"
    rf"| ?반(?=[이을은까에]))?"
)
_MONEY = re.compile(rf"(?<![0-9.,])(?P<sign>{SIGN}) ?(?P<n>{DIGITS}{_EN_SCALE})")
_BARE = re.compile(rf"(?<![0-9.])(?:(?P<low>{DIGITS}) ?~ ?)?(?P<minus>-)?(?P<n>{WITH_DIGITS})(?P<word>[가-힣])?")
_NATIVE_BARE = re.compile(
    r"(?<![가-힣])(?P<n>둘|셋|넷|다섯|여섯|일곱|여덟|아홉|열|열둘|스물|서른|마흔)(?=까지|이상|이하|뿐"
    r"|씩|이에요|이다|입니다|이며| 이상| 이하)"
)
_NATIVE_WORD = re.compile(
    r"(?<![가-힣\x00])(?!쉰(?:다|대|데|적|내))(?P<n>(?:(?:열|스물|서른|마흔|쉰|예순|일흔|여든"
    r"|아흔) ?)?(?:다섯|여섯|일곱|여덟"
    r"|아홉)|스무|스물|서른|마흔|쉰|예순|일흔|여든|아흔) ?(?P<word>[가-힣])"
)


def find_quantities(scan: Scan) -> None:
    """Numbers in digits, spelled numbers and words that are numbers, with the unit behind or the sign before them."""
    find_fractions(scan)
    find_ordinals(scan)
    for match in scan.each(_WITH_UNIT):
        _add_ranged(scan, match)
    for match in scan.each(_MONEY):
        add_measure(scan, _amount(match["n"]), unit_of(match["sign"]), match.span())
    find_spelled(scan)
    find_words(scan)


def _amount(written: str) -> Decimal | None:
    scaled = re.match(r"(.*?) ?(hundred|thousand|million|billion|[kK])$", written)
    if not scaled or not scaled[1][:1].isdigit():
        return value(written)
    worth = {"hundred": 100, "thousand": 1000, "k": 1000, "million": 10**6, "billion": 10**9}[scaled[2].lower()]
    number = value(scaled[1])
    return None if number is None else number * worth


def _add_ranged(scan: Scan, match: re.Match[str]) -> None:
    number, unit = _amount(match["n"]), unit_of(match["sign"] or match["unit"])
    if unit is None or number is None:
        scan.keep(match)
        return
    if match["age"] and match["n"][0] in "0123456789" and match["unit"] not in ("원", "명", "달러"):
        start = match.start() + len(match["age"])
    else:
        start = match.start()
    if match["low"]:
        low = value(match["low"])
        shift = _myriad(match["n"], match["low"])
        add_measure(scan, None if low is None else low * shift, unit, (match.start("low"), match.end("low")))
    add_measure(scan, number, unit, (match.start("n") if match["low"] else start, match.end()), match["half"])


def _myriad(high: str, low: str) -> int:
    """5~10만 원 means 50,000 to 100,000; 5천~1만 원 does not."""
    large = {"천": 1000, "만": 10**4, "억": 10**8}
    ends = high.rstrip()[-1:]
    return (
        large[ends] if ends in large and low.strip()[-1:] not in large and low.strip().replace(",", "").isdigit() else 1
    )


def joined(found: list[Fact]) -> list[Fact]:
    """1년 6개월 and 3시간 30분 are one duration."""
    whole: list[Fact] = []
    for fact in found:
        last = whole[-1] if whole else None
        if last and fact.kind == last.kind == "duration" and 0 <= fact.start - last.end <= 1:
            (a, unit), (b, part) = last.value.split(), fact.value.split()
            if (
                unit == part
                and unit in ("month", "second")
                and Decimal(b) < Decimal(a)
                and _lower(last.text, fact.text)
            ):
                value_ = f"{plain(Decimal(a) + Decimal(b))} {unit}"
                whole[-1] = replace(fact, value=value_, text=f"{last.text} {fact.text}", start=last.start, per=last.per)
                continue
        whole.append(fact)
    return whole


_SMALLER = re.compile(r".*(?:년|해|years?)\n.*(?:월|달|months?)|.*(?:시간|hours?)\n.*(?:분|min(?:ute)?s?)|.*분\n.*초")


def _lower(first: str, second: str) -> bool:
    return _SMALLER.fullmatch(f"{first}\n{second}") is not None


def find_bare_numbers(scan: Scan) -> None:
    """Every digit that nothing else understood; a word right behind it is kept as its unit."""
    for match in scan.each(_NATIVE_BARE):
        scan.add("number", _plain(match["n"]), *match.span())
    for match in scan.each(_NATIVE_WORD):
        scan.add("number", f"{_plain(match['n'])} {match['word']}", *match.span())
    for match in scan.each(_BARE):
        if match["low"]:
            scan.add("number", _plain(match["low"]), *match.span("low"))
        unit = match["word"] if match["word"] and match["word"] not in "은는이가을를로와과의에도만" else ""
        sign = "-" if match["minus"] and not scan.text[match.start() - 1 : match.start()].strip() else ""
        scan.add("number", f"{sign}{_plain(match['n'])} {unit}".strip(), match.start("n"), match.end())


def _plain(written: str) -> str:
    return plain(value(written) or Decimal(0))
