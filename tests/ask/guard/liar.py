"""Turn true sentences into false ones by rule; every rule leaves out what it would not make false."""

import re
from collections.abc import Iterator

from tests.ask.guard.corpus import passages, rows

_NUMBER = re.compile(r"(?<![0-9.,:A-Za-z\[/\-])[0-9][0-9,]*(?![0-9.,:/\-]*[0-9]|\]|[A-Za-z])")
_SINO = "영일이삼사오육칠팔구"
_UNITS = {
    "일": "시간", "시간": "일", "개월": "주", "명": "회", "번": "명", "회": "명", "만 원": "만 달러",
    "원": "달러", "년": "주",
    "분": "시간", "세": "회", "%": "명", "층": "호", "월": "층", "건": "층", "자": "일", "대": "층", "석": "층",
}  # fmt: skip
_OPPOSITE = {
    "이상": "미만", "이내": "이후", "까지": "부터", "최대": "최소", "이하": "이상", " 전까지": " 후에", "오전": "오후",
    "매년": "매월", "해마다": "달마다", "월 ": "연 ", "한 달에": "하루에", "주 ": "월 ", "연 ": "주 ",
}  # fmt: skip


def spelled(number: int) -> str:
    """A number below ten million in Korean letters: 15 is 십오."""
    if number >= 10000:
        high, low = divmod(number, 10000)
        return (spelled(high) if high > 1 else "") + "만" + (spelled(low) if low else "")
    text = ""
    for worth, name in ((1000, "천"), (100, "백"), (10, "십")):
        digit, number = divmod(number, worth)
        text += ("" if digit == 1 else _SINO[digit] if digit else "") + (name if digit else "")
    return text + (_SINO[number] if number else "")


def _wide(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if char.isdigit() else char for char in text)


def _other_number(number: int, passage: str) -> int:
    """A number that stands nowhere in the passages, neither in digits nor as a part of a larger one."""
    known = re.sub("[, ]", "", passage)
    return next(other for other in range(number + 7, number + 400, 4) if str(other) not in known)


def lies() -> Iterator[tuple[str, list[str], str]]:
    """Rule, passages and a false sentence."""
    known = passages()
    for names, sentence in rows("honest.tsv"):
        given = [known[name] for name in names.split(",")]
        yield from ((rule, given, lie) for rule, lie in _changed(sentence, "\n".join(given)))
        yield from _cited_wrongly(names, sentence, known)
        yield from ((rule, given, lie) for rule, lie in _decorated(sentence))


def _changed(sentence: str, passage: str) -> Iterator[tuple[str, str]]:
    for match in _NUMBER.finditer(sentence):
        before, after = sentence[: match.start()], sentence[match.end() :]
        number = int(match.group().replace(",", ""))
        other = _other_number(number, passage)
        yield "another number", f"{before}{other}{after}"
        yield "zero added", f"{before}{number * 1000}{after}"
        yield "full width", f"{before}{_wide(str(other))}{after}"
        yield "spaced", f"{before}{' '.join(str(other))}{after}"
        yield "bold", f"{before}{str(other)[0]}**{str(other)[1:]}**{after}"
        yield "entities", before + "".join(f"&#{ord(char)};" for char in str(other)) + after
        if re.match(r" ?(?:일|명|회|개월|원|만 원|퍼센트|분(?! ?전))", after) and not re.search(r"[월~\-] ?$", before):
            yield "spelled", f"{before}{spelled(other)} {after.lstrip()}"
        yield from _unit_changed(before, match.group(), after)
    # A passage that says both sides of a number cannot tell them apart.
    yield from ((rule, lie) for rule, lie in _opposite(sentence) if "미만" not in passage or "이상" not in passage)


def _unit_changed(before: str, number: str, after: str) -> Iterator[tuple[str, str]]:
    unit = next((unit for unit in sorted(_UNITS, key=len, reverse=True) if after.lstrip().startswith(unit)), None)
    if unit:
        yield "another unit", before + number + after.replace(unit, _UNITS[unit], 1)


def _opposite(sentence: str) -> Iterator[tuple[str, str]]:
    for word, other in _OPPOSITE.items():
        pattern = (
            rf"[0-9]{{1,3}}(?:일|회|세|영업일|%|번|건|시간)? ?{word}"
            if len(word.strip()) > 1 and word[0] in "이까 "
            else None
        )
        match = re.search(pattern, sentence) if pattern else None
        if match:
            yield "other side", sentence.replace(match.group(), match.group().replace(word, other), 1)


def _cited_wrongly(names: str, sentence: str, known: dict[str, str]) -> Iterator[tuple[str, list[str], str]]:
    if "," in names or "[1]" not in sentence or re.search(r"가지|만약|조건|일반", sentence):
        return
    numbers = set(re.findall(r"[0-9]{2,}", sentence.replace("[1]", "")))
    others = [
        name
        for name, text in known.items()
        if name != names and numbers and not numbers & set(re.findall(r"[0-9]+", text))
    ]
    for other in others[:2]:
        yield "wrong passage cited", [known[names], known[other]], sentence.replace("[1]", "[2]")
    yield "passage that is not there", [known[names]], sentence.replace("[1]", "[4]")


def _decorated(sentence: str) -> Iterator[tuple[str, str]]:
    yield "invented link", f"{sentence.rstrip('.')} 자세히: https://maru-help.example/{len(sentence)}"
    yield "invented e-mail", f"{sentence.rstrip('.')} (ask{len(sentence)}@maru.example)"
    yield "invented telephone", f"{sentence.rstrip('.')}, 전화 02-0000-{8000 + len(sentence)}"
    yield "invented menu", f"`온누리 > 새 메뉴 {len(sentence)} > 신청`에서 하세요."
    yield "markup", f"<span>{sentence}</span>"
    yield "image", f"![](https://a.example/x.png) {sentence}"
