"""An app that serves the real pages and canned API answers; words in the question choose what happens."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from endy.settings import Settings
from endy.web import pages

from . import content

CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
REQUEST_ID = "req-7f3a91"


@dataclass
class Memory:
    """What the stub has seen and how it is told to behave; a test reads and changes it."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    feedback: list[dict[str, Any]] = field(default_factory=list)
    detailed: list[dict[str, Any]] = field(default_factory=list)
    limited_once: bool = False
    sessions_expired: bool = False
    catalog_fails: bool = False


def create_stub(**settings: Any) -> FastAPI:
    app = FastAPI()
    app.state.services = SimpleNamespace(settings=Settings(_env_file=None, **settings))
    app.state.memory = Memory()
    app.include_router(pages.router)
    _add_headers(app)
    _add_catalog(app)
    _add_accounts(app)
    _add_asking(app)
    pages.mount_static(app)
    return app


def _add_headers(app: FastAPI) -> None:
    @app.middleware("http")
    async def headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = CSP
        response.headers["X-Request-ID"] = REQUEST_ID
        return response


def _add_catalog(app: FastAPI) -> None:
    memory: Memory = app.state.memory

    @app.get("/api/categories")
    async def categories(request: Request) -> Any:
        if memory.catalog_fails:
            return _error(503, "service_unavailable", "지금은 답할 수 없어요. 잠시 뒤에 다시 시도해 주세요.")
        if _locked(app, request):
            return _error(401, "authentication_required", "로그인이 필요해요.")
        return {"categories": [{"name": name, "count": len(found)} for name, found in content.QUESTIONS.items()]}

    @app.get("/api/category/{category}/questions")
    async def starters(category: str, limit: int = 5) -> dict[str, Any]:
        return {"category": category, "questions": content.QUESTIONS[category][:limit]}

    @app.get("/api/questions")
    async def suggest(q: str = "", limit: int = 5) -> dict[str, Any]:
        pairs = [(text, name) for name, found in content.QUESTIONS.items() for text in found if q in text]
        return {"questions": [{"question": text, "category": name} for text, name in pairs[:limit]]}

    @app.get("/api/sections")
    async def section(id: str) -> Any:  # noqa: A002  the contract's name
        await asyncio.sleep(0.05)
        found = content.SECTIONS.get(id)
        return found or _error(404, "not_found", "찾을 수 없어요.")


def _add_accounts(app: FastAPI) -> None:
    memory: Memory = app.state.memory

    @app.post("/api/login")
    async def login(body: dict[str, str], response: Response) -> Any:
        person = content.PEOPLE.get(body["employee_id"])
        if person is None or body.get("name", body.get("password")) not in (person["name"], "right-password"):
            return _error(401, "authentication_failed", "로그인 정보가 맞지 않아요. 다시 확인해 주세요.")
        memory.sessions_expired = False
        response.set_cookie("endy_session", body["employee_id"], httponly=True, samesite="lax")
        return {"success": True, "message": "로그인했어요.", "user": person, "session_token": "opaque"}

    @app.post("/api/logout")
    async def logout(response: Response) -> dict[str, Any]:
        response.delete_cookie("endy_session")
        return {"success": True, "message": "로그아웃했어요."}

    @app.get("/api/me")
    async def me(request: Request) -> Any:
        person = content.PEOPLE.get(request.cookies.get("endy_session", ""))
        return person or _error(401, "authentication_required", "로그인이 필요해요.")


def _add_asking(app: FastAPI) -> None:
    memory: Memory = app.state.memory

    @app.post("/api/ask/stream")
    async def stream(body: dict[str, Any], request: Request) -> Any:
        memory.asked.append(body)
        refused = _refusal(app, request, body["question"])
        return refused or StreamingResponse(_events(body["question"]), media_type="text/event-stream")

    @app.post("/api/feedback")
    async def feedback(body: dict[str, Any]) -> dict[str, Any]:
        memory.feedback.append(body)
        return {"success": True, "message": "고마워요."}

    @app.post("/api/feedback/detailed")
    async def detailed(body: dict[str, Any]) -> dict[str, Any]:
        memory.detailed.append(body)
        return {"success": True, "message": "고마워요."}


def _locked(app: FastAPI, request: Request) -> bool:
    settings: Settings = app.state.services.settings
    signed_in = "endy_session" in request.cookies and not app.state.memory.sessions_expired
    return not signed_in and (app.state.memory.sessions_expired or not settings.anonymous_access)


def _refusal(app: FastAPI, request: Request, question: str) -> JSONResponse | None:
    memory: Memory = app.state.memory
    if "한도" in question and not memory.limited_once:
        memory.limited_once = True
        refused = _error(429, "rate_limit_exceeded", "질문이 잠시 많았어요.", {"retry_after": 3})
        refused.headers["Retry-After"] = "3"
        return refused
    if _locked(app, request):
        return _error(401, "authentication_required", "로그인이 필요해요.")
    if "오류" in question:
        return _error(500, "internal_error", "일시적인 오류가 생겼어요. 잠시 뒤에 다시 시도해 주세요.")
    return None


async def _events(question: str) -> AsyncIterator[str]:
    answer = content.answer_to(question)
    await asyncio.sleep(content.delay_of(question))
    yield ": still here\n\n"
    yield _event("meta", {**answer, "answer": "", "answer_html": ""})
    await asyncio.sleep(content.pause_of(question))
    pieces = [answer["answer"][at : at + 12] for at in range(0, len(answer["answer"]), 12)]
    for number, piece in enumerate(pieces):
        if "끊김" in question and number == 3:
            return
        yield _event("delta", {"text": piece})
        await asyncio.sleep(0.02)
    yield _event("done", answer)


def _event(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _error(status: int, code: str, message: str, details: dict[str, Any] | None = None) -> JSONResponse:
    return JSONResponse({"error": code, "message": message, "details": details or {}}, status)
