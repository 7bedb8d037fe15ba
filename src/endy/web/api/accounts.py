"""Login, logout, passwords and own sessions."""

from dataclasses import asdict
from typing import Annotated, Any, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, model_validator

from endy.accounts.models import SignIn, User
from endy.bootstrap import Services as BuiltServices
from endy.web.deps import DEVICE_COOKIE, OPEN, SESSION_COOKIE, Caller, Services, SignedIn, cookie_name, session_token
from endy.web.documented import errors

COOKIE_SECONDS = 400 * 24 * 3600
"""As long as browsers allow. The server ends sessions; a shorter cookie would cut one off that is in use."""

router = APIRouter(prefix="/api", tags=["계정"], responses=errors(401, 404, 429))

Password = Annotated[str, Field(max_length=1000)]


class LoginBody(BaseModel):
    """Number and password, or number and name where that is allowed (development)."""

    employee_id: Annotated[str, Field(min_length=1, max_length=32)]
    name: Annotated[str, Field(max_length=100)] | None = None
    password: Password | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if not self.name and not self.password:
            raise ValueError("name 또는 password를 보내 주세요")
        return self


class PasswordBody(BaseModel):
    current_password: Password
    new_password: Password


class LinkBody(BaseModel):
    token: Annotated[str, Field(min_length=1, max_length=200)]
    new_password: Password


@router.post("/login", dependencies=[OPEN])
async def login(
    body: LoginBody, request: Request, response: Response, services: Services, caller: Caller
) -> dict[str, Any]:
    """로그인하고 세션 토큰을 받습니다."""
    signed_in = await services.accounts.login(body.employee_id, body.name, body.password, caller)
    return _welcome(services, request, response, signed_in, f"{signed_in.user.name}님, 반가워요.")


@router.post("/logout", dependencies=[OPEN])
async def logout(request: Request, response: Response, services: Services, caller: Caller) -> dict[str, Any]:
    """세션을 끝냅니다. 세션이 없어도 성공합니다."""
    token = session_token(request)
    if token:
        await services.accounts.logout(token, caller)
    forget_session(services, response)
    return {"success": True, "message": "로그아웃했어요."}


@router.get("/me")
async def me(user: SignedIn) -> dict[str, Any]:
    """로그인한 사람입니다."""
    return {"user": _public(user)}


@router.get("/sessions")
async def sessions(request: Request, user: SignedIn, services: Services) -> dict[str, Any]:
    """로그인해 둔 기기들입니다."""
    return {"sessions": await services.accounts.sessions(user, session_token(request) or "")}


@router.delete("/sessions/{session_id}")
async def end_session(session_id: str, user: SignedIn, services: Services, caller: Caller) -> dict[str, Any]:
    """기기 하나에서 로그아웃합니다."""
    await services.accounts.end_session(user, session_id, caller)
    return {"success": True, "message": "그 기기에서 로그아웃했어요."}


@router.delete("/sessions")
async def end_sessions(response: Response, user: SignedIn, services: Services, caller: Caller) -> dict[str, Any]:
    """이 기기를 포함해 모든 기기에서 로그아웃합니다."""
    ended = await services.accounts.end_sessions(user.employee_id, user.employee_id, caller)
    forget_session(services, response)
    return {"success": True, "message": "모든 기기에서 로그아웃했어요.", "ended": ended}


@router.post("/password")
async def change_password(
    body: PasswordBody, request: Request, response: Response, user: SignedIn, services: Services, caller: Caller
) -> dict[str, Any]:
    """비밀번호를 바꿉니다. 다른 기기에서는 모두 로그아웃됩니다."""
    signed_in = await services.accounts.change_password(user, body.current_password, body.new_password, caller)
    return _welcome(services, request, response, signed_in, "비밀번호를 바꿨어요. 다른 기기에서는 로그아웃했어요.")


@router.post("/password/link", dependencies=[OPEN])
async def use_link(
    body: LinkBody, request: Request, response: Response, services: Services, caller: Caller
) -> dict[str, Any]:
    """한 번만 쓸 수 있는 링크로 비밀번호를 정하고 로그인합니다."""
    signed_in = await services.accounts.use_link(body.token, body.new_password, caller)
    return _welcome(services, request, response, signed_in, "비밀번호를 정했어요.")


def remember_session(services: BuiltServices, response: Response, signed_in: SignIn) -> None:
    """Set the cookies of a new session."""
    cookies = {
        SESSION_COOKIE: signed_in.token,
        DEVICE_COOKIE: services.accounts.device_cookie(signed_in.user),
    }
    for name, value in cookies.items():
        response.set_cookie(
            cookie_name(name, services.settings),
            value,
            COOKIE_SECONDS,
            httponly=True,
            samesite="lax",
            secure=services.settings.production,
        )


def forget_session(services: BuiltServices, response: Response) -> None:
    """The device stays known: that is what keeps its owner from being locked out."""
    name = cookie_name(SESSION_COOKIE, services.settings)
    response.delete_cookie(name, httponly=True, samesite="lax", secure=services.settings.production)


def _welcome(
    services: BuiltServices, request: Request, response: Response, signed_in: SignIn, message: str
) -> dict[str, Any]:
    request.state.user = signed_in.user
    remember_session(services, response, signed_in)
    return {
        "success": True,
        "message": message,
        "user": _public(signed_in.user),
        "session_token": signed_in.token,
    }


def _public(user: User) -> dict[str, Any]:
    return asdict(user)
