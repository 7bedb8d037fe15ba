"""A text as the guard reads it: one spelling for digits, spaces, dashes and marks, with the way back."""

import re
import unicodedata
from dataclasses import dataclass
from html import unescape

_PIECE = re.compile(
    r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});"
    r"|[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?|[^ -%'-~가-힣\n]"
)
# Marks that change how a text looks and not what it says: bold, code, escapes, strikes.
_MARKS = frozenset("*`\\")
_MENU = re.compile(r"`[^`\n]*[>›»▶▸→⟶➔⇒➜＞][^`\n]*`")
_DASHES = frozenset("\u02d7\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2500\u30fc\ufe58\ufe63\uff70\uff0d")
_SAME = {
    "〜": "~", "∼": "~", "～": "~", "›": ">", "»": ">", "▶": ">", "▸": ">", "→": ">", "⟶": ">", "➔": ">", "⇒": ">",
    "➜": ">", "＞": ">", "₩": "₩", "￦": "₩", "∙": "·", "・": "·", "ㆍ": "·", "•": "·", "⋅": "·", "‧": "·", "：": ":",
    "一": "일", "二": "이", "三": "삼", "四": "사", "五": "오", "六": "육", "七": "칠", "八": "팔", "九": "구",
    "十": "십",
    "百": "백", "千": "천", "万": "만", "萬": "만", "億": "억", "兆": "조", "年": "년", "月": "월", "日": "일",
    "時": "시",
    "分": "분", "圓": "원", "円": "엔", "℃": "도", "½": " 1/2", "“": '"', "”": '"', "‘": "'", "’": "'", "…": "...",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """`text` to search in; `origins[i]` is where its i-th character stood in what was written."""

    text: str
    origins: tuple[int, ...]

    def place(self, index: int) -> int:
        """Where that stood; one behind the last character is the end."""
        return self.origins[index] if index < len(self.origins) else self.origins[-1] + 1 if self.origins else 0


def read(written: str) -> Reading:
    """The text with wide letters, entities, syllables in parts, invisible characters and Markdown's marks read away."""
    pieces: list[str] = []
    origins: list[int] = []
    place = 0
    quotes = {place for match in _MENU.finditer(written) for place in (match.start(), match.end() - 1)}
    for match in _PIECE.finditer(written):
        _plain(written, range(place, match.start()), quotes, pieces, origins)
        seen = _seen(match.group())
        pieces.append(seen)
        origins.extend([match.start()] * len(seen))
        place = match.end()
    _plain(written, range(place, len(written)), quotes, pieces, origins)
    return Reading("".join(pieces), tuple(origins))


def _plain(written: str, places: range, quotes: set[int], pieces: list[str], origins: list[int]) -> None:
    for index in places:
        if written[index] not in _MARKS or index in quotes:
            pieces.append(written[index])
            origins.append(index)


def _seen(piece: str) -> str:
    if piece[0] == "&" and len(piece) > 1:
        piece = unescape(piece)
    return "".join(_same(char) for char in unicodedata.normalize("NFC", piece))


def _same(char: str) -> str:
    if char in _SAME or char in _DASHES:
        return _SAME.get(char, "-")
    if char in "\n&":
        return char
    category = unicodedata.category(char)
    if char in "\t\r" or category == "Zs":
        return " "
    if char in _MARKS or category in ("Cf", "Mn", "Me", "Cc", "Cs"):
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(char))
    return unicodedata.normalize("NFKC", char).replace("⁄", "/")
