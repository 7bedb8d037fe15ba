"""Search in PostgreSQL finds what the index in memory finds, and shows nobody more."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from endy.errors import ServiceUnavailable
from endy.knowledge import repository
from endy.knowledge.postgresql import index
from endy.knowledge.repository import GeneratedQuestions
from endy.retrieval.fusion import Fusion
from endy.retrieval.search import Language, SectionSearcher, view_of
from endy.retrieval.vocabulary import SHIPPED_VOCABULARY, parse_vocabulary
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from endy.storage.transaction import transaction
from tests.knowledge.postgresql.conftest import Stored, hashed
from tests.postgres import PostgresServer
from tests.retrieval.conftest import SECTIONS
from tests.retrieval.made import MadeEmbedder, made_sections, vectors_of

QUESTIONS = [
    "연차 이월 언제까지 신청해?",
    "할머니 돌아가셨는데 며칠 쉬어?",
    "노트북 바꾸고 싶어요",
    "법인카드 잃어버렸어",
    "경죠휴가 증빙",
    "임원 보수",
    "ㄱㄴㄷ",
]


@pytest.fixture(scope="module")
def made_language() -> Language:
    concepts = parse_vocabulary(SHIPPED_VOCABULARY.read_text(encoding="utf-8"))
    return Language.build(concepts, [], Fusion.shipped(), MadeEmbedder())


@pytest.mark.parametrize("audiences", [frozenset(), frozenset({"admin"})], ids=["anybody", "admin"])
async def test_all_evidence_is_that_of_the_index_in_memory(stored: Stored, audiences: frozenset[str]) -> None:
    """The same sections in the same order, with the same features and passages, and the same repairs."""
    sections = hashed(SECTIONS)
    await stored.put(sections)
    there = (await stored.open()).view(audiences)
    here = SectionSearcher(sections, {}, stored.language, None).view(audiences)
    for question in QUESTIONS:
        expected, found = here.search(question), there.search(question)
        assert found.repaired == expected.repaired
        assert [hit.section.id for hit in found.hits] == [hit.section.id for hit in expected.hits]
        for hit, other in zip(found.hits, expected.hits, strict=True):
            np.testing.assert_allclose(hit.features, other.features, atol=1e-4)
            np.testing.assert_allclose(hit.passages, other.passages, atol=1e-4)


@pytest.mark.parametrize("dense", [False, True], ids=["words", "vectors"])
async def test_of_a_larger_knowledge_the_same_comes_first(stored: Stored, made_language: Language, dense: bool) -> None:
    """Only some hundred of three thousand sections are looked at, also within a category."""
    sections = hashed(made_sections())
    vectors = vectors_of(sections) if dense else {}
    stored.embedder = MadeEmbedder() if dense else None
    stored.language = made_language
    await stored.put(sections, vectors)
    there = (await stored.open()).view(frozenset())
    here = view_of(sections, vectors, made_language, stored.embedder)
    questions = [one.text.split("\n\n")[1] for one in sections[::100]] + [one.title for one in sections[30::300]]
    same = []
    for question in questions:
        for category in (None, "IT"):
            expected, found = here.search(question, category), there.search(question, category)
            same.append(found.hits[0].section.id == expected.hits[0].section.id)
            assert found.evidence is not None
            assert found.evidence.pool.words.size < 900
            # What is usual is known by a sample here.
            assert found.hits[0].score == pytest.approx(expected.hits[0].score, rel=0.05)
            assert category is None or {hit.section.category for hit in found.hits} == {category}
    # Sections with the same sentences are nearly equal here.
    assert np.mean(same) >= 0.97


async def test_what_somebody_may_not_see_changes_nothing(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the order, not a score, not a repair, and also not where only a part of the sections is looked at."""
    monkeypatch.setattr(index, "FEW", 20)
    seen = hashed(made_sections()[:200])
    hidden = hashed(
        [
            replace(one, id=f"hidden.md#{n}", document="hidden.md", audience=frozenset({"인사팀"}))
            for n, one in enumerate(made_sections()[:300])
        ]
    )
    await stored.put([*seen, *hidden])
    searcher = await stored.open()
    alone = SectionSearcher(seen, {}, stored.language, None)
    for one in seen[::20]:
        found, expected = searcher.search(one.title), alone.search(one.title)
        assert not {hit.section.id for hit in found.hits} & {each.id for each in hidden}
        assert found.hits[0].section.id == expected.hits[0].section.id
        assert found.hits[0].score == pytest.approx(expected.hits[0].score, abs=1e-3)
    assert searcher.search(seen[0].title, frozenset({"인사팀"})).hits
    assert searcher.size == 500


