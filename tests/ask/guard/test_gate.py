"""The gate lets sentences through while they come, the same however they come."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endy.ask.guard import SentenceGate, check, facts
from tests.ask.guard.corpus import passages, rows

SOURCES = list(passages().values())
_LINES = st.sampled_from(
    [
        "연차는 15일이에요 [1].", "연차는 17일이에요 [1]. ", "## 제목", "### 작은 제목", "- 15일 [1]",
        "- 16일 [1]", "1. 하나", "2. 99일", "3. 셋", "10. 열",
        "| 사유 | 금액 |", "|---|---|", "| 본인 결혼 | 100만 원 |", "| 자녀 결혼 | 999만 원 |", "",
        "다음과 같아요:", "두 가지가 있어요.", "```", "2026. 11. 15. 부터예요",
        "3.5배 [1", "] https://a.example/b. 끝", "12월 3일까지예요.", "> 인용이에요!", "가.나. 다",
        "(괄호 안. 아직) 끝.", "`온마당 > 휴가 > 신청`에서요.", "  - 들여쓴 것",
    ]
)  # fmt: skip
_TEXTS = st.one_of(
    st.lists(_LINES, max_size=12).map("\n".join), st.lists(_LINES, max_size=8).map(" ".join), st.text(max_size=200),
    st.text(alphabet="1.2 |-[]#\n만일원*`<>:가요", max_size=120),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(_TEXTS, st.lists(st.integers(1, 9), max_size=40))
def test_the_same_for_any_chunks(text: str, sizes: list[int]) -> None:
    """What the gate gave out, put together, is the text that check keeps."""
    gate, out, place = SentenceGate(SOURCES[:3]), [], 0
    for size in sizes:
        out += gate.feed(text[place : place + size])
        place += size
    out += gate.feed(text[place:])
    out += gate.finish()
    whole = check(text, SOURCES[:3])
    assert "".join(out) == whole.text
    assert gate.checked == whole


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_nothing_makes_it_fail(text: str) -> None:
    """Any text can be read, asked about, used as a passage and as a secret."""
    found = facts(text)
    assert all(0 <= fact.start < fact.end <= len(text) for fact in found)
    check(text, [text, "15일"], text, [text])


@settings(max_examples=150, deadline=None)
@given(_TEXTS)
def test_what_was_kept_stays_kept(text: str) -> None:
    """Nothing is shown that was not written, and nothing dropped is shown."""
    kept = check(text, SOURCES[:3])
    assert all("999" not in part and "99일" not in part for part in kept.kept)


def test_only_the_sentence_being_written_is_held_back() -> None:
    """A sentence is out as soon as the next one has begun."""
    gate = SentenceGate(["연차는 15일이고 12월 3일까지 쓴다. 단가는 3.5배."])
    assert gate.feed("연차는 15일이에요 [1]. ") == []
    assert gate.feed("12") == ["연차는 15일이에요 [1]."]
    assert gate.feed("월 3일까지예요. 그") == [" 12월 3일까지예요."]
    assert gate.feed("건 3.") == []
    assert gate.feed("5배예요. [1] 네") == [" 그건 3.5배예요. [1]"]


def test_honest_answers_come_out_unchanged() -> None:
    """An answer without a lie is not touched."""
    answer = (
        "## 연차\n\n연차는 15일이에요 [1]. 최대 25일이고요 [1].\n\n1. 온마당을 여세요.\n2. `온마당 > 휴가"
        " > 신청`을 누르세요 [1].\n\n| 구분 | 값 |\n|---|---|\n| 연차 | 15일 "
        "|\n\n더 궁금하면 물어봐 주세요!"
    )
    assert check(answer, SOURCES).text == answer
    assert check(answer, SOURCES).cited == (1,)


def test_layout_is_mended() -> None:
    """Numbers close up, empty headings, tables and announcements go."""
    answer = (
        "## 없음\n연차는 99일이에요.\n\n## 순서\n1. 여세요.\n2. 99일 기다리세요.\n3. 누르세요.\n\n| 구분 "
        "| 값 |\n|---|---|\n| 연차 | 99일 |\n\n다음과 같아요:\n- 99일\n\n끝이에요."
    )
    assert check(answer, SOURCES).text == "## 순서\n1. 여세요.\n2. 누르세요.\n\n끝이에요."


def test_counts_of_its_own_list() -> None:
    """두 가지 is fine when two follow and not when three were promised and two came."""
    assert check("두 가지 방법이 있어요.\n- 가요\n- 나요\n\n끝.", ["가요 나요"]).ok
    assert "세 가지" not in check("세 가지 방법이 있어요.\n- 가요\n- 나요\n\n끝.", ["가요 나요"]).text


def test_the_question_s_numbers_are_only_said_back() -> None:
    """30일 may be asked about and denied, never confirmed."""
    source, question = ["연차는 15일입니다."], "연차 30일 맞아요?"
    assert check("연차 30일을 물어보셨는데요.", source, question).ok
    assert check("30일이 아니라 15일이에요 [1].", source, question).ok
    assert not check("네, 연차는 30일이에요 [1].", source, question).ok
    assert not check("30일이 아니라 16일이에요 [1].", source, question).ok


def test_uncited_facts_are_flagged_and_kept() -> None:
    """A true sentence without a citation is shown and reported."""
    verdict = check("연차는 15일이에요.", ["연차 15일"])
    assert verdict.ok
    assert [finding.reason for finding in verdict.findings] == ["uncited"]


@pytest.mark.parametrize(
    "text",
    [
        "1" * 20000,
        "만 " * 20000,
        "[" * 20000,
        "일이삼" * 9000,
        "> " * 9000,
        "a>" * 9000,
        "3~" * 9000,
        "`" * 20000,
        "연 " * 9000,
        "가.나" * 7000,
        "-" * 20000,
        "1. " * 9000,
        "| " * 9000,
        "0" * 9 + "-0" * 9000,
        "열 " * 9000,
        "www." * 5000,
        "a." * 9000,
        "1월 " * 7000,
        "&#" * 9000,
        "\n" * 20000,
    ],
)
def test_time_grows_with_the_text(text: str) -> None:
    """Twice the text takes about twice the time, whatever it repeats."""
    half, whole = _seconds(text[: len(text) // 2]), _seconds(text)
    assert whole < max(3.5 * half, half + 0.25), f"{half:.2f} s → {whole:.2f} s"


def _seconds(text: str) -> float:
    began = time.perf_counter()
    check(text, [SOURCES[0]])
    facts(text)
    return time.perf_counter() - began


def test_the_corpus_streams_like_it_checks() -> None:
    """Every corpus sentence, fed letter by letter, ends as it does whole."""
    text = "\n".join(row[1] for row in rows("honest.tsv")[:40] + rows("lies.tsv")[:40])
    gate = SentenceGate(SOURCES)
    out = [piece for char in text for piece in gate.feed(char)] + gate.finish()
    assert "".join(out) == check(text, SOURCES).text
