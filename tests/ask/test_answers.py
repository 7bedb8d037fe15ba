"""Deciding, extracting and following up, without embeddings."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select

from endy.ask.decision import Confidence
from endy.ask.models import AskRequest
from endy.ask.offtopic import OffTopic
from endy.ask.question_log import QuestionLog
from endy.ask.render import to_html
from endy.ask.service import AskService
from endy.errors import EndyError
from endy.observability.metrics import Metrics
from endy.retrieval.search import Language, SectionSearcher
from endy.settings import Settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from endy.storage.tables import questions
from endy.storage.transaction import reading
from tests.retrieval.conftest import SECTIONS, language, section

__all__ = ["language"]

PARKING = [
    section("임직원 주차", "임직원은 지하 2층에 세워요.\n\n문의: 총무팀 (내선 3300)", path=("주차",)),
    section("방문객 주차", "방문객은 지하 1층에 세워요. 두 시간까지 무료예요.", path=("주차",)),
]
TRIPS = section(
    "출장 일비",
    "| 지역 | 일비 |\n|---|---|\n| 서울 | 1만 원 |\n| 부산 | 2만 원 |\n"
    "| 제주 | 3만 원 |\n| 일본 | 7만 원 |\n\n다녀와서 신청해요.",
    path=("출장",),
)


@pytest.fixture
async def service(database_url: str, language: Language) -> AsyncIterator[AskService]:
    engine = create_engine(Settings(_env_file=None, database_url=database_url))
    await upgrade(engine)
    searcher = SectionSearcher([*SECTIONS, *PARKING, TRIPS], {}, language, None, 1)
    asking = AskService(QuestionLog(engine), lambda: searcher, Confidence.shipped(), OffTopic(None), Metrics())
    asking.engine = engine  # type: ignore[attr-defined]
    yield asking
    await asking.close()
    await engine.dispose()


async def test_a_bare_topic_with_two_sections_is_asked_back(service: AskService) -> None:
    """주차 alone could be either; each choice is a question that settles it."""
    answer = await service.ask(AskRequest("주차"))
    assert answer.status == "clarify"
    assert {choice.title for choice in answer.choices[:2]} == {"임직원 주차", "방문객 주차"}
    settled = await service.ask(AskRequest(answer.choices[0].question))
    assert settled.status == "answered"


async def test_a_follow_up_leans_on_the_turn_before(service: AskService) -> None:
    """그럼 며칠까지? means the carry-over that was asked about; a new subject is read alone."""
    leaning = await service.examine(AskRequest("그럼 며칠까지 돼요?", turns=("연차 이월 되나요?",)))
    changed = await service.examine(AskRequest("법인카드 분실하면 어떻게 해요?", turns=("연차 이월 되나요?",)))
    assert leaning.result.hits[0].section.title == "연차 이월"
    assert changed.result.hits[0].section.title == "법인카드 분실"
    assert changed.answer.understood == ""


async def test_the_answer_quotes_the_section_and_names_the_owner_once(service: AskService) -> None:
    """The contact line of the section is a field of the answer and not repeated in its text."""
    answer = await service.ask(AskRequest("임직원 주차 어디에 세워요?"))
    assert "지하 2층" in answer.answer
    assert "문의" not in answer.answer
    assert answer.sources[0].passage == "임직원은 지하 2층에 세워요."


async def test_steps_come_whole_and_tables_with_their_head(service: AskService) -> None:
    """An ordered list is not cut in the middle; a table row keeps its column names."""
    steps = await service.ask(AskRequest("노트북 교체 신청 어떻게 해요"))
    table = await service.ask(AskRequest("경조휴가 조부모 사망 며칠"))
    assert "1. 헬프온" in steps.answer
    assert "2. IT팀" in steps.answer
    assert "| 사유 | 일수 |" in table.answer


async def test_of_a_table_the_row_asked_for_is_shown(service: AskService) -> None:
    """One row stands out, the others stay in the source; asked in general, the table comes whole."""
    one = await service.ask(AskRequest("제주 출장 일비 얼마예요?"))
    every = await service.ask(AskRequest("출장 일비 알려 주세요"))
    assert "| 제주 | 3만 원 |" in one.answer
    assert "일본" not in one.answer
    assert "다녀와서 신청해요" in one.answer
    assert all(region in every.answer for region in ("서울", "부산", "제주", "일본"))


async def test_an_english_question_is_framed_in_english(service: AskService) -> None:
    """The frame speaks the asker's language; the quoted text stays as it is."""
    answer = await service.ask(AskRequest("I lost my corporate card, who do I call?"))
    assert answer.answer.startswith("Here is what our guide says")


async def test_every_question_of_a_burst_is_stored_once(service: AskService) -> None:
    """A hundred questions at once share few transactions and lose no row."""
    answers = await asyncio.gather(*(service.ask(AskRequest(f"연차 이월 {n}")) for n in range(100)))
    assert len({answer.question_id for answer in answers}) == 100
    async with reading(service.engine) as connection:  # type: ignore[attr-defined]
        stored = (await connection.execute(select(func.count()).select_from(questions))).scalar_one()
    assert stored == 100


async def test_personal_data_is_masked_before_it_is_stored(service: AskService) -> None:
    """A phone number in a question reaches neither the database nor the answer."""
    answer = await service.ask(AskRequest("010-1234-5678로 연차 이월 알려 주세요"))
    async with reading(service.engine) as connection:  # type: ignore[attr-defined]
        stored = (await connection.execute(select(questions.c.question))).scalar_one()
    assert "1234" not in stored + answer.answer + answer.understood


async def test_a_question_that_cannot_be_stored_is_not_acknowledged(service: AskService) -> None:
    """When the table is gone, every waiting caller hears of it."""
    async with service.engine.begin() as connection:  # type: ignore[attr-defined]
        await connection.exec_driver_sql("DROP TABLE questions")
    results = await asyncio.gather(*(service.ask(AskRequest("연차 이월")) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, Exception) for result in results)
    assert not any(isinstance(result, EndyError) and result.status < 500 for result in results)


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[눌러요](javascript:alert(1))",
        "![그림](https://evil.example/x.png)",
        "<a href='data:text/html,x'>x</a>",
        "<svg/onload=alert(1)>",
    ],
)
def test_no_active_content_survives(attack: str) -> None:
    """Scripts, handlers, images and unsafe links of a document never reach the page as HTML."""
    html = to_html(f"앞 {attack} 뒤").lower()
    for active in ("<script", "<img", "<svg", 'href="javascript', 'href="data'):
        assert active not in html
