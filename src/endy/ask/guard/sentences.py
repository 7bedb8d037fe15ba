"""Cut a growing Markdown text into sentences, list items and table rows, never inside one."""

import re
from dataclasses import dataclass
from typing import Literal

Form = Literal["sentence", "item", "row", "rule", "heading", "fence"]
LONGEST = 4000
"""Characters after which a text without an end is cut at a space, so that work stays linear."""

_FORM = re.compile(
    r"[ \t]*(?:(?P<heading>#{1,6}[ \t])|(?P<row>\|)|(?P<fence>```|~~~)|(?P<item>(?:[-+*]|[0-9]{1,3}[.)])[ \t]))"
)
_RULE_ROW = re.compile(r"[ \t]*\|[ \t:|\-]+$")
_UNDECIDED = re.compile(r"[ \t]*(?:#{0,6}|[`~]{0,2}|[-+*]|[0-9]{1,3}[.)]?)$")
_END = re.compile(r"[.!?。！？…]+[\"')\]*_”’»~]*|[.!?。！？…]*(?:\[[0-9]{1,3}(?:[ ]?,[ ]?[0-9]{1,3})*\])+[.!?。！？…]+")
_CITATIONS = re.compile(r"(?:[ \t]*\[[0-9]{1,3}(?:[ ]?[,\-~][ ]?[0-9]{1,3})*\])+[.!?。]*")
_OPEN_CITATION = re.compile(r"(?:[ \t]*\[[0-9,\-~ ]*\])*[ \t]*(?:\[[0-9,\-~ ]{0,40})?$")
_NOT_AN_END = re.compile(
    r"(?:\b(?:e\.g|i\.e|a\.m|p\.m|etc|vs|No|Mr|Ms|Mrs|Dr|ext|approx|cf|tel|max|min|예|단)"
    r"|[0-9]{4}\. ?[0-9]{1,2}|[0-9]{4}\. ?[0-9]{1,2}\. ?[0-9]{1,2}|^[ \t]*[0-9]{1,3})\.$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A unit with the space behind it; `form` says what it is."""

    text: str
    gap: str
    form: Form


class Cutter:
    """Feed text, take pieces; what is cut depends on the text alone and not on how it came."""

    def __init__(self) -> None:
        self._left = ""
        self._line_start = True
        self._seen = 0

    def feed(self, delta: str) -> None:
        """More of the text."""
        self._left += delta

    def take(self, final: bool = False) -> list[Piece]:
        """The pieces whose end is certain; all of them when the text is `final`."""
        pieces: list[Piece] = []
        place = 0
        while True:
            piece, place_after = self._next(place, final)
            if piece is None:
                break
            pieces.append(piece)
            place = place_after
        self._left = self._left[place:]
        self._seen = max(0, self._seen - place)
        return pieces

    def _next(self, start: int, final: bool) -> tuple[Piece | None, int]:
        text = self._left
        if start >= len(text):
            return None, start
        limit = start + LONGEST
        newline = text.find("\n", max(start, self._seen), limit)
        line_end = newline if newline >= 0 else min(len(text), limit)
        overlong = newline < 0 and len(text) >= limit
        complete = newline >= 0 or final or overlong
        form = self._form(text[start:line_end], complete)
        end = self._end(start, line_end, form, complete, overlong) if form else None
        if end is None:
            self._seen = max(start, len(text) - 1)
            return None, start
        behind = _space_end(text, end)
        if behind == len(text) and not final and not overlong:
            self._seen = start
            return None, start
        self._seen = behind
        gap = text[end:behind]
        body, indent = text[start:end], ""
        if "\n" in gap:
            cut = gap.rindex("\n") + 1
            gap, indent = gap[:cut], gap[cut:]
        self._line_start = "\n" in gap
        return Piece(body, gap, form or "sentence"), behind - len(indent)

    def _form(self, line: str, complete: bool) -> Form | None:
        """What kind of line this is; None while too little of it is here."""
        if not self._line_start:
            return "sentence"
        if not complete and _UNDECIDED.match(line):
            return None
        match = _FORM.match(line)
        if not match:
            return "sentence"
        name = match.lastgroup
        if name == "row":
            return ("rule" if _RULE_ROW.match(line.rstrip()) else "row") if complete else None
        return "heading" if name == "heading" else "fence" if name == "fence" else "item"

    def _end(self, start: int, line_end: int, form: Form, complete: bool, overlong: bool) -> int | None:
        if form == "sentence":
            end = self._sentence_end(start, line_end, complete)
            if end is not None:
                return end
        if not complete:
            return None
        if overlong:
            space = self._left.rfind(" ", start + 1, line_end)
            return space if space > start else line_end
        return start + len(self._left[start:line_end].rstrip(" \t\r")) or line_end

    def _sentence_end(self, start: int, line_end: int, complete: bool) -> int | None:
        text = self._left
        for match in _END.finditer(text, start, line_end):
            end = match.end()
            if end < line_end and text[end] not in " \t[":
                continue
            if end >= line_end and not complete:
                return None
            if _NOT_AN_END.search(text[max(start, end - 16) : end]) or _is_open(text, start, end):
                continue
            cited = _CITATIONS.match(text, end, line_end)
            end = cited.end() if cited else end
            rest = text[end:line_end]
            if not complete and (_OPEN_CITATION.match(rest) or not rest.strip()):
                return None
            if end < line_end and (
                text[end] not in " \t"
                or (rest.lstrip()[:1].isdigit() and text[end - 1] == "." and text[end - 2 : end - 1].isdigit())
            ):
                continue
            return end
        return None


def _is_open(text: str, start: int, end: int) -> bool:
    """Inside brackets or backquotes no sentence ends."""
    part = text[start:end]
    return part.count("(") > part.count(")") or part.count("`") % 2 == 1


def _space_end(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place
