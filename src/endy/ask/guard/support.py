"""Whether passages hold a fact."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from endy.ask.guard.facts import passage_facts
from endy.ask.guard.models import Fact
from endy.ask.guard.paths import holds_menu, holds_name
from endy.ask.guard.reading import read
from endy.ask.guard.sameness import same


def supported(fact: Fact, sources: Sequence[str], written: str = "") -> bool:
    """One of the passages says the same; `written` is the sentence the fact is from, when its words matter."""
    if fact.kind == "menu":
        return any(holds_menu(fact.value, source) for source in sources)
    if fact.kind == "name":
        return any(holds_name(fact.value, source) for source in sources)
    if fact.kind == "period":
        return any(_holds_period(fact.value, source) for source in sources)
    others = [(other, source) for source in sources for other in passage_facts(source)]
    equal = [(other, source) for other, source in others if same(fact, other, written, source)]
    if fact.per == "each" and any(_EVERY.search(source) for source in sources):
        return True
    return _agree(fact, equal) or (is_about(fact, written) and any(_rounds(fact, other) for other, _ in others))


_EVERY = re.compile(r"마다|every")


_AGAINST = {
    "max": "min over past after before", "min": "max under", "under": "max min over past", "over": "min max under",
    "past": "max under", "before": "after max", "after": "before max",
}  # fmt: skip


def _agree(fact: Fact, equal: Iterable[tuple[Fact, str]]) -> bool:
    """One of the equal facts does not contradict in what it bounds or in the period that it is for."""
    candidates = [
        (other, source)
        for other, source in equal
        if not other.bound or other.bound not in _AGAINST.get(fact.bound, "").split()
    ]
    if not candidates or not fact.per or fact.per not in _PERIOD:
        return bool(candidates)
    return any(
        fact.per == other.per or (not other.per and _near_period(fact.per, other, source))
        for other, source in candidates
    )


_SENTENCE_EDGE = re.compile(r"[.!?] |\n")


def _near_period(period: str, other: Fact, source: str) -> bool:
    """The sentence with the number names the period, or a title does that has no number of its own."""
    edges = [0, *(match.end() for match in _SENTENCE_EDGE.finditer(source)), len(source)]
    start, end = max(edge for edge in edges if edge <= other.start), min(edge for edge in edges if edge > other.start)
    if _holds_period(period, source[start:end]):
        return True
    return _holds_period(period, source) and all(fact.per != period for fact in passage_facts(source))


_ABOUT = re.compile(
    r"(?:약|대략|거의|대충|얼추|about|around|roughly|approximately|nearly|almost|some) ?$", re.IGNORECASE
)
_ABOUT_AFTER = re.compile(r" ?(?:정도|쯤|가량|남짓|안팎|내외|여 ?원|or so)")


def is_about(fact: Fact, written: str) -> bool:
    """The sentence says itself that this number is rounded."""
    if not written or fact.kind not in ("amount", "percent", "count", "duration", "number"):
        return False
    return bool(
        _ABOUT.search(written[max(0, fact.start - 16) : fact.start])
        or _ABOUT_AFTER.match(written, fact.end)
        or "여" in fact.text
    )


def _rounds(fact: Fact, other: Fact) -> bool:
    """약 1만 5천 원 is 14,900원 with fewer digits; 약 1만 6천 원 is not."""
    (said, _, unit), (known, _, known_unit) = fact.value.partition(" "), other.value.partition(" ")
    if fact.kind != other.kind or unit != known_unit or "/" in said + known:
        return False
    a, b = Decimal(said), Decimal(known)
    digits = len(said.replace(".", "").strip("0-")) or 1
    if not b or digits >= len(known.replace(".", "").strip("0-")) or abs(a - b) / abs(b) > Decimal("0.05"):
        return False
    step = Decimal(10) ** (b.adjusted() - digits + 1)
    return abs(a - b) <= step / 2


_PERIOD_WORDS = {
    "year": r"매년|해마다|연간|매해|(?<![가-힣])연 ?(?=[0-9한최총]|[가-힣]{1,4} ?[0-9])|(?<![0-9])1년|한 ?해"
    r"|일 ?년|(?<![가-힣])연 |annual|year",
    "half": r"반기|반년|6개월마다",
    "quarter": r"분기|3개월마다|quarter",
    "month": r"매월|매달|달마다|월마다|월간|(?<![가-힣0-9])월 ?(?=[0-9한최총이회]|[가-힣]{1,4} ?[0-9])|한 ?달"
    r"|(?<![0-9])1개월|그달|month|(?<![가-힣0-9] )(?<![가-힣0-9])월 (?=[가-힣])",
    "week": r"매주|주마다|주간|(?<![가-힣0-9])주 ?(?=[0-9한최총이회두세])|한 ?주|일주일|(?<![0-9])1주"
    r"|(?<![가-힣])주 |week",
    "day": r"매일|하루|(?<![0-9])1일|일일|날마다|(?<![가-힣0-9])일 ?(?=[0-9한최총])|평일|daily|day",
}
_PERIOD = {name: re.compile(words) for name, words in _PERIOD_WORDS.items()}


def _holds_period(period: str, source: str) -> bool:
    return bool(_PERIOD[period].search(read(source).text)) if period in _PERIOD else True
