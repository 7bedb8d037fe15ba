"""Whether two facts are one in different words."""

import re

from endy.ask.guard.dates import day_range
from endy.ask.guard.models import Fact

_MONTH_OF_DATE = re.compile(r"^(?:[0-9]{4}|-)-([0-9]{2})(?:-[0-9]{2})?$")
_ON_A_DAY = re.compile(r" ?(?:에(?!서)|까지|부터|자|날|지급|마감|\()")


def same(fact: Fact, other: Fact, said: str, source: str) -> bool:
    """`said` and `source` are the texts that the facts stand in; an empty one says nothing."""
    if fact.kind != other.kind:
        return _other_kind(fact, other, said, source)
    if fact.kind == "date":
        return _same_date(fact.value, other.value)
    if fact.kind == "time":
        return _same_time(fact.value, other.value)
    if fact.kind == "weekday":
        return _same_weekday(fact.value, other.value)
    return fact.value == other.value or _same_unit(fact, other)


def _same_date(said: str, known: str) -> bool:
    """A date without its year, or a month without its day, is held by the full one; never the other way round."""
    if said == known or said.startswith("---") or known.startswith("---"):
        return said == known
    if said.startswith("--"):
        return f"{known[1:] if known.startswith('--') else known[4:]}-".startswith(f"{said[1:]}-")
    return known.startswith(f"{said}-")


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


_HOURS = {f"{days} day": f"{days * 86400} second" for days in range(1, 4)}
_EXCHANGED = ({"thing", "case"},)


def _same_unit(fact: Fact, other: Fact) -> bool:
    """하루 is 24시간, and people say 곳, 개 and 건 of the same; 세 번 is never 세 개."""
    if fact.kind == "duration":
        return other.value in (_HOURS.get(fact.value), *(days for days, hours in _HOURS.items() if hours == fact.value))
    (number, _, unit), (known, _, known_unit) = fact.value.partition(" "), other.value.partition(" ")
    if number != known:
        return False
    if fact.kind == "number":
        return not unit or not known_unit
    return fact.kind == "count" and {unit, known_unit} in _EXCHANGED


def _other_kind(fact: Fact, other: Fact, said: str, source: str) -> bool:
    kinds = (fact.kind, other.kind)
    if kinds in (("date", "duration"), ("duration", "date")):
        return _day_of_month(fact, other, said, source)
    if "number" in kinds and "date" in kinds:
        return fact.text.replace(" ", "") == other.text.replace(" ", "") or _fraction(fact, other)
    number, _, unit = fact.value.partition(" ")
    known, _, known_unit = other.value.partition(" ")
    if number != known:
        return False
    if kinds == ("ordinal", "count"):
        return unit == "th" and known_unit == "times" and "번" in other.text
    if fact.kind == "number" and not unit:
        return other.kind in ("ordinal", "phone", "version") or (other.kind == "count" and _in_english(fact, said))
    return kinds == ("version", "number")


def _day_of_month(fact: Fact, other: Fact, said: str, source: str) -> bool:
    """25일에 지급 is 매월 25일; 25일간 is not, nor is a day of one month a day of every month."""
    date, days = (fact, other) if fact.kind == "date" else (other, fact)
    text = said if days is fact else source
    if not re.fullmatch(r"[0-9]+ ?일", days.text) or days.per or (text and not _ON_A_DAY.match(text, days.end)):
        return False
    day = f"{int(days.value.split()[0]):02}" if days.value.split()[0].isdigit() else ""
    if date.value.startswith("---"):
        return date.value == f"---{day}"
    # 3월 2일부터 5일까지: the month stands once.
    month = _MONTH_OF_DATE.match(date.value)
    return date is other and date.value.endswith(f"-{day}") and bool(month and f"{int(month[1])}월" in said)


def _fraction(fact: Fact, other: Fact) -> bool:
    """1/3 may have been read as a date."""
    date, number = (fact, other) if fact.kind == "date" else (other, fact)
    return date.text.replace(" ", "") == number.value


def _in_english(fact: Fact, said: str) -> bool:
    """English leaves open what Korean counts: eight a year is 연 8회."""
    return bool(re.fullmatch("[A-Za-z]+", fact.text)) or (bool(said) and not re.search("[가-힣]", said))
