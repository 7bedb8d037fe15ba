"""Bytes to text: encodings and files that are no text."""

import pytest

from endy.knowledge.readers.text import MAX_BYTES, decode


def test_utf8_with_and_without_a_mark() -> None:
    """Both are UTF-8, and the mark is not part of the text."""
    assert decode("a.md", "휴가".encode()) == ("휴가", [])
    assert decode("a.md", "휴가".encode("utf-8-sig")) == ("휴가", [])


def test_cp949_is_read_with_a_note() -> None:
    """Older Korean editors still write it; the note names the line that showed it."""
    text, (problem,) = decode("a.md", "# guide\n휴가 똠방각하".encode("cp949"))
    assert text == "# guide\n휴가 똠방각하"
    assert (problem.line, problem.severity) == (2, "warning")
    assert "CP949" in problem.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "빈 파일"),
        (b" \n\n ", "빈 파일"),
        (b"\xef\xbb\xbf", "빈 파일"),
        (b"# a\0b", "글자 파일이 아니에요"),
        ("# 휴가".encode("utf-16"), "UTF-16"),
        (b"ok\n\xff\xfe\xfd", "UTF-8로 저장"),
        (b"x" * (MAX_BYTES + 1), "50MB"),
    ],
)
def test_what_is_no_text_is_refused(content: bytes, said: str) -> None:
    """Each with its own reason."""
    text, (problem,) = decode("a.md", content)
    assert text is None
    assert problem.severity == "error"
    assert said in problem.message
