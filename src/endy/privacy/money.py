"""Numbers of cards and bank accounts."""

from endy.privacy.parts import DIVIDER, END, GAP

_GAP = r"[ .\-_/]{0,3}"
CARD = (
    rf"(?:(?:2[2-7]|[3-69][0-9])[0-9]{{2}}{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}"
    rf"|3[47][0-9]{{2}}{GAP}[0-9]{{6}}{GAP}[0-9]{{5}}|3[0689][0-9]{{2}}{GAP}[0-9]{{6}}{GAP}[0-9]{{4}}){END}"
)

_SHAPES = (
    "3-2-6", "3-2-7", "3-3-6", "3-4-6", "3-6-3", "3-6-5", "5-2-6", "6-2-5", "6-2-6", "3-2-4-3", "3-2-5-1", "3-2-5-3",
    "3-2-6-1", "3-4-4-2", "3-4-4-3", "3-6-2-2", "3-6-2-3",
)  # fmt: skip
_YEARLESS = ("4-2-7", "4-3-6", "4-3-6-2", "4-4-4-1", "4-5-4-1")
"""What begins with four digits must not begin with a year: 2026-11-0001234 is a document."""


def _written(shape: str) -> str:
    return "-".join(f"[0-9]{{{size}}}" for size in shape.split("-"))


# 1000-1234-5678 is how one bank writes; other numbers of three fours are parcels.
ACCOUNT = (
    rf"(?=[0-9]{{3,6}}-[0-9]{{2,6}}-[0-9])(?<![0-9A-Za-z]-)(?:{'|'.join(map(_written, _SHAPES))}"
    rf"|100[0-9]-[0-9]{{4}}-[0-9]{{4}}|(?!19|20)(?:{'|'.join(map(_written, _YEARLESS))}))(?![0-9]|-[0-9A-Za-z])"
)

DATE = r"(?:19|20)[0-9]{2}[ .\-]?(?:0[1-9]|1[0-2])[ .\-]?(?:0[1-9]|[12][0-9]|3[01])"
ACCOUNT_DIGITS = (
    rf"(?=(?:[0-9]{GAP}+){{10}})(?!(?:[0-9]{GAP}+){{15}})(?!{DATE})"
    rf"(?:[0-9]{{10,14}}|[0-9]{{2,6}}(?:{DIVIDER}[0-9]{{1,8}}){{2,3}}){END}"
)
"""Ten to fourteen digits in any groups: an account only where something says so."""


_DOUBLED = str.maketrans("0123456789", "0246813579")


def passes_luhn(number: str) -> bool:
    """The check of ISO/IEC 7812-1; what is no digit is passed over."""
    digits = number if number.isdigit() else "".join(filter(str.isdigit, number))
    # Sums of bytes, for this is asked of every long number.
    codes = sum(digits[-1::-2].encode()) + sum(digits[-2::-2].translate(_DOUBLED).encode())
    return (codes - ord("0") * len(digits)) % 10 == 0