async def test_who_may_no_longer_see_it_does_not_before_it_is_indexed_again(stored: Stored) -> None:
    """Between the change and the index, a section is rather missed than shown to the wrong person."""
    sections = hashed(SECTIONS)
    await stored.put(sections)
    searcher = await stored.open()
    assert searcher.search("법인카드 분실").hits[0].section.title == "법인카드 분실"
    secret = [replace(one, audience=frozenset({"재무팀"})) if one.title == "법인카드 분실" else one for one in sections]
    await stored.put(hashed(secret))
    assert "법인카드 분실" not in {hit.section.title for hit in searcher.search("법인카드 분실").hits}
    again = await stored.open()
    assert "법인카드 분실" not in {hit.section.title for hit in again.search("법인카드 분실").hits}
    assert again.search("법인카드 분실", frozenset({"재무팀"})).hits[0].section.title == "법인카드 분실"


async def test_generated_questions_are_found(stored: Stored) -> None:
    """By their words, where there is no embedder, as in memory."""
    sections = hashed(SECTIONS)
    asked = "유급으로 며칠이나 쉬나요"
    key = next(one.content_hash for one in sections if one.title == "경조휴가")
    await stored.put(sections)
    async with transaction(stored.engine) as connection:
        await repository.put_generated(
            connection, GeneratedQuestions(key, [asked], [], "test", 1, 0, 0, 0.0, datetime.now(UTC))
        )
        await repository.bump_version(connection)
    fuller = [replace(one, questions=(asked,)) if one.content_hash == key else one for one in sections]
    expected = SectionSearcher(fuller, {}, stored.language, None).search(asked)
    found = (await stored.open()).search(asked)
    assert [hit.section.id for hit in found.hits] == [hit.section.id for hit in expected.hits]
    np.testing.assert_allclose(found.hits[0].features, expected.hits[0].features, atol=1e-4)


async def test_a_database_that_is_away_is_said(stored: Stored, own_server: PostgresServer) -> None:
    """A search raises what becomes a 503, and goes on when the database is back."""
    url = own_server.create_database()
    stored.settings = stored.settings.model_copy(update={"database_url": url})
    await stored.engine.dispose()
    stored.engine = create_engine(stored.settings, patient=True)
    await upgrade(stored.engine)
    await stored.put(hashed(SECTIONS))
    searcher = await stored.open()
    expected = _ids(searcher, QUESTIONS[0])
    own_server.stop()
    with pytest.raises(ServiceUnavailable):
        searcher.search(QUESTIONS[1])
    own_server.start()
    assert _ids(searcher, QUESTIONS[0]) == expected


async def test_threads_find_what_one_finds(stored: Stored) -> None:
    """Searches at the same time do not mix up what they were asked."""
    await stored.put(hashed(SECTIONS))
    searcher = await stored.open()
    alone = [_ids(searcher, question) for question in QUESTIONS]
    together = await asyncio.gather(
        *(asyncio.to_thread(_ids, searcher, question) for _ in range(5) for question in QUESTIONS)
    )
    assert together == alone * 5


def _ids(searcher: index.PostgresSearcher, question: str) -> list[str]:
    return [hit.section.id for hit in searcher.search(question).hits]
