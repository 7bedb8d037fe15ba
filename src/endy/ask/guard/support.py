"""Whether passages hold a fact."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from endy.ask.guard.addresses import menu_text, url
from endy.ask.guard.dates import day_range
from endy.ask.guard.facts import passage_facts
from endy.ask.guard.models import Fact
from endy.ask.guard.reading import read


def supported(fact: Fact, sources: Sequence[str], written: str = "") -> bool:
    """One of the passages says the same; `written` is the sentence the fact is from, when its words matter."""
    if fact.kind == "menu":
        return any(_holds_menu(fact.value, source) for source in sources)
    if fact.kind == "name":
        return any(_holds_name(fact.value, source) for source in sources)
    if fact.kind == "period":
        return any(_holds_period(fact.value, source) for source in sources)
    others = [(other, source) for source in sources for other in passage_facts(source)]
    same = [(other, source) for other, source in others if _same(fact, other)]
    if fact.per == "each" and any(_EVERY.search(source) for source in sources):
        return True
    return _agree(fact, same) or (is_about(fact, written) and any(_rounds(fact, other) for other, _ in others))


_EVERY = re.compile(r"마다|every")


def _same(fact: Fact, other: Fact) -> bool:
    if fact.kind == other.kind == "date":
        return _same_date(fact.value, other.value)
    if fact.kind == other.kind == "time":
        return _same_time(fact.value, other.value)
    if fact.kind == other.kind == "weekday":
        return _same_weekday(fact.value, other.value)
    if fact.kind == other.kind:
        return fact.value == other.value or _same_unit(fact, other)
    return _other_kind(fact, other)


def _same_date(said: str, known: str) -> bool:
    """A date without its year, or a month without its day, is held by the full one; never the other way round."""
    if said == known:
        return True
    if said.startswith("---"):
        return (
            re.search(r"-([0-9]{2})$", known) is not None
            and len(known) in (7, 10)
            and known[-2:] == said[3:]
            and known[:2] == "--"
        )
    if said.startswith("--"):
        return (
            known.lstrip("-").startswith(said[2:])
            if known.startswith("--")
            else known[5:].startswith(said[2:]) and len(known) >= 7
        )
    return known.startswith(said)


def _same_time(said: str, known: str) -> bool:
    if said.rstrip("?") == known.rstrip("?"):
        return True
    (hour, minute), (other, other_minute) = (clock.rstrip("?").split(":") for clock in (said, known))
    if minute != other_minute or (int(hour) - int(other)) % 12:
        return False
    # "6시" in a passage is six in the evening where offices are concerned, "9시" is never nine at night.
    return said.endswith("?") or (known.endswith("?") and 1 <= int(other) <= 6)


def _same_weekday(said: str, known: str) -> bool:
    """월~금 holds 수요일 and 평일; 평일 is 월~금 but does not say 수요일."""
    if day_range(said) == day_range(known):
        return True
    return known != "weekdays" and "-" not in said and day_range(said) <= day_range(known)


def _same_unit(fact: Fact, other: Fact) -> bool:
    """Units that people exchange freely: 세 곳, 3개 and 3건 never 3번."""
    if fact.kind == "duration":
        return {fact.value, other.value} in (
            {"1 day", "86400 second"},
            {"2 day", "172800 second"},
            {"3 day", "259200 second"},
            {"6 month", "0.5 year"},
        )
    (number, _, unit), (known, _, known_unit) = fact.value.partition(" "), other.value.partition(" ")
    if number != known or fact.kind == "amount":
        return False
    if fact.kind == "number":
        return not unit or not known_unit
    return fact.kind == "count" and {unit, known_unit} == {"thing", "case"}


def _other_kind(fact: Fact, other: Fact) -> bool:
    number, _, unit = fact.value.partition(" ")
    known, _, known_unit = other.value.partition(" ")
    if fact.kind == "date" and fact.value.startswith("---") and other.kind == "duration":
        return other.value == f"{fact.value[3:].lstrip('0')} day" and not other.bound and _plain_day(other)
    if fact.kind == "duration" and unit == "day" and other.kind == "date" and _plain_day(fact):
        return (
            len(other.value) in (5, 7, 10) and other.value[-2:].lstrip("0") == number and other.value != f"--{number}"
        )
    if fact.kind == "number" and not unit and number == known:
        return other.kind in ("count", "ordinal", "phone", "version") and (
            other.kind != "count" or bool(re.fullmatch("[A-Za-z]+", fact.text)) or _english(fact)
        )
    if {fact.kind, other.kind} == {"number", "date"}:
        return ("/" in fact.text and fact.text.replace(" ", "") == other.text.replace(" ", "")) or _fraction(
            fact, other
        )
    if {fact.kind, other.kind} == {"version", "number"}:
        return number == known
    if fact.kind == "ordinal" and other.kind == "count":
        return number == known and unit == "th" and known_unit == "times" and "번" in other.text
    return False


def _english(fact: Fact) -> bool:
    return fact.per == "en"


def _fraction(fact: Fact, other: Fact) -> bool:
    date, number = (fact, other) if fact.kind == "date" else (other, fact)
    return date.text.replace(" ", "") == number.value


def _plain_day(fact: Fact) -> bool:
    """25일 may be a day of the month; 25일간 and 사흘 are not."""
    return bool(re.fullmatch(r"[0-9]+ ?일", fact.text)) and fact.bound not in ("max_inner",)


_CONFLICTS = {
    frozenset(pair)
    for pair in (
        ("max", "min"),
        ("max", "over"),
        ("under", "min"),
        ("under", "over"),
        ("before", "after"),
        ("under", "max"),
        ("over", "min"),
        ("past", "max"),
        ("past", "under"),
        ("max", "after"),
        ("max", "before"),
    )
}


def _agree(fact: Fact, same: Iterable[tuple[Fact, str]]) -> bool:
    """One of the equal facts does not contradict in what it bounds or in the period that it is for."""
    candidates = [(other, source) for other, source in same if frozenset((fact.bound, other.bound)) not in _CONFLICTS]
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


def _holds_name(name: str, source: str) -> bool:
    known = re.sub(r"[-_ ]", "", read(source).text).upper()
    return (
        re.search(rf"(?<![A-Z0-9]){re.escape(name)}(?![A-Z0-9])", known) is not None
        or re.search(rf"(?<![A-Z0-9]){re.escape(name)}(?![A-Z0-9])", re.sub(r"[-_]", "", read(source).text).upper())
        is not None
    )


_JOSA = r"(?:에서|에게|에|으로|로|을|를|이|가|은|는|의|과|와|도|까지|부터|이에요|예요|입니다|이고|이며|메뉴|화면|탭)"
_AFTER_STEP = re.compile(
    rf"(?:{_JOSA})?(?:[^가-힣A-Za-z0-9 ]|$| (?:메뉴|화면|탭|페이지|버튼|경로|항목|순서|순으로|후|하면"
    rf"|하고|선택|클릭|누르|눌러|들어가|이동|가서|열어|또는|혹은|이나|and|or|to|in|menu|page|screen|tab"
    rf"|then))|{_JOSA} "
)


def _holds_menu(path: str, source: str) -> bool:
    known = menu_text(read(source).text)
    steps = path.lstrip("`").split(">")
    if path.startswith("`"):
        return _path_in(steps, known, exact=True)
    if _path_in(steps, known, exact=False):
        return True
    inner = any(" " in step for step in steps[1:-1])
    return inner and all(_path_in(list(pair), known, exact=False) for pair in zip(steps, steps[1:], strict=False))


def _path_in(steps: list[str], known: str, *, exact: bool) -> bool:
    firsts = [steps[0]] if exact else _tails(steps[0])
    lasts = [steps[-1]] if exact else _heads(steps[-1])
    return any(_known_path(">".join((first, *steps[1:-1], last)), known) for first in firsts for last in lasts)


def _known_path(path: str, known: str) -> bool:
    return re.search(rf"(?<![가-힣A-Za-z0-9]){re.escape(path)}(?={_JOSA}?(?:[^가-힣A-Za-z0-9]|$))", known) is not None


def _tails(step: str) -> list[str]:
    """What may be the first step: the last words of what stands before the mark."""
    words = step.lstrip("[('\"").rstrip("])'\"").split(" ")
    return [" ".join(words[place:]).lstrip("[('\"") for place in range(max(0, len(words) - 4), len(words))]


def _heads(step: str) -> list[str]:
    """What may be the last step, given that the sentence goes on as it does behind one."""
    ends = [match.end() for match in re.finditer(r"[^ ]+", step)][:4]
    tries = (
        {step[:end] for end in ends}
        | {re.sub(rf"{_JOSA}[^가-힣]*$", "", step[:end]) for end in ends}
        | {re.sub(r"[^가-힣A-Za-z0-9]+$", "", step[:end]) for end in ends}
    )
    return [text for text in tries if text and _AFTER_STEP.match(step[len(text) :])]


def known_urls(sources: Sequence[str]) -> set[str]:
    """Every address in the passages, as facts spell them."""
    return {fact.value for source in sources for fact in passage_facts(source) if fact.kind in ("url", "email")}


def same_url(target: str, sources: Sequence[str]) -> bool:
    """A link's target is an address, e-mail or number that the passages hold."""
    plain = re.sub(r"^(?:mailto|tel):", "", target.strip(), flags=re.IGNORECASE)
    phones = {fact.value for source in sources for fact in passage_facts(source) if fact.kind == "phone"}
    return (
        url(plain) in known_urls(sources)
        or plain.lower() in known_urls(sources)
        or (target.startswith("tel:") and re.sub("[^0-9]", "", plain) in phones)
    )
