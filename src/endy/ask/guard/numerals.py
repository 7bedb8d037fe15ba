"""Numbers as Korean and English write them, and what they are worth."""

import re
from decimal import Decimal, InvalidOperation

_DIGIT = {"영": 0, "공": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6, "칠": 7, "팔": 8, "구": 9}
_SMALL = {"십": 10, "백": 100, "천": 1000}
_LARGE = {"만": 10**4, "억": 10**8, "조": 10**12}

_ONES = {
    "하나": 1, "한": 1, "둘": 2, "두": 2, "셋": 3, "세": 3, "석": 3, "서": 3, "넷": 4, "네": 4, "넉": 4, "너": 4,
    "다섯": 5, "닷": 5, "여섯": 6, "엿": 6, "일곱": 7, "여덟": 8, "아홉": 9,
}  # fmt: skip
_TENS = {
    "열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60, "일흔": 70, "여든": 80, "아흔": 90,
}  # fmt: skip
_ENGLISH = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_DAY_ONES = {"하루": 1, "이틀": 2, "사흘": 3, "나흘": 4, "닷새": 5, "엿새": 6, "이레": 7, "여드레": 8, "아흐레": 9}
DAYS = {
    **_DAY_ONES, "열흘": 10, "보름": 15, "스무날": 20,
    **{f"열{word}": 10 + worth for word, worth in _DAY_ONES.items()},
    **{f"스무{word}": 20 + worth for word, worth in _DAY_ONES.items()},
}  # fmt: skip

# Digits one apart ("1 5일") are one number written to be overlooked.
DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9](?: [0-9]){1,8}(?![0-9.,:/])|[0-9]+(?:\.[0-9]+)?)"
_D = DIGITS
_S = "[영공일이삼사오육륙칠팔구]"
_DIGIT_GROUP = rf"{_D}(?: ?[천백십](?: ?{_D} ?[백십])?(?: ?{_D} ?십)?(?: ?[0-9]{{1,3}}(?![0-9,.]))?)?"
_SINO_GROUP = rf"(?=[영공일이삼사오육륙칠팔구천백십])(?:{_S}? ?천 ?)?(?:{_S}? ?백 ?)?(?:{_S}? ?십 ?)?{_S}?"
_GROUP = rf"(?:{_DIGIT_GROUP}|{_SINO_GROUP})"
WITH_DIGITS = (
    rf"{_DIGIT_GROUP}(?: ?조(?: ?{_GROUP}(?= ?[억만]))?)?(?: ?억(?: ?{_GROUP}(?= ?만))?)?(?: ?만(?: ?{_GROUP})?)?(?<! )"
)
SINO = (
    rf"(?=[영공일이삼사오육륙칠팔구십백천만억])(?:{_SINO_GROUP} ?조 ?)?(?:(?:{_SINO_GROUP})? ?억"
    rf" ?)?(?:(?:{_SINO_GROUP})? ?만 ?)?(?:{_SINO_GROUP})?(?<! )"
)
_TEN = "(?:열|스물|스무|서른|마흔|쉰|예순|일흔|여든|아흔)"
_ONE = "(?:하나|한|둘|두|셋|세|석|넷|네|넉|다섯|닷|여섯|엿|일곱|여덟|아홉)"
NATIVE = rf"(?:백 ?)?(?:{_TEN} ?{_ONE}|{_TEN}|{_ONE})"
_EN = rf"(?:{'|'.join(sorted(_ENGLISH, key=len, reverse=True))})"
ENGLISH = (
    rf"(?:{_EN}|an?(?= (?:hundred|thousand|million)\b))(?:[ -](?:and )?(?:{_EN}|hundred|thousand|million|billion))*\b"
)


def value(written: str) -> Decimal | None:
    """What a number is worth, in whichever way it is written; None when it is none."""
    text = written.strip()
    try:
        if text[:1].isascii() and text[:1].isalpha():
            return _english(text.lower())
        if any(word in text for word in _TENS) or any(text.endswith(word) for word in _ONES):
            return _native(text)
        return _sino(text)
    except (InvalidOperation, KeyError, ValueError):
        return None


def _english(text: str) -> Decimal:
    total, part = 0, 0
    for word in re.findall("[a-z]+", text):
        if word in ("a", "an"):
            part = 1
        elif word in _ENGLISH:
            part += _ENGLISH[word]
        elif word == "hundred":
            part = (part or 1) * 100
        elif word in _SCALES:
            total, part = total + (part or 1) * _SCALES[word], 0
    return Decimal(total + part)


def _native(text: str) -> Decimal:
    left = text.replace(" ", "")
    total = 0
    if left.startswith("백"):
        total, left = 100, left[1:]
    for word, worth in _TENS.items():
        if left.startswith(word):
            total, left = total + worth, left[len(word) :]
            break
    return Decimal(total + (_ONES[left] if left else 0))


_TOKEN = re.compile(rf"{_D}|[가-힣]")


def _sino(text: str) -> Decimal:
    """Digits, spelled digits and 십/백/천/만/억/조, mixed as people mix them."""
    if not any(unit in text for unit in "십백천만억조"):
        spelled = "".join(str(_DIGIT[char]) if char in _DIGIT else char for char in text)
        return Decimal(spelled.replace(" ", "").replace(",", ""))
    total, group, digit = Decimal(0), Decimal(0), Decimal(-1)
    for token in _TOKEN.findall(text):
        if token in _SMALL:
            group, digit = group + _SMALL[token] * (digit if digit >= 0 else 1), Decimal(-1)
        elif token in _LARGE:
            part = group + max(digit, Decimal(0))
            total, group, digit = total + _LARGE[token] * (part or 1), Decimal(0), Decimal(-1)
        else:
            digit = Decimal(_DIGIT[token]) if token in _DIGIT else Decimal(token.replace(",", "").replace(" ", ""))
    return total + group + max(digit, Decimal(0))


def plain(number: Decimal) -> str:
    """One spelling for equal numbers: 15, 0.5."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
