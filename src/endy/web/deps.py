"""What handlers ask for by type: services, the signed-in user, an admin, the asker."""

from typing import Annotated, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request

from endy.accounts.models import User
from endy.accounts.roles import audiences_of, require_admin
from endy.ask.models import Asker
from endy.bootstrap import Services as BuiltServices
from endy.errors import AuthenticationRequired, InsufficientPermissions, RateLimitExceeded
from endy.web.clients import client_address

SESSION_COOKIE = "endy_session"
_SAFE = {"GET", "HEAD", "OPTIONS"}


def get_services(request: Request) -> BuiltServices:
    return cast("BuiltServices", request.app.state.services)


Services = Annotated[BuiltServices, Depends(get_services)]


def session_token(request: Request) -> str | None:
    """The Bearer token, else the cookie's. Raises InsufficientPermissions for a cross-site call with the cookie."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie and request.method not in _SAFE and not _same_origin(request):
        raise InsufficientPermissions("다른 사이트에서 보낸 요청은 받을 수 없어요.")
    return cookie


def _same_origin(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


async def current_user(request: Request, services: Services) -> User | None:
    """Who is signed in; None for nobody and for a session that is over."""
    token = session_token(request)
    user = await services.accounts.user_of(token) if token else None
    request.state.user = user
    return user


CurrentUser = Annotated[User | None, Depends(current_user)]


async def signed_in(user: CurrentUser) -> User:
    if user is None:
        raise AuthenticationRequired
    return user


async def admin(user: CurrentUser) -> User:
    return require_admin(user)


SignedIn = Annotated[User, Depends(signed_in)]
Admin = Annotated[User, Depends(admin)]


async def asker(user: CurrentUser, services: Services) -> Asker:
    """Anyone while ANONYMOUS_ACCESS is on, else somebody signed in."""
    if user is None and not services.settings.anonymous_access:
        raise AuthenticationRequired
    key = f"user:{user.employee_id}" if user else "anonymous"
    return Asker(key, audiences_of(user))


AnyAsker = Annotated[Asker, Depends(asker)]


async def limited_asker(request: Request, services: Services) -> Asker:
    """An asker whose question has been counted; the limit is checked before anything else about the call."""
    user = await current_user(request, services)
    key = f"user:{user.employee_id}" if user else client_address(request, services.settings.trusted_networks)
    state = await services.limiter.hit(key)
    request.state.rate = state
    if not state.allowed:
        raise RateLimitExceeded(state.reset)
    return await asker(user, services)
