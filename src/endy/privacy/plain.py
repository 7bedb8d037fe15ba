"""Text as a finder reads it: one spelling for digits, dashes and spaces, with the way back to what was typed."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from urllib.parse import unquote

_INVISIBLE = "\u200b"
"""Pads what becomes shorter, so that offsets hold until everything invisible is dropped at once."""

_INVISIBLES = (
    "\u00ad\u034f\u061c\u115f\u1160\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\u0300-\u034e\u0350-\u036f\u20d0-\u20ff"
)
_DASHES = "\u02d7\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2500\u3161\u30fc\ufe58\ufe63\uff70"
_DOTS = "\u00b7\u2022\u2024\u2027\u2219\u22c5\u30fb\u318d\u3002\uff61"
_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"

_SAME_LENGTH = (
    {0xFF01 + offset: 0x21 + offset for offset in range(94)}
    | {0x1D7CE + offset: 0x30 + offset % 10 for offset in range(50)}
    | dict.fromkeys(map(ord, _DASHES), "-")
    | dict.fromkeys(map(ord, _DOTS), ".")
    | dict.fromkeys(map(ord, _SPACES), " ")
    | {0xFE6B: "@", 0x223C: "~", 0x301C: "~"}
)
_UNUSUAL = re.compile(f"[{_DASHES}{_DOTS}{_SPACES}{_INVISIBLES}\uff01-\uff5e\U0001d7ce-\U0001d7ff\ufe6b\u223c\u301c]")
_DROPPED = re.compile(f"[{_INVISIBLES}]")
_TRAILING = re.compile("[\u0300-\u036f\u20d0-\u20ff\ufe00-\ufe0f]*")
# Percent and JSON escapes, character references, and syllables in parts as some file systems keep them.
_ESCAPED = re.compile(
    r"%(?:(?:25)?[2-7][0-9A-Fa-f]|[Cc]2%[Aa][0Dd]|[Ee][2-9A-Fa-f](?:%[89ABab][0-9A-Fa-f]){2})|\\(?:u[0-9A-Fa-f]{4}|[nrt])"
    r"|&(?:#[0-9]{2,5}|#[xX][0-9A-Fa-f]{2,4}|nbsp|commat|period|hyphen|ndash|mdash|shy|amp|lt|gt|quot);"
    r"|[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?"
)
_MAYBE_ESCAPED = re.compile(r"[%\\&\u1100-\u1112]")
_BACKSLASH = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}


@dataclass(frozen=True, slots=True)
class Plain:
    """`text` to search in; without `origins` every offset is the typed text's own."""

    text: str
    typed: str
    origins: Sequence[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where in the typed text that stands."""
        if self.origins is None:
            return start, end
        last = self.origins[end - 1]
        escape = _ESCAPED.match(self.typed, last)
        whole = _TRAILING.match(self.typed, escape.end() if escape else last + 1)
        return self.origins[start], whole.end() if whole else last + 1


def plain(typed: str) -> Plain:
    """The text with wide letters, typographic marks, escapes and invisible characters read as what they mean."""
    text = typed
    if _MAYBE_ESCAPED.search(text):
        text = _ESCAPED.sub(_decoded, text)
    if not _UNUSUAL.search(text):
        return Plain(text, typed)
    text = text.translate(_SAME_LENGTH)
    if not _DROPPED.search(text):
        return Plain(text, typed)
    kept = [place for place, char in enumerate(text) if char not in _ALL_INVISIBLE]
    return Plain("".join(map(text.__getitem__, kept)), typed, kept)


def _decoded(match: re.Match[str]) -> str:
    return _padded(match.group())


@lru_cache(maxsize=1024)
def _padded(escape: str) -> str:
    """The one character that an escape stands for, as long as the escape."""
    if escape[0] == "%":
        char = unquote(unquote(escape))
    elif escape[0] == "&":
        char = unescape(escape)
    elif escape[0] == "\\":
        char = _BACKSLASH.get(escape) or chr(int(escape.removeprefix("\\u"), 16))
    else:
        char = unicodedata.normalize("NFC", escape)
    return char.ljust(len(escape), _INVISIBLE) if len(char) == 1 else escape


_ALL_INVISIBLE = frozenset(_DROPPED.findall("".join(map(chr, range(0x10000)))))
