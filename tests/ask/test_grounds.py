"""Sentences without figures: true paraphrases pass, other meanings in the same words do not."""

from pathlib import Path

import pytest

from endy.ask.grounds import Grounds
from endy.ask.guard import facts
from endy.retrieval.analysis import Analyzer

ROWS = [
    line.split("\t")
    for line in (Path(__file__).parent / "grounds.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


@pytest.fixture(scope="module")
def grounds() -> Grounds:
    return Grounds(Analyzer(frozenset()))


def kept(grounds: Grounds, verdict: str) -> tuple[list[str], list[str]]:
    """The sentences of that verdict that are held up, and the others."""
    sorted_out: tuple[list[str], list[str]] = ([], [])
    for kind, passage, sentence in ROWS:
        if kind == verdict:
            held = grounds.hold(sentence, [passage], "", [], cited=True)
            sorted_out[not held].append(sentence)
    return sorted_out


def test_true_paraphrases_are_held_up(grounds: Grounds) -> None:
    """Of sixty, written to differ from their passage as much as a good writer would, two are known to be cut."""
    _, cut = kept(grounds, "honest")
    assert len(cut) <= 2, cut


def test_other_meanings_are_not(grounds: Grounds) -> None:
    """Yes for no, promises, and other subjects; one exchanged adjective among the same words is known to pass."""
    passed, _ = kept(grounds, "dishonest")
    assert len(passed) <= 1, passed


def test_the_question_lends_its_words_and_no_more(grounds: Grounds) -> None:
    """Saying the question back is no invention; saying it back as a promise is one."""
    passage = ["남은 연차는 다음 해로 이월할 수 있어요."]
    question = "내년에 쓰게 무제한 이월돼?"
    assert grounds.hold("네, 내년에 이월할 수 있어요 [1].", passage, question, [], cited=True)
    assert not grounds.hold("네, 무제한 이월돼요 [1].", passage, question, [], cited=True)
    assert not grounds.hold("내년에 무엇이든 쓰게 해 드려요 [1].", passage, question, [], cited=True)


TABLE = """제목: 경조금
| 사유 | 금액 | 휴가 |
|---|---|---|
| 본인 결혼 | 100만 원 | 5일 |
| 자녀 결혼 | 50만 원 | 1일 |
| 배우자·부모 사망 | 200만 원 | 5일 |
| 형제자매 사망 | 30만 원 | 3일 |"""


@pytest.mark.parametrize(
    ("sentence", "true"),
    [
        ("본인 결혼에는 100만 원을 드려요 [1].", True),
        ("자녀가 결혼하면 50만 원과 휴가 1일이에요 [1].", True),
        ("본인 결혼은 100만 원, 자녀 결혼은 50만 원이에요 [1].", True),
        ("| 형제자매 사망 | 30만 원 | 3일 |", True),
        ("경조금은 30만 원부터 200만 원까지 있어요 [1].", True),
        ("자녀 결혼에는 100만 원을 드려요 [1].", False),
        ("본인 결혼은 50만 원, 자녀 결혼은 100만 원이에요 [1].", False),
        ("형제자매 사망에는 휴가 5일을 드려요 [1].", False),
        ("| 형제자매 사망 | 200만 원 | 5일 |", False),
        ("부모님이 사망하시면 30만 원이 나와요 [1].", False),
    ],
)
def test_figures_come_from_the_row_that_is_spoken_of(grounds: Grounds, sentence: str, true: bool) -> None:
    """A true figure of another row is a false one here."""
    assert grounds.hold(sentence, [TABLE], "", facts(sentence), cited=True) is true


def test_a_row_without_a_citation_must_stand_in_one_passage(grounds: Grounds) -> None:
    """A figure from one source and words from another make no truth."""
    sick = "제목: 병가\n앞의 10일은 임금을 100% 드려요."
    row = "| 형제자매 사망 | 10일 |"
    assert not grounds.hold(row, [TABLE, sick], "", facts(row), cited=False)
    row = "| 형제자매 사망 | 3일 |"
    assert grounds.hold(row, [TABLE, sick], "", facts(row), cited=False)


def test_only_helpful_sentences_need_no_ground(grounds: Grounds) -> None:
    """Where to ask may be said freely; a claim without a citation needs the passages' words."""
    passage = ["남은 연차는 다음 해로 넘길 수 있어요."]
    assert grounds.hold("더 궁금한 점은 담당 부서에 물어봐 주세요.", passage, "", [], cited=False)
    assert not grounds.hold("보물은 뒷마당 소나무 아래에 묻혀 있어요.", passage, "", [], cited=False)
