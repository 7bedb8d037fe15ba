"""Reading a question: keyboard, typos, terms and concepts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endy.retrieval.analysis import Analyzer, bigrams, normalise
from endy.retrieval.search import Language, Searcher
from endy.retrieval.vocabulary import SHIPPED_VOCABULARY, Vocabulary, VocabularyError, analysed_forms, parse_vocabulary


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("경죠휴가 몇일", "경조휴가 몇일"),
        ("노트븍 교체", "노트북 교체"),
        ("dusck dldnjf", "연차 이월"),
        ("볍인카드 분실", "법인카드 분실"),
        ("ｄｕｓｃｋ　이월", "연차 이월"),
    ],
)
def test_typos_are_put_right_towards_known_words(searcher: Searcher, typed: str, meant: str) -> None:
    """Misspelt words of the knowledge, the wrong keyboard and full-width letters are repaired."""
    assert searcher.view(frozenset()).reader.repair(typed) == meant


@pytest.mark.parametrize(
    "question",
    [
        "할머니가 돌아가셨는데 며칠까지 쉬어요?",
        "I lost my badge. What should I do?",
        "VPN 접속이 안 돼요",
        "견적서를 두 곳에서 받아야 하나요?",
        "집에서 일해야 하는데요",
        "ㅋㅋㅋ 연차 몇 개야",
    ],
)
def test_proper_korean_and_english_are_left_alone(searcher: Searcher, question: str) -> None:
    """A question without typos comes back letter for letter."""
    assert searcher.view(frozenset()).reader.repair(question) == question


@settings(max_examples=150, deadline=None)
@given(question=st.text(max_size=500))
def test_no_question_breaks_the_search(searcher: Searcher, question: str) -> None:
    """Whatever is typed, reading and searching give a result."""
    searcher.search(question)


def test_laughter_and_emoji_are_taken_out() -> None:
    """What carries mood and no topic does not reach the terms; digits and letters do."""
    assert normalise("연차 몇개임 ㅋㅋㅋㅋ 😭 ㅠㅠ 10일?") == "연차 몇개임 10일?"


def test_known_words_are_kept_whole_beside_their_parts() -> None:
    """비교견적 is one word of this company, wherever the spaces are."""
    analyzer = Analyzer(["비교견적"])
    assert {"비교견적", "견적"} <= set(analyzer.words("비교 견적이 뭐예요"))


def test_bigrams_ignore_spacing() -> None:
    """Spacing slips change no pair inside the words."""
    assert set(bigrams("육아휴직")) <= set(bigrams("육아 휴 직 며칠"))


def test_a_concept_is_found_by_any_of_its_forms() -> None:
    """The question's words lead to the other ways to say the same."""
    analyzer = Analyzer()
    concepts = parse_vocabulary("퇴사 = 사직, 회사를 그만두다, resign")
    vocabulary = Vocabulary(concepts, analysed_forms(concepts, analyzer))
    (found,) = vocabulary.expand(analyzer.terms("회사를 그만두려면 언제 말해요"))
    assert found.head == "퇴사"
    assert ("사직",) in {alternative.tokens for alternative in found.alternatives}


@pytest.mark.parametrize("line", ["퇴사", "= 사직", "퇴사 ="])
def test_a_broken_vocabulary_line_is_named(line: str) -> None:
    """The error says which line and what it should look like."""
    with pytest.raises(VocabularyError, match="words 2행"):
        parse_vocabulary(f"휴가 = 쉬는 날\n{line}", "words")


def test_concepts_are_recalled_without_their_name(language: Language) -> None:
    """A situation brings up its concept although no formal word is said."""
    recalled = language.concepts.recall(language.analyzer.terms("할머니가 돌아가셨어요"))
    shipped = parse_vocabulary(SHIPPED_VOCABULARY.read_text(encoding="utf-8"))
    heads = {shipped[found.number].head for found in recalled}
    assert "조의휴가" in heads
    assert sum(found.part for found in recalled) == pytest.approx(1.0, abs=1e-5)
