"""The company's identity provider: its endpoints and keys as published, and calls to it that cannot hang or flood."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel

from endy.errors import AuthenticationFailed
from endy.settings import Settings

Reason = Literal["cancelled", "expired", "provider_unavailable", "not_allowed", "failed"]

PATIENCE = 5.0
"""Seconds for a whole call, however slowly its answer drips."""

KEPT = 3600.0
REFRESH_EVERY = 60.0
"""Seconds between two looks for a key that is not among the known ones."""

REST = 5.0
"""Seconds after a failed look in which nobody else waits for the same."""

MOST_BYTES = 512 * 1024
_NONSENSE = (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL, JoseError, ValueError, RecursionError)
SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""By key pairs only: a provider's public key is no secret that anything could be signed with."""


class SingleSignOnFailed(AuthenticationFailed):
    """`reason` is for the page and `cause` for the log; neither holds what a token said."""

    def __init__(self, reason: Reason, cause: str) -> None:
        super().__init__()
        self.reason: Reason = reason
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Provider:
    """What the provider publishes, as far as it is needed; `names_issuer` as of RFC 9207."""

    authorization_endpoint: str
    token_endpoint: str
    token_auth: str
    algorithms: tuple[str, ...]
    names_issuer: bool
    keys: KeySet


class _Metadata(BaseModel):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    # What these mean when they are left out is said by OpenID Connect Discovery 1.0 and RFC 9207.
    id_token_signing_alg_values_supported: list[str] = ["RS256"]
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    authorization_response_iss_parameter_supported: bool = False


class _Keys(BaseModel):
    keys: list[dict[str, Any]]


class ProviderDirectory:
    """The provider's metadata and keys, fetched when first needed and again after an hour."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = settings.oidc_issuer or ""
        self._settings = settings
        self._clock = clock
        self._tls = httpx2.create_ssl_context()
        self._lock = asyncio.Lock()
        self._known: Provider | None = None
        self._looked_at = self._failed_at = -KEPT

    async def get(self, *, newer: bool = False) -> Provider:
        """The provider; `newer` looks again, at most once a minute. Raises SingleSignOnFailed."""
        async with self._lock:
            now = self._clock()
            if self._known and now - self._looked_at < (REFRESH_EVERY if newer else KEPT):
                return self._known
            if now - self._failed_at < REST:
                raise SingleSignOnFailed("provider_unavailable", "it just failed to answer")
            try:
                self._known = await self._fetch()
            except SingleSignOnFailed:
                self._failed_at = self._clock()
                raise
            self._looked_at = self._clock()
            return self._known

    def client(self, provider: Provider | None = None) -> AsyncOAuth2Client:
        """For one sign-in: it follows no redirects, and ends answers that are too long."""
        secret = self._settings.oidc_client_secret
        return AsyncOAuth2Client(
            client_id=self._settings.oidc_client_id,
            client_secret=secret.get_secret_value() if secret else None,
            token_endpoint_auth_method=provider.token_auth if provider else None,
            headers={"Accept-Encoding": "identity"},
            timeout=PATIENCE,
            follow_redirects=False,
            verify=self._tls,
            event_hooks={"response": [_limit]},
        )

    async def _fetch(self) -> Provider:
        async with self.client() as client:
            async with asking("discovery"):
                url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
                metadata = _Metadata.model_validate_json(await _get(client, url))
                self._check(metadata)
            async with asking("keys"):
                keys = _Keys.model_validate_json(await _get(client, metadata.jwks_uri)).keys
                return self._provider(metadata, KeySet.import_key_set({"keys": keys}))

    def _check(self, metadata: _Metadata) -> None:
        if metadata.issuer != self.issuer:
            raise SingleSignOnFailed("provider_unavailable", "the discovery document names another issuer")
        schemes = ("https://",) if self.issuer.startswith("https://") else ("https://", "http://")
        urls = (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri)
        if not all(url.startswith(schemes) for url in urls):
            raise SingleSignOnFailed("provider_unavailable", "an endpoint is not encrypted")

    def _provider(self, metadata: _Metadata, keys: KeySet) -> Provider:
        offered = metadata.id_token_signing_alg_values_supported
        # In the body a secret needs no encoding that two programs could disagree about.
        in_body = "client_secret_post" in metadata.token_endpoint_auth_methods_supported
        by_secret = "client_secret_post" if in_body else "client_secret_basic"
        return Provider(
            authorization_endpoint=metadata.authorization_endpoint,
            token_endpoint=metadata.token_endpoint,
            token_auth=by_secret if self._settings.oidc_client_secret else "none",
            algorithms=tuple(name for name in SIGNATURES if name in offered),
            names_issuer=metadata.authorization_response_iss_parameter_supported,
            keys=keys,
        )


@asynccontextmanager
async def asking(what: str) -> AsyncIterator[None]:
    """Make one error of everything that a provider which is down, slow or talking nonsense can cause."""
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    except _NONSENSE as error:
        raise SingleSignOnFailed("provider_unavailable", f"{what}: {type(error).__name__}") from error


async def _get(client: AsyncOAuth2Client, url: str) -> bytes:
    response = await client.request("GET", url, withhold_token=True)
    if response.status_code != 200:
        raise SingleSignOnFailed("provider_unavailable", f"status {response.status_code}")
    content: bytes = response.content
    return content


async def _limit(response: httpx2.Response) -> None:
    # A small compressed answer can be an enormous one.
    if response.headers.get("content-encoding", "identity") != "identity":
        raise SingleSignOnFailed("provider_unavailable", "a compressed answer that nobody asked for")
    response.stream = _Limited(response.stream)


class _Limited(httpx2.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST_BYTES
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise SingleSignOnFailed("provider_unavailable", "an answer without end")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
