"""Search: ranking, explanation, audience and passages."""

import numpy as np
import pytest

from endy.retrieval.evidence import FEATURES
from endy.retrieval.lexical_build import Field, one_field_index
from endy.retrieval.passages import sentences, split_passages
from endy.retrieval.search import Language, Searcher, SectionSearcher
from endy.retrieval.senses import UNRELATED, WordVectors
from tests.retrieval.conftest import SECTIONS, section


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("연차 이월 언제까지 신청해?", "연차 이월"),
        ("할머니 돌아가셨는데 며칠 쉬어요", "경조휴가"),
        ("컴퓨터 언제 바꿔줘요", "노트북 교체"),
        ("법카 잃어버렸어 어떡해", "법인카드 분실"),
        ("how do I report a lost corporate card", "법인카드 분실"),
    ],
)
def test_everyday_words_find_the_section(searcher: Searcher, question: str, title: str) -> None:
    """Formal, spoken and English wording lead to the same section, without embeddings."""
    assert searcher.search(question).hits[0].section.title == title


def test_every_channel_of_a_ranking_is_explained(searcher: Searcher) -> None:
    """The parts of the explanation add up to the score."""
    result = searcher.search("연차 이월")
    why = result.why(result.hits[0])
    assert tuple(why) == FEATURES
    assert sum(why.values()) == pytest.approx(result.hits[0].score, rel=1e-3)


def test_what_an_asker_may_not_see_is_never_ranked(searcher: Searcher) -> None:
    """An admin section is found by admins and is absent from everybody else's results."""
    question = "임원 보수는 누가 정해요"
    assert searcher.search(question, frozenset({"admin"})).hits[0].section.title == "임원 보수"
    assert "임원 보수" not in {hit.section.title for hit in searcher.search(question).hits}
    assert "임원 보수" not in {hit.section.title for hit in searcher.search(question, frozenset({"IT팀"})).hits}


def test_a_category_narrows_the_search(searcher: Searcher) -> None:
    """Only sections of the category come back; an unknown one gives nothing and does not fail."""
    assert searcher.search("연차", category="HR").hits
    assert searcher.search("연차", category="없는 분류").hits == ()


def test_one_section_and_none_can_be_searched(language: Language) -> None:
    """The smallest knowledge bases work."""
    alone = SectionSearcher([section("주차", "지하 2층에 세워요.")], {}, language, None)
    assert alone.search("주차 어디").hits[0].section.title == "주차"
    assert SectionSearcher([], {}, language, None).search("주차").hits == ()


class OneDirection:
    """An embedder that turns every question the same way."""

    name, dimensions = "test", 384

    def query(self, text: str) -> np.ndarray:
        return np.eye(384, dtype=np.float32)[0]

    def passages(self, texts: list[str]) -> np.ndarray:
        return np.zeros((len(texts), 384), np.float32)


@pytest.mark.parametrize("missing", [None, 0, 4])
def test_vectors_rank_sections_without_a_common_word(language: Language, missing: int | None) -> None:
    """The section nearest in meaning comes first although no word is shared, even if another one has no vectors."""
    vectors = {}
    for number, one in enumerate(SECTIONS):
        if number == missing:
            continue
        pieces = 2 + len(split_passages(one.text))
        vectors[one.content_hash] = np.tile(np.eye(384, dtype=np.float16)[0 if number == 2 else 1], (pieces, 1))
    searcher = SectionSearcher(SECTIONS, vectors, language, OneDirection())  # type: ignore[arg-type]
    assert searcher.search("쿠쿠루쿠쿠").hits[0].section.title == "노트북 교체"


def test_while_most_vectors_are_missing_nobody_s_count(language: Language) -> None:
    """A section is not favoured for having been embedded first."""
    vectors = {SECTIONS[2].content_hash: np.tile(np.eye(384, dtype=np.float16)[0], (4, 1))}
    searcher = SectionSearcher(SECTIONS, vectors, language, OneDirection())  # type: ignore[arg-type]
    assert searcher.search("연차 이월").hits[0].section.title == "연차 이월"
    assert searcher.search("쿠쿠루쿠쿠").evidence.dense is None  # type: ignore[union-attr]


def test_words_that_are_used_alike_find_each_other(language: Language) -> None:
    """A word that neither the section nor the vocabulary's concept holds still leads there by its sense."""
    words = WordVectors.shipped()
    borrow, rental, kimchi = words.vectors(words.rows(["빌리다", "대여", "김치"]))
    assert borrow @ rental > UNRELATED > borrow @ kimchi
    assert not words.vectors(words.rows(["쿠쿠루쿠쿠"])).any()


def test_an_impact_never_exceeds_the_rarity() -> None:
    """However often a word is repeated, it counts as the share it can be."""
    index = one_field_index([["휴가"] * 50, ["주차"]], Field(1.0, 0.4))
    _, impacts = index.postings("휴가")
    assert 0 < impacts[0] < index.rarity("휴가") <= index.rarity("처음 보는 말")


def test_a_table_row_and_a_step_are_passages() -> None:
    """Rows carry their column names, steps their order, sentences stay whole at decimals and dates."""
    passages = split_passages(
        "| 사유 | 일수 |\n|---|---|\n| 결혼 | 5일 |\n\n1. 먼저\n2. 다음\n\n1.5배예요. 12월 3일까지예요."
    )
    assert [passage.kind for passage in passages] == ["row", "item", "item", "sentence", "sentence"]
    assert passages[0].text == "사유 결혼, 일수 5일"
    assert passages[1].ordered
    assert sentences("버전 2.1을 쓰세요. e-mail은 a.b@c.example 입니다. 끝!") == [
        "버전 2.1을 쓰세요.",
        "e-mail은 a.b@c.example 입니다.",
        "끝!",
    ]
