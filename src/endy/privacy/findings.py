"""What a finder reports: which kind of personal data stands where."""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Kinds of personal data; the value is what a reader sees in its place."""

    EMAIL = "이메일"
    PHONE = "전화번호"
    EMPLOYEE = "사번"
    RESIDENT = "주민등록번호"
    CARD = "카드번호"
    ACCOUNT = "계좌번호"
    PASSPORT = "여권번호"
    LICENCE = "운전면허번호"
    PLATE = "차량번호"

    @property
    def label(self) -> str:
        return f"[{self}]"


class Finding(NamedTuple):
    """`start` and `end` are offsets in the text as it was typed."""

    start: int
    end: int
    kind: Kind
