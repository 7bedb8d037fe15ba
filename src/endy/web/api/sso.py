"""Sign-in with the company's account: to the provider, and back with a session."""

from typing import Annotated
from zlib import crc32

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from endy.accounts.provider import Reason, SingleSignOnFailed
from endy.accounts.sso import COOKIE_SECONDS, Answer, SingleSignOn
from endy.bootstrap import Services as BuiltServices
from endy.errors import AuthenticationFailed, EndyError, NotFound
from endy.web.api.accounts import remember_session
from endy.web.deps import OPEN, Caller, Services
from endy.web.documented import errors
from endy.web.errors import note

PATH = "/api/sso"
SLOTS = 8
"""Sign-ins that one browser can have under way, such as in tabs; more would make its requests too long."""

router = APIRouter(prefix=PATH, tags=["계정"], dependencies=[OPEN], responses=errors(404))
_log = structlog.get_logger(__name__)


@router.get("/login", response_class=RedirectResponse, status_code=302)
async def login(
    request: Request, services: Services, next_path: Annotated[str, Query(alias="next")] = "/"
) -> RedirectResponse:
    """회사 계정의 로그인 화면으로 보냅니다. 마치면 `next`로 돌아옵니다."""
    sso = _sso(services)
    try:
        start = await sso.start(next_path, str(request.base_url))
    except SingleSignOnFailed as error:
        return _refused(services, error)
    response = RedirectResponse(start.url, 302)
    response.set_cookie(
        _cookie(start.state), start.cookie, COOKIE_SECONDS,
        path=PATH, httponly=True, samesite="lax", secure=services.settings.production,
    )  # fmt: skip
    return response


@router.get("/callback", response_class=RedirectResponse, status_code=302)
async def callback(
    request: Request,
    services: Services,
    caller: Caller,
    code: str | None = None,
    state: str = "",
    error: str | None = None,
    iss: str | None = None,
) -> RedirectResponse:
    """로그인 제공자가 돌려보내는 곳입니다. 세션을 만들고 처음 보려던 화면으로 보냅니다."""
    sso, cookie = _sso(services), _cookie(state)
    try:
        identity, next_path = await sso.finish(Answer(code, state, error, iss), request.cookies.get(cookie))
        signed_in = await services.accounts.sign_in_sso(identity, caller)
    except EndyError as problem:
        response = _refused(services, problem)
    else:
        request.state.user = signed_in.user
        services.metrics.sso_sign_ins.labels("ok").inc()
        response = RedirectResponse(next_path, 302)
        remember_session(services, response, signed_in)
    response.delete_cookie(cookie, PATH, httponly=True, samesite="lax", secure=services.settings.production)
    return response


def _sso(services: BuiltServices) -> SingleSignOn:
    if services.sso is None:
        raise NotFound("회사 계정 로그인을 쓰지 않아요.")
    return services.sso


def _cookie(state: str) -> str:
    return f"endy_sso_{crc32(state.encode()) % SLOTS}"


def _refused(services: BuiltServices, error: EndyError) -> RedirectResponse:
    """Back to the page, which says what happened by the code and offers another try."""
    reason, cause = _reason(error)
    services.metrics.sso_sign_ins.labels(reason).inc()
    note(services, error)
    _log.warning("sso_refused", reason=reason, cause=cause)
    return RedirectResponse(f"/?sso_error={reason}", 302)


def _reason(error: EndyError) -> tuple[Reason, str]:
    if isinstance(error, SingleSignOnFailed):
        return error.reason, error.cause
    return ("not_allowed" if isinstance(error, AuthenticationFailed) else "failed"), error.code
