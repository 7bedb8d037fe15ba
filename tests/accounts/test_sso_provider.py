"""The provider's documents: broken, slow or false ones, and how long good ones are kept."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import Response, StreamingResponse

from endy.accounts import provider as provider_module
from endy.accounts.provider import ProviderDirectory, SingleSignOnFailed
from endy.accounts.sso import SingleSignOn
from tests.accounts.lying import BASE, OTHER_KEY, LyingProvider, refused, reply, settings, signed, whole

DISCOVERY = "/.well-known/openid-configuration"


async def _drip() -> Response:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await provider_module.asyncio.sleep(0.05)

    return StreamingResponse(drops())


HUGE = b"[" + b"1," * 1_000_000 + b"1]"


BROKEN = {
    "html": reply("<html>로그인</html>"),
    "error": reply("{}", 500),
    "busy": reply("{}", 429),
    "list": reply("[]"),
    "empty": reply(""),
    "huge": reply(HUGE),
    "deep": reply(b"[" * 100_000),
    "not-utf8": reply(b'{"issuer": "\xff"}'),
    "redirect": reply("", 302, location="http://evil.example/"),
    "bomb": reply(gzip.compress(b" " * 50_000_000), content_encoding="gzip"),
}


@pytest.mark.parametrize("path", [DISCOVERY, "/jwks", "/token"])
@pytest.mark.parametrize("broken", BROKEN)
async def test_broken_documents(sso: SingleSignOn, liar: LyingProvider, path: str, broken: str) -> None:
    """Too large, of another kind or not there: the provider counts as away, wherever in the sign-in it happens."""
    liar.replies[path] = BROKEN[broken]
    assert (await refused(sso, liar)).reason == "provider_unavailable"


async def test_right_documents_in_the_wrong_way(sso: SingleSignOn, liar: LyingProvider) -> None:
    """Redirected, compressed, too long or called an error: not used, even if every word were true."""
    document = json.dumps(liar.document()).encode()
    for told in (
        reply("", 302, location=f"{liar.issuer}/elsewhere"),
        reply(gzip.compress(document), content_encoding="gzip"),
        reply(document + b" " * 600_000),
        reply(document, 500),
    ):
        liar.replies[DISCOVERY] = told
        fresh = SingleSignOn(settings(oidc_issuer=liar.issuer))
        assert (await refused(fresh, liar)).reason == "provider_unavailable"
    assert liar.asked["/elsewhere"] == 0
    liar.replies[DISCOVERY] = reply(document + b" " * 100_000)
    assert (await whole(sso, liar))[0].subject == "u-1"


@pytest.mark.parametrize("path", [DISCOVERY, "/jwks", "/token"])
async def test_an_answer_that_drips_is_not_waited_for(
    sso: SingleSignOn, liar: LyingProvider, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time counts for the whole answer, not for each byte."""
    monkeypatch.setattr(provider_module, "PATIENCE", 0.3)
    liar.replies[path] = _drip
    started = time.perf_counter()
    assert (await refused(sso, liar)).reason == "provider_unavailable"
    assert time.perf_counter() - started < 2


async def test_a_provider_that_is_down() -> None:
    """Nobody listens at its address; the name cannot be looked up."""
    for issuer in ("http://127.0.0.1:9", "https://nobody.invalid"):
        with pytest.raises(SingleSignOnFailed) as caught:
            await SingleSignOn(settings(oidc_issuer=issuer)).start("/", BASE)
        assert caught.value.reason == "provider_unavailable"


@pytest.mark.parametrize(
    "lie",
    [
        {"issuer": "https://evil.example"},
        {"issuer": "http://127.0.0.1/{tenantid}"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"jwks_uri": "http://[::bad"},
    ],
    ids=str,
)
async def test_false_metadata(sso: SingleSignOn, liar: LyingProvider, lie: dict[str, Any]) -> None:
    """A document of another issuer, or with addresses that no browser should be sent to, is not used."""
    liar.metadata = lie
    assert (await refused(sso, liar)).reason == "provider_unavailable"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_documents_are_kept_for_an_hour(liar: LyingProvider) -> None:
    """A thousand sign-ins at nine o'clock ask once; what changes is seen within the hour."""
    clock = Clock()
    directory = ProviderDirectory(settings(oidc_issuer=liar.issuer), clock=clock)
    await asyncio.gather(*(directory.get() for _ in range(20)))
    clock.now += 3599
    await directory.get()
    assert (liar.asked[DISCOVERY], liar.asked["/jwks"]) == (1, 1)
    clock.now += 2
    await directory.get()
    assert (liar.asked[DISCOVERY], liar.asked["/jwks"]) == (2, 2)


async def test_nobody_queues_for_a_provider_that_is_away(liar: LyingProvider) -> None:
    """Of many at once one waits for it; the others hear the same at once, and seconds later it is tried again."""
    clock = Clock()
    directory = ProviderDirectory(settings(oidc_issuer=liar.issuer), clock=clock)
    liar.replies[DISCOVERY] = reply("", 503)
    errors = await asyncio.gather(*(directory.get() for _ in range(20)), return_exceptions=True)
    assert all(isinstance(error, SingleSignOnFailed) for error in errors)
    assert liar.asked[DISCOVERY] == 1
    liar.replies.clear()
    clock.now += 6
    assert (await directory.get()).keys


async def test_a_new_key_is_looked_for_once_a_minute(liar: LyingProvider) -> None:
    """Made-up key names cannot make us ask and ask."""
    clock = Clock()
    directory = ProviderDirectory(settings(oidc_issuer=liar.issuer), clock=clock)
    await directory.get()
    for _ in range(5):
        await directory.get(newer=True)
    assert liar.asked["/jwks"] == 1
    clock.now += 61
    for _ in range(5):
        await directory.get(newer=True)
    assert liar.asked["/jwks"] == 2


async def test_rotated_keys(liar: LyingProvider) -> None:
    """A token by a key that was published after we looked is accepted; one by a key taken back in between is not."""
    clock = Clock()
    sso = SingleSignOn(settings(oidc_issuer=liar.issuer), clock=clock)
    await whole(sso, liar)
    rotated = OTHER_KEY.as_dict(private=False) | {"kid": "second"}
    liar.keys, liar.sign = [rotated], signed(OTHER_KEY, kid="second")
    clock.now += 61
    assert (await whole(sso, liar))[0].subject == "u-1"
    liar.sign = signed()
    assert (await refused(sso, liar)).reason == "failed"
