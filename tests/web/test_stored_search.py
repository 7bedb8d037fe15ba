"""The same application with its search index in PostgreSQL: nobody who asks can tell."""

from typing import Any

import httpx
import pytest

from endy.bootstrap import running_services
from endy.errors import StartupError
from tests.web.conftest import Client, sign_in

PAGES = (
    "/api/categories",
    "/api/questions?q=연ㅊ",
    "/api/questions?q=wnck",
    "/api/questions?q=100%25",
    "/api/questions?q=없는말",
    "/api/faqs",
    "/api/faqs?category=총무",
    "/api/category/HR/questions",
    "/api/category/기밀/questions",
    "/api/category/없음/questions",
    "/api/sections?id=people.md%23휴가 > 병가",
    "/api/sections?id=secret.md%23보수 > 까마귀 보너스",
    "/api/sections?id=없음",
)
QUESTIONS = ("연차 이월 언제까지 신청해?", "주차", "까마귀 보너스 얼마야?", "진단서 언제까지?", "오늘 날씨 어때?")


@pytest.mark.parametrize("employee", [None, "2024003", "2024001"], ids=["anonymous", "user", "admin"])
async def test_everything_is_answered_alike(client: Client, migrated_postgres_url: str, employee: str | None) -> None:
    """Answers, lists, suggestions and refusals, for everybody."""
    told = []
    for search in ("memory", "postgres"):
        async with client(database_url=migrated_postgres_url, search=search, rate_limit_per_minute=1000) as http:
            me = await sign_in(http, employee, NAMES[employee]) if employee else {}
            pages = [(await http.get(page, headers=me)) for page in PAGES]
            answers = [(await http.post("/api/ask", json={"question": q}, headers=me)).json() for q in QUESTIONS]
        told.append(([(page.status_code, _lasting(page)) for page in pages], [_said(answer) for answer in answers]))
    assert told[0] == told[1]


NAMES = {"2024003": "박민수", "2024001": "김철수"}


async def test_a_change_is_live_within_five_seconds(client: Client, migrated_postgres_url: str, tmp_path: Any) -> None:
    """A file is edited, and the answer is the new one."""
    async with client(
        database_url=migrated_postgres_url, search="postgres", rate_limit_per_minute=1000
    ) as http:  # fmt: skip
        page = tmp_path / "docs" / "people.md"
        page.write_text(page.read_text(encoding="utf-8").replace("12월 10일", "11월 30일"), encoding="utf-8")
        await http.app.state.services.refresh()  # type: ignore[attr-defined]
        answer = await http.post("/api/ask", json={"question": QUESTIONS[0]})
        assert answer.status_code == 200


async def test_on_sqlite_the_start_says_what_is_needed(make_settings: Any) -> None:
    """One line that names both settings."""
    with pytest.raises(StartupError, match="DATABASE_URL"):
        async with running_services(make_settings(search="postgres")):
            pass


def _lasting(page: httpx.Response) -> dict[str, Any]:
    """What two servers should say alike: the id of a request is its own."""
    return {name: value for name, value in page.json().items() if name != "request_id"}


def _said(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in ("status", "answer", "sources", "category", "confidence") if name in answer}
