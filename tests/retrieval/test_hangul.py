"""Jamo, keyboard and spelling keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endy.retrieval.hangul import decompose, from_english_keyboard, spelling_key


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("dusck", "연차"), ("qksck tlscjd", "반차 신청"), ("djswpRkwl", "언제까지"), ("rhksfl", "관리"), ("ekfr", "닭")],
)
def test_korean_typed_on_an_english_keyboard_is_read(typed: str, meant: str) -> None:
    """Letter runs that compose into whole syllables become them, compound vowels and finals included."""
    assert from_english_keyboard(typed) == meant


@pytest.mark.parametrize("text", ["VPN", "hotel", "payday 21", "https://on.example", ""])
def test_what_does_not_compose_stays(text: str) -> None:
    """English words are left as they are."""
    assert from_english_keyboard(text) == text


def test_sound_alike_letters_share_a_key() -> None:
    """경죠휴가 and 경조휴가 differ only in letters that sound alike; 휴가 and 휴지 do not."""
    assert spelling_key("경죠휴가") == spelling_key("경조휴가")
    assert spelling_key("휴가") != spelling_key("휴지")


@given(st.text())
def test_any_text_can_be_taken_apart(text: str) -> None:
    """No input raises, and text without Hangul syllables is unchanged."""
    taken = decompose(text)
    if not any("가" <= char <= "힣" for char in text):
        assert taken == text
    from_english_keyboard(text)
