"""Login, logout and who is signed in."""

from dataclasses import asdict
from typing import Annotated, Any, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, model_validator

from endy.accounts.models import User
from endy.web.deps import SESSION_COOKIE, Services, SignedIn, session_token

COOKIE_SECONDS = 400 * 24 * 3600
"""As long as browsers allow. The server ends sessions; a shorter cookie would cut one off that is in use."""

router = APIRouter(prefix="/api", tags=["계정"])


class LoginBody(BaseModel):
    """Number and password, or number and name where that is allowed (development)."""

    employee_id: Annotated[str, Field(min_length=1, max_length=32)]
    name: Annotated[str, Field(max_length=100)] | None = None
    password: Annotated[str, Field(max_length=1000)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if not self.name and not self.password:
            raise ValueError("name 또는 password를 보내 주세요")
        return self


@router.post("/login")
async def login(body: LoginBody, request: Request, response: Response, services: Services) -> dict[str, Any]:
    """로그인하고 세션 토큰을 받습니다."""
    user, token = await services.accounts.login(body.employee_id, body.name, body.password)
    request.state.user = user
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="lax",
        secure=services.settings.production,
    )
    return {"success": True, "message": f"{user.name}님, 반가워요.", "user": _public(user), "session_token": token}


@router.post("/logout")
async def logout(request: Request, response: Response, services: Services) -> dict[str, Any]:
    """세션을 끝냅니다. 세션이 없어도 성공합니다."""
    token = session_token(request)
    if token:
        await services.accounts.logout(token)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax", secure=services.settings.production)
    return {"success": True, "message": "로그아웃했어요."}


@router.get("/me")
async def me(user: SignedIn) -> dict[str, Any]:
    """로그인한 사람입니다."""
    return {"user": _public(user)}


def _public(user: User) -> dict[str, Any]:
    return asdict(user)
