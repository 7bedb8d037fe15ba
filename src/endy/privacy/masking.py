"""Finding and masking personal data in text: pure functions, linear in the text's length."""

import re

_WIDE = {0xFF10 + digit: str(digit) for digit in range(10)} | {0xFF0D: "-", 0xFF20: "@", 0xFF0E: "."}
_DASHES_AND_SPACES = dict.fromkeys([*range(0x2010, 0x2016), 0x2212], "-") | dict.fromkeys([0xA0, 0x3000], " ")
_PLAIN = _WIDE | _DASHES_AND_SPACES

_MAYBE = re.compile(r"[\d@＠]|%40")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}(?:@|%40)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}")
_RESIDENT = re.compile(r"(?<!\d)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[ -]{0,3}[1-8]\d{6}(?!\d)")
_CARD = re.compile(r"(?<!\d)\d{4}[ -]?(?:\d{4}[ -]?\d{4}[ -]?\d{3,4}|\d{6}[ -]?\d{5})(?!\d)")
_MOBILE = re.compile(r"(?<!\d)(?:\+?82[ .-]?\(?0?\)?)?0?1[016789][ .)-]{0,2}\d{3,4}[ .-]?\d{4}(?!\d)")
_LANDLINE = re.compile(r"(?<!\d)0(?:2|[3-6]\d|70|50\d)[ .)-]{1,2}\d{3,4}[ .-]\d{4}(?!\d)")
_ACCOUNT = re.compile(r"(?<![\d-])\d{2,6}-\d{2,6}-\d{4,8}(?:-\d{1,4})?(?![\d-])")
_EMPLOYEE = re.compile(r"(?<!\d)(?<!\d[.,-])(?:19[89]|20[0-3])\d{4}(?!\d|[.,-]\d|\s*(?:원|km|대|건|명|개))")

_DATE_LIKE = re.compile(r"(?:19|20)\d{2}-\d{1,2}-\d{1,4}$")


def mask(text: str) -> str:
    """The text with personal data replaced by labels such as [이메일]; everything else stays as it is."""
    if not _MAYBE.search(text):
        return text
    readable = text.translate(_PLAIN)
    masked = _EMAIL.sub("[이메일]", readable)
    masked = _RESIDENT.sub("[주민등록번호]", masked)
    masked = _CARD.sub(_card, masked)
    masked = _MOBILE.sub("[전화번호]", masked)
    masked = _LANDLINE.sub("[전화번호]", masked)
    masked = _ACCOUNT.sub(_account, masked)
    masked = _EMPLOYEE.sub("[사번]", masked)
    return text if masked == readable else masked


def _card(match: re.Match[str]) -> str:
    digits = [int(char) for char in match.group() if char.isdigit()]
    return "[카드번호]" if _luhn(digits) else match.group()


def _luhn(digits: list[int]) -> bool:
    """Luhn's check, ISO/IEC 7812-1."""
    doubled = (digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _account(match: re.Match[str]) -> str:
    text = match.group()
    digits = sum(char.isdigit() for char in text)
    return text if digits < 10 or _DATE_LIKE.match(text) else "[계좌번호]"
