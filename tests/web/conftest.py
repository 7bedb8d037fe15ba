"""The real application over a tiny knowledge base, called in process; no embeddings, so that it starts at once."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from endy.settings import Settings
from endy.web.app import create_app

DOCUMENT = """---
category: HR
department: P&C팀
contact: 내선 3100
---
# 안내
## 휴가
### 연차 이월
남은 연차는 다음 해로 5일까지 넘길 수 있어요. 12월 10일까지 신청해 주세요.
### 병가
아파서 쉴 때는 진단서를 14일 안에 올려 주세요.
"""
SECRET = """---
category: 기밀
department: 임원실
audience: admin
---
# 기밀
## 보수
### 까마귀 보너스
까마귀 보너스는 임원에게만 777만 원을 드려요.
"""
FAQS = [
    {
        "id": 1,
        "category": "총무",
        "question": "주차는 어디에 하나요?",
        "main_answer": "지하 2층에 세워 주세요.",
        "keywords": ["주차", "차"],
        "department": "총무팀",
        "link": "https://on.encar.example/parking",
    }
]
PEOPLE = [
    {"employee_id": "2024001", "name": "김철수", "department": "개발팀", "email": "a@encar.example", "role": "admin"},
    {"employee_id": "2024003", "name": "박민수", "department": "IT팀", "email": "b@encar.example", "role": "user"},
]

Client = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def make_settings(tmp_path: Path, database_url: str) -> Callable[..., Settings]:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "people.md").write_text(DOCUMENT, encoding="utf-8")
    (docs / "secret.md").write_text(SECRET, encoding="utf-8")
    (tmp_path / "faq.json").write_text(json.dumps({"faqs": FAQS}), encoding="utf-8")
    (tmp_path / "users.json").write_text(json.dumps({"users": PEOPLE}), encoding="utf-8")

    def make(**values: Any) -> Settings:
        defaults = {
            "database_url": database_url,
            "knowledge_dir": docs,
            "faq_file": tmp_path / "faq.json",
            "users_file": tmp_path / "users.json",
            "words_file": tmp_path / "words.txt",
            "vocabulary_file": tmp_path / "vocabulary.txt",
            "log_file": tmp_path / "endy.log",
            "embeddings": "none",
        }
        return Settings(_env_file=None, **(defaults | values))

    return make


@pytest.fixture
def client(make_settings: Callable[..., Settings]) -> Client:
    """`async with client(**settings) as http:` runs the application with its lifespan."""

    @asynccontextmanager
    async def run(**values: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(make_settings(**values))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://endy.test") as http,
        ):
            http.app = app  # type: ignore[attr-defined]
            yield http

    return run


async def sign_in(http: httpx.AsyncClient, number: str, name: str) -> dict[str, str]:
    """Headers of a signed-in caller; the cookie is dropped so that only the token counts."""
    answer = await http.post("/api/login", json={"employee_id": number, "name": name})
    assert answer.status_code == 200, answer.text
    http.cookies.clear()
    return {"Authorization": f"Bearer {answer.json()['session_token']}"}
