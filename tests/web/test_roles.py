"""Who may call what: every route has a decision, and every role gets what the table says."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Mount, Route

from endy.accounts.models import User
from endy.accounts.roles import Permission, audiences_of, owned_by, permit
from endy.errors import AuthenticationRequired, InsufficientPermissions
from endy.settings import Settings
from endy.web.app import create_app
from endy.web.deps import needs
from tests.web.conftest import PEOPLE, Client, sign_in

OPEN, ASK, OWN = Permission.OPEN, Permission.ASK, Permission.OWN_ACCOUNT
FEEDBACK, USERS, AUDIT = Permission.READ_FEEDBACK, Permission.MANAGE_USERS, Permission.READ_AUDIT
KNOWLEDGE, OPERATIONS = Permission.READ_KNOWLEDGE, Permission.READ_OPERATIONS

TABLE: dict[tuple[str, str], Permission] = {
    ("GET", "/"): OPEN,
    ("GET", "/docs"): OPEN,
    ("GET", "/set-password"): OPEN,
    ("GET", "/.well-known/security.txt"): OPEN,
    ("GET", "/health"): OPEN,
    ("GET", "/readiness"): OPEN,
    ("GET", "/liveness"): OPEN,
    ("GET", "/metrics"): OPEN,
    ("POST", "/api/login"): OPEN,
    ("GET", "/api/sso/login"): OPEN,
    ("GET", "/api/sso/callback"): OPEN,
    ("POST", "/api/logout"): OPEN,
    ("POST", "/api/password/link"): OPEN,
    ("POST", "/api/ask"): ASK,
    ("POST", "/api/ask/stream"): ASK,
    ("GET", "/api/questions"): ASK,
    ("GET", "/api/categories"): ASK,
    ("GET", "/api/category/{category}/questions"): ASK,
    ("GET", "/api/faqs"): ASK,
    ("GET", "/api/sections"): ASK,
    ("POST", "/api/feedback"): ASK,
    ("POST", "/api/feedback/detailed"): ASK,
    ("GET", "/api/me"): OWN,
    ("GET", "/api/sessions"): OWN,
    ("DELETE", "/api/sessions"): OWN,
    ("DELETE", "/api/sessions/{session_id}"): OWN,
    ("POST", "/api/password"): OWN,
    ("GET", "/api/feedback/stats"): FEEDBACK,
    ("GET", "/api/feedback/detailed"): FEEDBACK,
    ("GET", "/api/feedback/negative"): FEEDBACK,
    ("GET", "/api/feedback/export"): FEEDBACK,
    ("GET", "/api/admin/knowledge/generated-questions"): KNOWLEDGE,
    ("GET", "/api/admin/jobs"): OPERATIONS,
    ("GET", "/api/admin/audit"): AUDIT,
    ("GET", "/api/admin/audit/export"): AUDIT,
    ("GET", "/api/admin/users"): USERS,
    ("POST", "/api/admin/users"): USERS,
    ("PATCH", "/api/admin/users/{employee_id}"): USERS,
    ("DELETE", "/api/admin/users/{employee_id}"): USERS,
    ("POST", "/api/admin/users/{employee_id}/password-link"): USERS,
    ("DELETE", "/api/admin/users/{employee_id}/sessions"): USERS,
}
GRANTED = {
    "anonymous": {OPEN},
    "user": {OPEN, ASK, OWN},
    "owner": {OPEN, ASK, OWN, FEEDBACK, KNOWLEDGE},
    "admin": set(Permission),
}
FRAMEWORK = {"/openapi.json"}
"""Served by FastAPI itself, outside production only."""

NUMBERS = {"user": "2024003", "owner": "2024004", "admin": "2024001"}
NAMES = {"user": "박민수", "owner": "최하나", "admin": "김철수"}
OWNER = PEOPLE[1] | {"employee_id": "2024004", "name": "최하나", "role": "owner", "owns": ["HR"]}


def declared(route: Any) -> list[Permission]:
    """The permissions that a route declares, wherever in its dependencies."""
    found = [route.endpoint.permission] if hasattr(route.endpoint, "permission") else []
    waiting = [route.dependant] if isinstance(route, APIRoute) else []
    while waiting:
        dependant = waiting.pop()
        if isinstance(dependant.call, needs):
            found.append(dependant.call.permission)
        waiting += dependant.dependencies
    return found


def routes(app: Any) -> Iterator[tuple[str, str, Any]]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, Mount) or context.path in FRAMEWORK:
            continue
        assert isinstance(route, Route | APIRoute), route
        for method in sorted((route.methods or set()) - {"HEAD"}):
            yield method, str(context.path), route


@pytest.fixture
def people(tmp_path: Path) -> None:
    (tmp_path / "users.json").write_text(json.dumps({"users": [*PEOPLE, OWNER]}), encoding="utf-8")


def test_every_route_has_one_decision(make_settings: Any) -> None:
    """A route that is new, or declares nothing or two things, fails here until somebody has decided."""
    for method, path, route in routes(create_app(make_settings())):
        assert declared(route) == [TABLE[method, path]], (method, path)


@pytest.fixture
async def http(make_settings: Any, client: Client, people: None) -> AsyncIterator[httpx.AsyncClient]:
    async with client(rate_limit_per_minute=10_000, rate_limit_per_hour=10_000, anonymous_access=False) as opened:
        settings: Settings = opened.app.state.services.settings  # type: ignore[attr-defined]
        users = settings.users_file
        users.write_text(json.dumps({"users": [*PEOPLE, OWNER]}), encoding="utf-8")
        await opened.app.state.services.users_file.sync()  # type: ignore[attr-defined]
        yield opened


async def call(http: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    filled = path.replace("{category}", "HR").replace("{employee_id}", "9999").replace("{session_id}", "0")
    body = {"json": {}} if method in ("POST", "PATCH") else {}
    return await http.request(method, filled, headers=headers, **body)  # type: ignore[arg-type]


@pytest.mark.parametrize("role", GRANTED)
@pytest.mark.parametrize(("method", "path"), TABLE)
async def test_every_role_gets_what_the_table_says(http: httpx.AsyncClient, role: str, method: str, path: str) -> None:
    """Nobody gets 401 for what needs somebody, somebody 403 for what is another's; the guide's words are kept."""
    headers = await sign_in(http, NUMBERS[role], NAMES[role]) if role in NUMBERS else {}
    answer = await call(http, method, path, headers)
    if TABLE[method, path] in GRANTED[role]:
        assert answer.status_code not in (401, 403) or path == "/api/login", answer.text
    elif role == "anonymous":
        assert (answer.status_code, answer.json()["error"]) == (401, "authentication_required")
    else:
        expected = {"error": "insufficient_permissions", "message": "관리자만 접근 가능합니다", "details": {}}
        assert (answer.status_code, answer.json()) == (403, expected)


@pytest.mark.parametrize("permission", Permission)
def test_nobody_and_made_up_roles(permission: Permission) -> None:
    """Anonymous askers may ask where that is allowed and nothing more; a role that is none is no role."""
    allowed = permission in (Permission.OPEN, Permission.ASK)
    if allowed:
        permit(None, permission, anonymous_access=True)
    else:
        with pytest.raises(AuthenticationRequired):
            permit(None, permission, anonymous_access=True)
    if permission is not Permission.OPEN:
        with pytest.raises(AuthenticationRequired):
            permit(None, permission, anonymous_access=False)
    stranger = User("1", "x", "", "", "root")  # type: ignore[arg-type]
    with pytest.raises(InsufficientPermissions):
        permit(stranger, permission, anonymous_access=True)


def test_a_department_is_no_role() -> None:
    """Working in a department called `admin` shows nothing that is the admins'; without one there is none to see."""
    assert audiences_of(User("1", "x", "admin", "", "user")) == frozenset()
    assert audiences_of(User("1", "x", "", "", "owner")) == frozenset()
    assert audiences_of(User("1", "x", "IT팀", "", "admin")) == {"IT팀", "admin"}
    assert audiences_of(None) == frozenset()


def test_whose_feedback_somebody_reads() -> None:
    """An owner reads what they own, an owner of nothing reads nothing, an admin everything."""
    assert owned_by(User("1", "x", "IT팀", "", "owner", ("HR",))) == {"HR"}
    assert owned_by(User("1", "x", "IT팀", "", "owner")) == frozenset()
    assert owned_by(User("1", "x", "IT팀", "", "admin", ("HR",))) is None
