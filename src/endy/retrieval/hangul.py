"""Hangul arithmetic: syllables and jamo, the English keyboard, and a spelling key that forgives typos."""

import re

_LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_TAILS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
_BASE = 0xAC00
_SYLLABLES = 11172

_KEYS = dict(
    zip("qwertyuiopasdfghjklzxcvbnm", "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡ", strict=True)
) | dict(zip("QWERTOP", "ㅃㅉㄸㄲㅆㅒㅖ", strict=True))
_COMPOUND_VOWELS = {
    "ㅗㅏ": "ㅘ", "ㅗㅐ": "ㅙ", "ㅗㅣ": "ㅚ", "ㅜㅓ": "ㅝ", "ㅜㅔ": "ㅞ", "ㅜㅣ": "ㅟ", "ㅡㅣ": "ㅢ",
}  # fmt: skip
_COMPOUND_TAILS = {
    "ㄱㅅ": "ㄳ", "ㄴㅈ": "ㄵ", "ㄴㅎ": "ㄶ", "ㄹㄱ": "ㄺ", "ㄹㅁ": "ㄻ", "ㄹㅂ": "ㄼ", "ㄹㅅ": "ㄽ", "ㄹㅌ": "ㄾ",
    "ㄹㅍ": "ㄿ", "ㄹㅎ": "ㅀ", "ㅂㅅ": "ㅄ",
}  # fmt: skip

# Letters that are swapped most often in hurried Korean: sounds alike, or a neighbour key.
_SOUND_ALIKE = str.maketrans("ㅔㅖㅒㅙㅚㅞㅑㅕㅛㅠㅢㄲㄸㅃㅆㅉ", "ㅐㅐㅐㅐㅐㅐㅏㅓㅗㅜㅣㄱㄷㅂㅅㅈ")

_KEYBOARD_RUN = re.compile(r"[A-Za-z]+")


def is_syllable(char: str) -> bool:
    return _BASE <= ord(char) < _BASE + _SYLLABLES


def decompose(text: str) -> str:
    """Split every syllable into its two or three jamo; other characters stay."""
    out: list[str] = []
    for char in text:
        if is_syllable(char):
            lead, rest = divmod(ord(char) - _BASE, 588)
            vowel, tail = divmod(rest, 28)
            out.append(_LEADS[lead] + _VOWELS[vowel] + _TAILS[tail])
        else:
            out.append(char)
    return "".join(out)


def spelling_key(text: str) -> str:
    """Jamo with sound-alike letters merged, so that 경죠휴가 and 경조휴가 share one key."""
    return decompose(text).translate(_SOUND_ALIKE)


def from_english_keyboard(text: str) -> str:
    """Read letter runs as if the Korean layout had been on: `dusck` becomes 연차.

    A run is converted only if all of it composes into whole syllables.
    """
    return _KEYBOARD_RUN.sub(lambda match: _compose(match.group()) or match.group(), text)


def _compose(run: str) -> str | None:
    letters = [_KEYS.get(char) or _KEYS.get(char.lower(), "") for char in run]
    syllables: list[str] = []
    position = 0
    while position < len(letters):
        taken = _take_syllable(letters, position)
        if taken is None:
            return None
        syllable, position = taken
        syllables.append(syllable)
    return "".join(syllables)


def _take_syllable(letters: list[str], start: int) -> tuple[str, int] | None:
    """One syllable beginning at `start` and the position after it; None where no syllable begins."""
    if start + 1 >= len(letters) or letters[start] not in _LEADS or letters[start + 1] not in _VOWELS:
        return None
    vowel, position = letters[start + 1], start + 2
    if position < len(letters) and vowel + letters[position] in _COMPOUND_VOWELS:
        vowel, position = _COMPOUND_VOWELS[vowel + letters[position]], position + 1
    tail = ""
    if _starts_tail(letters, position):
        tail, position = letters[position], position + 1
        if _starts_tail(letters, position) and tail + letters[position] in _COMPOUND_TAILS:
            tail, position = _COMPOUND_TAILS[tail + letters[position]], position + 1
    code = _BASE + _LEADS.index(letters[start]) * 588 + _VOWELS.index(vowel) * 28 + _TAILS.index(tail)
    return chr(code), position


def _starts_tail(letters: list[str], position: int) -> bool:
    """Whether the consonant here closes a syllable: no vowel follows that would claim it."""
    if position >= len(letters) or letters[position] not in _TAILS:
        return False
    return position + 1 >= len(letters) or letters[position + 1] not in _VOWELS
