"""What handlers ask for by type: services, somebody with a permission, the asker, the caller."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request

from endy.accounts.models import Client, User
from endy.accounts.roles import Permission, audiences_of, permit
from endy.ask.models import Asker
from endy.bootstrap import Services as BuiltServices
from endy.errors import InsufficientPermissions, RateLimitExceeded
from endy.settings import Settings
from endy.web.clients import client_address, device_name

SESSION_COOKIE = "endy_session"
DEVICE_COOKIE = "endy_device"

Handler = TypeVar("Handler", bound=Callable[..., Any])
_SAFE = {"GET", "HEAD", "OPTIONS"}


def get_services(request: Request) -> BuiltServices:
    return cast("BuiltServices", request.app.state.services)


Services = Annotated[BuiltServices, Depends(get_services)]


def cookie_name(name: str, settings: Settings) -> str:
    """With a prefix in production, so that browsers take the cookie from this host alone and over HTTPS only."""
    return f"__Host-{name}" if settings.production else name


def session_token(request: Request) -> str | None:
    """The Bearer token, else the cookie's. Raises InsufficientPermissions for a cross-site call with the cookie."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    cookie = request.cookies.get(cookie_name(SESSION_COOKIE, get_services(request).settings))
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


class needs:  # noqa: N801  reads as what it is: `Depends(needs(Permission.ASK))`
    """Lets through who has the permission. Every route declares exactly one; a test walks them all."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request, services: Services) -> User | None:
        if self.permission is Permission.OPEN:
            return None
        user = await current_user(request, services)
        permit(user, self.permission, anonymous_access=services.settings.anonymous_access)
        return user


def declares(permission: Permission) -> Callable[[Handler], Handler]:
    """For handlers that check by hand what `needs` would check for them."""

    def mark(handler: Handler) -> Handler:
        handler.permission = permission  # type: ignore[attr-defined]
        return handler

    return mark


OPEN = Depends(needs(Permission.OPEN))
SignedIn = Annotated[User, Depends(needs(Permission.OWN_ACCOUNT))]
UserManager = Annotated[User, Depends(needs(Permission.MANAGE_USERS))]
FeedbackReader = Annotated[User, Depends(needs(Permission.READ_FEEDBACK))]
KnowledgeReader = Annotated[User, Depends(needs(Permission.READ_KNOWLEDGE))]
Operator = Annotated[User, Depends(needs(Permission.READ_OPERATIONS))]
AuditReader = Annotated[User, Depends(needs(Permission.READ_AUDIT))]


def asker_of(user: User | None) -> Asker:
    """Somebody who asks, as answering knows them."""
    return Asker(f"user:{user.employee_id}" if user else "anonymous", audiences_of(user))


def _asker(user: Annotated[User | None, Depends(needs(Permission.ASK))]) -> Asker:
    return asker_of(user)


AnyAsker = Annotated[Asker, Depends(_asker)]


async def limited_asker(request: Request, services: Services) -> Asker:
    """An asker whose question has been counted; the limit is checked before anything else about the call."""
    user = await current_user(request, services)
    key = f"user:{user.employee_id}" if user else client_address(request, services.settings.trusted_networks)
    state = await services.limiter.hit(key)
    request.state.rate = state
    if not state.allowed:
        raise RateLimitExceeded(state.reset)
    permit(user, Permission.ASK, anonymous_access=services.settings.anonymous_access)
    return asker_of(user)


def client_of(request: Request, services: Services) -> Client:
    """Where a call comes from, for the audit log and the list of sessions."""
    return Client(
        address=client_address(request, services.settings.trusted_networks),
        device=device_name(request.headers.get("user-agent", "")),
        request_id=request.state.request_id,
        known=request.cookies.get(cookie_name(DEVICE_COOKIE, services.settings), ""),
    )


Caller = Annotated[Client, Depends(client_of)]
