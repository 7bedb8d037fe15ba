"""Text that people typed: what of it means something."""

import unicodedata

_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols to Unicode, nothing to the eye: Hangul fillers and the empty Braille cell."""


def readable(text: str) -> str:
    """Without control characters (except tabs and line ends) and lone surrogates; they have no meaning."""
    if text.isprintable():
        return text
    return "".join(char for char in text if char in "\t\r\n" or unicodedata.category(char) not in ("Cc", "Cs"))


def is_blank(text: str) -> bool:
    """Whether nothing of it can be seen: spaces of any width, joiners and fillers only."""
    return all(char in _BLANK_LETTERS or unicodedata.category(char)[0] in "CZ" for char in text)
