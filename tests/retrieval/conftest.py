"""A small knowledge base and the shipped language, shared by the retrieval tests."""

import pytest

from endy.retrieval.fusion import Fusion
from endy.retrieval.search import Language, Searcher, SectionSearcher
from endy.retrieval.section import Section
from endy.retrieval.vocabulary import SHIPPED_VOCABULARY, parse_vocabulary


def section(title: str, text: str, *, path: tuple[str, ...] = ("휴가",), **fields: object) -> Section:
    document = str(fields.pop("document", "people.md"))
    heading = (*path, title)
    values = {
        "id": f"{document}#{' > '.join(heading)}",
        "kind": "section",
        "document": document,
        "document_title": "안내서",
        "heading_path": heading,
        "title": title,
        "text": text,
        "category": "HR",
        "content_hash": title,
    }
    return Section(**(values | fields))  # type: ignore[arg-type]


SECTIONS = [
    section("연차 이월", "남은 연차는 다음 해로 5일까지 넘길 수 있어요. 12월 10일까지 신청해 주세요."),
    section(
        "경조휴가",
        "| 사유 | 일수 |\n|---|---|\n| 본인 결혼 | 5일 |\n| 조부모 사망 | 3일 |\n\n증빙은 14일 안에 올려 주세요.",
    ),
    section(
        "노트북 교체",
        "노트북은 4년마다 바꿔 드려요.\n\n1. 헬프온에 신청해요.\n2. IT팀이 날짜를 잡아요.",
        path=("장비",),
    ),
    section(
        "법인카드 분실",
        "카드사에 먼저 전화해 정지하고 재무팀에 알려 주세요.",
        path=("법인카드",),
        document="finance.md",
    ),
    section("임원 보수", "임원의 보수는 이사회가 정해요.", path=("보수",), audience=frozenset({"admin"})),
]


@pytest.fixture(scope="session")
def language() -> Language:
    concepts = parse_vocabulary(SHIPPED_VOCABULARY.read_text(encoding="utf-8"))
    return Language.build(concepts, ["비교견적"], Fusion.shipped(), None)


@pytest.fixture(scope="session")
def searcher(language: Language) -> Searcher:
    return SectionSearcher(SECTIONS, {}, language, None, 1)
