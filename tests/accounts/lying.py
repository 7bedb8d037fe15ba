"""An OpenID provider over real HTTP that does everything right until a test tells it what to lie about."""

import base64
import hashlib
import hmac
import json
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import Key, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from endy.accounts.provider import SingleSignOnFailed
from endy.accounts.sso import Answer, Identity, SingleSignOn
from endy.settings import Settings

BASE = "http://endy.test/"
CLIENT = "endy-client"
SECRET = "it is a test"
KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})

Reply = Callable[[], Awaitable[Response]]


class LyingProvider:
    """`metadata`, `claims` and `token` change what is said; `replies` answer a path instead of it."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.metadata: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.token: dict[str, Any] = {}
        self.replies: dict[str, Reply] = {}
        self.keys: list[dict[str, Any]] = [KEY.as_dict(private=False)]
        self.sign: Callable[[dict[str, Any]], str] = signed()
        self.client: tuple[str | None, str | None] = (CLIENT, SECRET)
        self.basic: str | None = None
        self.asked: Counter[str] = Counter()
        self._codes: dict[str, dict[str, str]] = {}

    def consent(self, url: str) -> Answer:
        """What a browser that went to the address brings back once its owner has agreed."""
        query = dict(parse_qsl(urlsplit(url).query))
        assert (query["response_type"], query["client_id"]) == ("code", CLIENT)
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        return Answer(code, query["state"])

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        self.asked[path] += 1
        if path in self.replies:
            return await self.replies[path]()
        if path == "/jwks":
            return JSONResponse({"keys": self.keys})
        if path == "/token":
            return self._redeem(dict(parse_qsl((await request.body()).decode())), request.headers.get("authorization"))
        return JSONResponse(self.document())

    def document(self) -> dict[str, Any]:
        honest = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
        return honest | self.metadata

    def _redeem(self, form: dict[str, str], authorization: str | None) -> Response:
        asked = self._codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        known = authorization == self.basic and (form.get("client_id"), form.get("client_secret")) == self.client
        same = asked and (challenge.decode(), form["redirect_uri"]) == (asked["code_challenge"], asked["redirect_uri"])
        if asked is None or not known or not same or asked["code_challenge_method"] != "S256":
            return JSONResponse({"error": "invalid_grant", "error_description": "홍길동의 코드"}, 400)
        now = int(time.time())
        said = {"iss": self.issuer, "sub": "u-1", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        told = {name: value for name, value in (said | self.claims).items() if value is not None}
        answer = {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": self.sign(told)}
        return JSONResponse(answer | self.token)


def signed(key: Key = KEY, **header: Any) -> Callable[[dict[str, Any]], str]:
    """A signer with this key, whose header says what is given."""

    def sign(claims: dict[str, Any]) -> str:
        said = {name: value for name, value in ({"alg": "RS256", "kid": "first"} | header).items() if value is not None}
        return jwt.encode(said, claims, key, [said["alg"]])

    return sign


def by_hand(header: Any, claims: Any, signature: bytes = b"") -> str:
    """A token as no library would make it; parts that are bytes are taken as they are."""
    parts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims, signature))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def by_public_key(claims: dict[str, Any]) -> str:
    """What a server takes for true that checks an HMAC with the key it knows (libraries refuse to make it)."""
    text = by_hand({"alg": "HS256", "kid": "first"}, claims).removesuffix(".")
    signature = hmac.digest(KEY.as_pem(private=False), text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def reply(content: bytes | str, status: int = 200, **headers: str) -> Reply:
    async def answer() -> Response:
        return Response(content, status, {name.replace("_", "-"): value for name, value in headers.items()})

    return answer


@contextmanager
def provider_server() -> Iterator[Callable[[], LyingProvider]]:
    """A server on a free port for as long as the context lasts; each call puts a new, honest provider behind it."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        current = [LyingProvider(f"http://127.0.0.1:{listening.getsockname()[1]}")]

        async def answer(request: Request) -> Response:
            return await current[0].answer(request)

        def fresh() -> LyingProvider:
            current[0] = LyingProvider(current[0].issuer)
            return current[0]

        app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the provider did not start"
            time.sleep(0.01)
        yield fresh
        server.should_exit = True
        thread.join(timeout=5)


def settings(**values: Any) -> Settings:
    defaults = {"oidc_issuer": "https://login.encar.example", "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
    return Settings(_env_file=None, **(defaults | values))


async def whole(sso: SingleSignOn, liar: LyingProvider, **changes: Any) -> tuple[Identity, str]:
    """A sign-in from the first click on; `changes` are made to what the browser brings back."""
    start = await sso.start("/?q=연차", BASE)
    return await sso.finish(replace(liar.consent(start.url), **changes), start.cookie)


async def refused(sso: SingleSignOn, liar: LyingProvider, **changes: Any) -> SingleSignOnFailed:
    with pytest.raises(SingleSignOnFailed) as caught:
        await whole(sso, liar, **changes)
    return caught.value
