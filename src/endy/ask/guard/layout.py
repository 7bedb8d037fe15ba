"""Keep a Markdown text whole while pieces of it are left out."""

import re
from dataclasses import dataclass

from endy.ask.guard.sentences import Form, Piece

_NUMBERED = re.compile(r"([ \t]*)([0-9]{1,3})([.)].*)", re.DOTALL)
_LEVEL = re.compile(r"[ \t]*(#+)")


@dataclass(frozen=True, slots=True)
class _Waiting:
    gap: str
    text: str
    form: Form
    own_list: int = 0


class Layout:
    """Headings, table heads and lines that end in a colon wait for what they announce; list numbers close up."""

    def __init__(self) -> None:
        self._gap = ""
        self._started = False
        self._waiting: list[_Waiting] = []
        self._missing = 0
        self._number = 0
        self._form: Form = "sentence"
        self._headless = False
        self._lost = False

    def space(self, gap: str) -> None:
        """Space that stands on its own."""
        self._gap = max(self._gap, gap, key=lambda text: (text.count("\n"), len(text)))

    def headless(self, piece: Piece) -> bool:
        """A row of a table whose first row was dropped."""
        return self._headless and piece.form in ("row", "rule") and self._form in ("row", "rule")

    def drop(self, piece: Piece) -> None:
        """The piece is not shown; the wider of the spaces around it stays."""
        if piece.form == "item" and self._follow(piece.text):
            self._missing += 1
        if piece.form == "row" and self._form not in ("row", "rule"):
            self._headless = True
        self._form, self._lost = piece.form, True
        self.space(piece.gap)

    def keep(self, piece: Piece, own_list: int) -> list[str]:
        """What may be shown now that this piece may be; `own_list` is how many items it announces."""
        waits = self._waits(piece) or own_list > 0
        self._supersede(piece)
        text = self._renumbered(piece.text) if piece.form == "item" else piece.text
        if piece.form not in ("row", "rule"):
            self._headless = False
        self._form = piece.form
        new = _Waiting(self._gap, text, piece.form, own_list)
        self._gap = piece.gap
        if waits:
            self._lost = False
        self._waiting.append(new)
        return [] if waits or self._counting() else self._release()

    def finish(self) -> list[str]:
        """What still waited and stands on its own."""
        self._waiting = [
            one
            for one in self._waiting
            if one.form in ("sentence", "item")
            and not one.own_list
            and not (one.text.rstrip("* ").endswith(":") and self._lost)
        ]
        return self._release()

    def _waits(self, piece: Piece) -> bool:
        if piece.form in ("heading", "rule"):
            return True
        if piece.form == "row":
            return self._form not in ("row", "rule")
        return piece.form == "sentence" and piece.text.rstrip("* ").endswith(":") and "\n" in piece.gap

    def _supersede(self, piece: Piece) -> None:
        """Forget what announced something that did not come."""
        level = _level(piece.text) if piece.form == "heading" else 9
        table = piece.form in ("row", "rule") and self._form in ("row", "rule")
        counting = piece.form == "item"
        kept = []
        for one in self._waiting:
            empty_heading = one.form == "heading" and level <= _level(one.text)
            empty_table = one.form in ("row", "rule") and not table
            bare_intro = (
                one.form == "sentence"
                and one.text.rstrip("* ").endswith(":")
                and self._lost
                and piece.form in ("sentence", "heading")
            )
            if empty_heading or empty_table or bare_intro or (one.own_list and not counting):
                self._gap = max(self._gap, one.gap, key=lambda text: text.count("\n"))
                continue
            kept.append(one)
        self._waiting = kept

    def _counting(self) -> bool:
        """A sentence waits that announced more items than have come."""
        wanted = next((one.own_list for one in self._waiting if one.own_list), 0)
        return wanted > sum(one.form == "item" for one in self._waiting)

    def _release(self) -> list[str]:
        out = []
        for one in self._waiting:
            out.append(one.gap + one.text if self._started else one.text)
            self._started = True
        self._waiting = []
        return out

    def _follow(self, text: str) -> bool:
        """Whether this is a numbered item; a list that starts again starts counting anew."""
        match = _NUMBERED.match(text)
        if not match:
            return False
        number = int(match[2])
        if self._form != "item" or number == 1:
            self._missing = 0
        self._number = number
        return True

    def _renumbered(self, text: str) -> str:
        match = _NUMBERED.match(text) if self._follow(text) else None
        if match is None or not self._missing:
            return text
        return f"{match[1]}{max(1, self._number - self._missing)}{match[3]}"


def _level(text: str) -> int:
    match = _LEVEL.match(text)
    return len(match[1]) if match else 9
