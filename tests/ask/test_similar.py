"""A kept answer is given again for the same question in another dress, and never for another fact."""

from dataclasses import replace

import numpy as np
import pytest

from endy.ask.similar import SimilarAnswers
from endy.bootstrap import build_language
from endy.retrieval.search import Searcher, SearchResult, SectionSearcher
from endy.retrieval.section import Section
from endy.settings import Settings

TEXTS = {
    "연차": "연차는 1년에 15일이에요. 연차 신청은 사흘 전까지, 취소는 하루 전까지예요.",
    "반차": "반차는 반나절 쉬는 휴가예요.",
    "출장": "국내 출장과 해외 출장의 숙박비와 일비예요.",
    "선물": "거래처에서 선물을 받거나 거래처에 선물을 줄 때의 기준이에요.",
    "주차": "정기 주차는 5만 원이고 방문 주차는 2시간까지 무료예요.",
}
SAME = [
    ("연차 며칠이야?", "혹시 연차 며칠이에요?"),
    ("해외 출장 숙박비 얼마야?", "해외 출장 숙박비는 얼마예요?"),
    ("방문 주차 몇 시간 무료야?", "방문 주차는 몇 시간 무료인가요?"),
]
OTHER = [
    ("연차 며칠이야?", "반차 며칠이야?"),
    ("연차 며칠이야?", "연차 언제까지 신청해?"),
    ("연차 신청 언제까지야?", "연차 취소 언제까지야?"),
    ("연차 신청하고 3일 뒤에 돼?", "연차 신청하고 5일 뒤에 돼?"),
    ("국내 출장 숙박비 얼마야?", "해외 출장 숙박비 얼마야?"),
    ("선물 받아도 돼?", "선물 줘도 돼?"),
    ("선물 받아도 돼?", "선물 안 받아도 돼?"),
    ("주차 2시간 이상 되나요?", "주차 2시간 이하 되나요?"),
    ("방문 주차 얼마야?", "정기 주차 얼마야?"),
    ("방문 주차 무료야?", "방문 주차 말고 무료야?"),
]


@pytest.fixture(scope="module")
def searcher() -> Searcher:
    sections = [
        Section(
            f"a.md#휴가 > {title}", "section", "a.md", "안내", ("휴가", title), title, text, "HR", content_hash=title
        )
        for title, text in TEXTS.items()
    ]
    return SectionSearcher(sections, {}, build_language(Settings(_env_file=None, embeddings="none")), None)


def searched(searcher: Searcher, question: str) -> SearchResult:
    """With one vector for every question: nothing but what is asked can keep two apart."""
    result = searcher.search(question)
    return replace(result, query=replace(result.query, vector=np.ones(1, np.float32)))


@pytest.mark.parametrize(("asked", "again"), SAME)
def test_another_dress_gets_the_kept_answer(searcher: Searcher, asked: str, again: str) -> None:
    """Greetings, particles and endings ask for nothing of their own."""
    kept: SimilarAnswers[str] = SimilarAnswers(60)
    kept.put("scope", searched(searcher, asked), "answer")
    assert kept.find("scope", searched(searcher, again)) == "answer"
    assert kept.find("another scope", searched(searcher, again)) is None


@pytest.mark.parametrize(("asked", "other"), OTHER)
def test_another_fact_does_not(searcher: Searcher, asked: str, other: str) -> None:
    """A neighbour's name, another number, the other way round: none of them is the same question."""
    kept: SimilarAnswers[str] = SimilarAnswers(60)
    kept.put("scope", searched(searcher, asked), "answer")
    assert kept.find("scope", searched(searcher, other)) is None
    kept.put("scope", searched(searcher, other), "other answer")
    assert kept.find("scope", searched(searcher, asked)) == "answer"


def test_far_vectors_and_old_answers_do_not(searcher: Searcher) -> None:
    """Nearness is needed as well, and everything ends one day."""
    now = 0.0
    kept: SimilarAnswers[str] = SimilarAnswers(60, clock=lambda: now)
    result = searched(searcher, "연차 며칠이야?")
    kept.put("scope", result, "answer")
    far = replace(result, query=replace(result.query, vector=np.full(1, 0.93, np.float32)))
    assert kept.find("scope", far) is None
    now = 61.0
    assert kept.find("scope", result) is None


def test_it_stays_small(searcher: Searcher) -> None:
    """Of more kinds of question than it holds, the oldest go."""
    kept: SimilarAnswers[str] = SimilarAnswers(60, size=2)
    for question in ("연차 며칠이야?", "반차 며칠이야?", "방문 주차 얼마야?"):
        kept.put("scope", searched(searcher, question), question)
    assert kept.find("scope", searched(searcher, "연차 며칠이야?")) is None
    assert kept.find("scope", searched(searcher, "방문 주차 얼마야?")) == "방문 주차 얼마야?"
