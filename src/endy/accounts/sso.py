"""Sign-in with the company's account: OpenID Connect, authorization code flow with PKCE, state and nonce."""

import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core.util import create_half_hash
from itsdangerous import BadSignature, URLSafeTimedSerializer
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jws import JWSRegistry

from endy.accounts.models import Role
from endy.accounts.provider import Provider, ProviderDirectory, SingleSignOnFailed, asking
from endy.settings import GOOGLE, Settings

CALLBACK_PATH = "/api/sso/callback"
COOKIE_SECONDS = 600
LEEWAY = 60
"""Seconds that the provider's clock may be off."""

SCOPE = "openid email profile"
LONGEST_PATH = 1000
LONGEST_SUBJECT = 300
"""Of issuer and subject together, as they are stored."""

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_BY_ERROR = {
    "access_denied": "cancelled",
    "server_error": "provider_unavailable",
    "temporarily_unavailable": "provider_unavailable",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider vouches for; what it does not say is empty. `email` counts only if `email_verified`."""

    issuer: str
    subject: str
    email: str = ""
    email_verified: bool = False
    name: str = ""
    employee_id: str = ""
    department: str = ""
    groups: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """What names this person for good, whatever happens to their address."""
        return f"{self.issuer}|{self.subject}"


@dataclass(frozen=True, slots=True)
class Start:
    """Where to send the browser, and the signed cookie without which it cannot come back."""

    url: str
    state: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the browser brings back from the provider."""

    code: str | None = None
    state: str | None = None
    error: str | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class _Flow:
    state: str
    nonce: str
    verifier: str
    next_path: str
    redirect_uri: str


class SingleSignOn:
    """Sends people to the provider and finds out who came back; any replica can finish what another has started."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._directory = ProviderDirectory(settings, clock)
        self._signer = URLSafeTimedSerializer(settings.secret_key.get_secret_value(), salt="endy-sso")

    async def start(self, next_path: str, base_url: str) -> Start:
        """`base_url` is where this was called, for when no PUBLIC_URL is set. Raises SingleSignOnFailed."""
        provider = await self._directory.get()
        flow = _Flow(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            next_path=safe_path(next_path),
            redirect_uri=(self._settings.public_url or base_url).rstrip("/") + CALLBACK_PATH,
        )
        client = OAuth2Client(None, self._settings.oidc_client_id, scope=SCOPE, code_challenge_method="S256")
        url, _ = client.create_authorization_url(
            provider.authorization_endpoint,
            state=flow.state,
            nonce=flow.nonce,
            code_verifier=flow.verifier,
            redirect_uri=flow.redirect_uri,
        )
        return Start(url, flow.state, str(self._signer.dumps(asdict(flow))))

    async def finish(self, answer: Answer, cookie: str | None) -> tuple[Identity, str]:
        """Who it is, and the path they wanted. Raises SingleSignOnFailed with the reason."""
        flow = self._flow(cookie)
        if not hmac.compare_digest((answer.state or "").encode(), flow.state.encode()):
            raise SingleSignOnFailed("failed", "another state")
        if answer.issuer not in (None, self._directory.issuer):
            raise SingleSignOnFailed("failed", "another provider answered")
        if answer.error:
            raise _refusal(answer.error)
        provider = await self._directory.get()
        if not answer.code or (provider.names_issuer and answer.issuer is None):
            raise SingleSignOnFailed("failed", "an answer without a code or an issuer")
        token = await self._redeem(provider, answer.code, flow)
        claims = await self._claims(token, flow.nonce)
        return identity_of(claims, self._settings), flow.next_path

    def _flow(self, cookie: str | None) -> _Flow:
        try:
            return _Flow(**self._signer.loads(cookie or "", max_age=COOKIE_SECONDS))
        except (BadSignature, TypeError):
            raise SingleSignOnFailed("expired", "no valid cookie of a sign-in") from None

    async def _redeem(self, provider: Provider, code: str, flow: _Flow) -> Mapping[str, Any]:
        async with asking("token"), self._directory.client(provider) as client:
            client.register_compliance_hook("access_token_response", _check_presence)
            try:
                token: Mapping[str, Any] = await client.fetch_token(
                    provider.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=flow.verifier,
                    redirect_uri=flow.redirect_uri,
                )
            except OAuthError as error:
                raise SingleSignOnFailed("failed", f"token: {_known_word(error.error)}") from error
        return token

    async def _claims(self, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of the ID token, once everything about it has been checked."""
        try:
            decoded = await self._decode(str(token.get("id_token", "")))
            self._check(decoded, nonce, token.get("access_token"))
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise SingleSignOnFailed("failed", f"ID token: {_describe(error)}") from error
        return decoded.claims

    async def _decode(self, text: str) -> jwt.Token:
        try:
            return _verified(text, await self._directory.get())
        except InvalidKeyIdError:
            return _verified(text, await self._directory.get(newer=True))

    def _check(self, token: jwt.Token, nonce: str, access_token: object) -> None:
        client_id = self._settings.oidc_client_id or ""
        jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": self._directory.issuer},
            sub={"essential": True},
            aud={"essential": True, "value": client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
            # Of several audiences one has asked for the token: it must have been this one.
            azp={"essential": token.claims.get("aud") not in (client_id, [client_id]), "value": client_id},
        ).validate(token.claims)
        at_hash = token.claims.get("at_hash")
        if at_hash is not None and isinstance(access_token, str):
            expected = create_half_hash(access_token, token.header["alg"])
            if expected is not None and not hmac.compare_digest(expected, str(at_hash).encode()):
                raise SingleSignOnFailed("failed", "ID token: of another access token")


def safe_path(path: str) -> str:
    """The path if it surely stays on this site's pages, else the front page."""
    stays = path.startswith("/") and not path.startswith(("//", "/api/")) and "\\" not in path
    return path if stays and path.isprintable() and len(path.encode()) <= LONGEST_PATH else "/"


def identity_of(claims: Mapping[str, Any], settings: Settings) -> Identity:
    """Whom an ID token's claims describe. Raises SingleSignOnFailed for people of domains that are not allowed."""
    text = partial(_text, claims)
    email = text("email", 200)
    identity = Identity(
        issuer=str(claims["iss"]),
        subject=str(claims["sub"]),
        email=email if _ADDRESS.fullmatch(email) else "",
        email_verified=_verified_email(claims, settings.oidc_trust_email),
        name=text("name", 100) or text("preferred_username", 100),
        employee_id=text(settings.oidc_employee_claim, 32),
        department=text("department", 100),
        groups=_groups(_claim(claims, settings.oidc_role_claim)),
    )
    if len(identity.key) > LONGEST_SUBJECT or not identity.subject.isprintable():
        raise SingleSignOnFailed("failed", "a subject that cannot be stored")
    _check_domain(identity, claims, settings)
    return identity


def role_of(identity: Identity, settings: Settings, stored: Role = "user") -> Role | None:
    """The role that the groups give; None if groups decide nothing here.

    A role that no group gives is left as `stored`; one that a group gives is lost with the group.
    """
    by_group: dict[Role, tuple[str, ...]] = {"admin": settings.oidc_admin_groups, "owner": settings.oidc_owner_groups}
    if not any(by_group.values()):
        return None
    given = [role for role, groups in by_group.items() if identity.groups & set(groups)]
    if stored in by_group and not by_group[stored] and given != ["admin"]:
        return stored
    return given[0] if given else "user"


def _refusal(error: str) -> SingleSignOnFailed:
    reason: Any = _BY_ERROR.get(error, "failed")
    return SingleSignOnFailed(reason, f"answer: {_known_word(error)}")


def _known_word(error: object) -> str:
    """An error code of the provider as it may be logged: codes are short words, anything else is somebody's text."""
    text = str(error)
    return text if len(text) <= 40 and text.isascii() and text.replace("_", "").isalpha() else "an unknown error"


def _check_presence(response: httpx2.Response) -> httpx2.Response:
    """The library takes what a provider says that is too busy for its answer."""
    return response.raise_for_status() if response.status_code == 429 else response


def _describe(error: Exception) -> str:
    claim = f" ({error.claim})" if hasattr(error, "claim") else ""
    return f"{type(error).__name__}{claim}"


def _verified(text: str, provider: Provider) -> jwt.Token:
    # The library reads an empty list as its own choice of algorithms.
    if not provider.algorithms:
        raise SingleSignOnFailed("failed", "no signature that can be checked is offered")
    registry = JWSRegistry(algorithms=provider.algorithms, strict_check_header=False)
    return jwt.decode(text, provider.keys, registry=registry)


def _check_domain(identity: Identity, claims: Mapping[str, Any], settings: Settings) -> None:
    domains = settings.oidc_allowed_domains
    if not domains:
        return
    # Who left may keep a private Google account under the old address; only a company's account has `hd`.
    domain = claims.get("hd") if identity.issuer == GOOGLE else identity.email.rpartition("@")[2]
    if not identity.email_verified or str(domain).lower() not in domains:
        raise SingleSignOnFailed("not_allowed", "an address of another domain, or one that nobody has verified")


def _verified_email(claims: Mapping[str, Any], trusted: bool) -> bool:
    """As the provider says; some say it in words, and one that says nothing may be trusted."""
    said = claims.get("email_verified")
    return said is True or said == "true" or (said is None and trusted)


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by its path, such as `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _text(claims: Mapping[str, Any], name: str, longest: int) -> str:
    """A claim that is a short line of text (or a number), else nothing."""
    value = _claim(claims, name)
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if len(text) <= longest and text.isprintable() else ""


def _groups(value: Any) -> frozenset[str]:
    values = value if isinstance(value, list) else [value]
    return frozenset(item for item in values if isinstance(item, str) and item)
