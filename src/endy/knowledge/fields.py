"""Values that people write about their content, the same in front matter and in FAQ entries."""

import re
from collections.abc import Callable, Mapping
from datetime import date

from endy.retrieval.section import EVERYONE

ADMIN = "admin"
SHORT = 200
LONG = 2000

_DATE = re.compile(r"(\d{4})\s*[-./]\s*(\d{1,2})\s*[-./]\s*(\d{1,2})\.?")
_AUDIENCES = dict.fromkeys(("everyone", "all", "전체", "모두"), EVERYONE) | dict.fromkeys(("admin", "관리자"), ADMIN)


class FieldError(ValueError):
    """A value that cannot be used; its text is shown to the owner."""


def storable(text: str) -> bool:
    """Whether the text can be written as UTF-8 to any database: no NUL, no half of a surrogate pair."""
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def text(value: object, limit: int = SHORT) -> str:
    """One line of text; numbers are taken as written, and nothing is the empty text."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise FieldError("글자로 적어 주세요")
    words = " ".join(str(value).split())
    if not storable(words):
        raise FieldError("쓸 수 없는 글자가 들어 있어요")
    if len(words) > limit:
        raise FieldError(f"{limit}자보다 길어요")
    return words


def words(value: object) -> tuple[str, ...]:
    """A list, or one text with commas; repeated and empty words are dropped."""
    if isinstance(value, str):
        value = value.split(",")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise FieldError("목록으로 적어 주세요. 예: [휴가, 연차]")
    return tuple(dict.fromkeys(word for word in (text(item) for item in value) if word))


def audience(value: object) -> frozenset[str]:
    """Who may see it. What cannot be read is refused: a slip must not open content to everyone."""
    names = words(value)
    if not names:
        raise FieldError("볼 사람을 적어 주세요. 예: 전체, 관리자, 부서 이름")
    return frozenset(_AUDIENCES.get(name.lower(), name) for name in names)


def day(value: object) -> date | None:
    """A date such as 2026-03-01, 2026.3.1 or 2026/3/1."""
    written = text(value)
    if not written:
        return None
    match = _DATE.fullmatch(written)
    try:
        if match:
            return date(*map(int, match.groups()))
    except ValueError:
        pass
    raise FieldError(f"'{written[:30]}'은(는) 날짜가 아니에요. 2026-03-01처럼 적어 주세요")


def link(value: object) -> str:
    """A web address; anything else, such as `javascript:`, is refused."""
    written = text(value, LONG)
    if written and not written.lower().startswith(("http://", "https://")):
        raise FieldError("http:// 또는 https://로 시작하는 주소를 적어 주세요")
    return written


FIELDS: Mapping[str, Callable[[object], object]] = {
    "title": text,
    "category": text,
    "department": text,
    "contact": text,
    "audience": audience,
    "effective_from": day,
    "review_by": day,
    "link": link,
    "keywords": words,
}
"""How each field is read; the names are the ones of `Section`."""
