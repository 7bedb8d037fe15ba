"""Sign-in with the company's account, against a provider that lies on demand."""

import base64
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from joserfc.jwk import ECKey, OctKey, RSAKey

from endy.accounts.provider import SingleSignOnFailed
from endy.accounts.sso import Identity, SingleSignOn
from tests.accounts.lying import (
    BASE,
    CLIENT,
    KEY,
    OTHER_KEY,
    SECRET,
    LyingProvider,
    by_hand,
    by_public_key,
    refused,
    settings,
    signed,
    whole,
)


async def test_who_comes_back_is_known(sso: SingleSignOn, liar: LyingProvider) -> None:
    """The claims become an identity, and the path that was wanted is remembered."""
    liar.claims = {"email": "kim@encar.example", "email_verified": True, "name": "김철수", "groups": ["a", "b"]}
    identity, path = await whole(sso, liar)
    assert path == "/?q=연차"
    assert identity == Identity(liar.issuer, "u-1", "kim@encar.example", True, "김철수", groups=frozenset({"a", "b"}))


async def test_what_the_provider_is_asked(sso: SingleSignOn, liar: LyingProvider) -> None:
    """PKCE by S256, fresh state and nonce each time, our own callback; the verifier stays here."""
    first, second = [await sso.start("/", BASE) for _ in range(2)]
    asked, again = [parse_qs(urlsplit(start.url).query) for start in (first, second)]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == ["http://endy.test/api/sso/callback"]
    assert asked["tenant"] == ["1"], "what the endpoint's address already says is kept"
    assert not any(asked[name] == again[name] for name in ("state", "nonce", "code_challenge"))
    assert "code_verifier" not in asked


async def test_the_public_address_wins_over_the_callers(make_sso: Callable[..., SingleSignOn]) -> None:
    """A made-up Host header does not decide where the provider sends people."""
    start = await make_sso(public_url="https://endy.encar.example").start("/", "http://evil.example/")
    assert parse_qs(urlsplit(start.url).query)["redirect_uri"] == ["https://endy.encar.example/api/sso/callback"]


async def test_another_replica_finishes(liar: LyingProvider, make_sso: Callable[..., SingleSignOn]) -> None:
    """What was started here can be finished by a process that has never heard of it."""
    start = await make_sso().start("/", BASE)
    identity, _ = await make_sso().finish(liar.consent(start.url), start.cookie)
    assert identity.subject == "u-1"


async def test_how_we_show_who_we_are(liar: LyingProvider, make_sso: Callable[..., SingleSignOn]) -> None:
    """The secret in the body, in the header where only that is offered, and none for a public client."""
    assert (await refused(make_sso(oidc_client_secret="wrong"), liar)).reason == "failed"
    liar.client = (CLIENT, None)
    assert (await whole(make_sso(oidc_client_secret=None), liar))[0].subject == "u-1"
    liar.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_basic"]}
    liar.client = (None, None)
    liar.basic = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    assert (await whole(make_sso(), liar))[0].subject == "u-1"


NOW = int(time.time())


@pytest.mark.parametrize(
    "lie",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": []},
        {"aud": ["another-client", "third"]},
        {"aud": ["another-client", "third"], "azp": CLIENT},
        {"aud": [CLIENT, "another-client"]},
        {"aud": [CLIENT, "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"exp": NOW - 3600},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": float("nan")},
        {"iat": NOW + 7200, "exp": NOW + 9000},
        {"iat": None},
        {"nbf": NOW + 7200},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": ""},
        {"sub": None},
        {"sub": ""},
        {"sub": 17},
        {"sub": "x" * 400},
        {"sub": "a\u0000b"},
        {"at_hash": "bm90IHRoaXMgb25l"},
    ],
    # Not the values: some tell the time, and every test process must know the tests by the same names.
    ids=", ".join,
)
async def test_a_false_claim_is_refused(sso: SingleSignOn, liar: LyingProvider, lie: dict[str, Any]) -> None:
    """However well it is signed, a token for another place, time, person or sign-in lets nobody in."""
    liar.claims = lie
    assert (await refused(sso, liar)).reason == "failed"


async def test_true_but_unusual_claims_are_fine(sso: SingleSignOn, liar: LyingProvider) -> None:
    """Several audiences with us as the asking party, a right at_hash, a clock that is a little off."""
    at_hash = base64.urlsafe_b64encode(hashlib.sha256(b"opaque").digest()[:16]).rstrip(b"=").decode()
    liar.claims = {"aud": [CLIENT, "api"], "azp": CLIENT, "at_hash": at_hash, "iat": NOW + 30}
    assert (await whole(sso, liar))[0].subject == "u-1"


EMBEDDED = OTHER_KEY.as_dict(private=False)


@pytest.mark.parametrize(
    "sign",
    [
        lambda claims: by_hand({"alg": "none"}, claims),
        lambda claims: by_hand({"alg": "none", "kid": "first"}, claims),
        lambda claims: by_hand({"alg": "nOnE", "kid": "first"}, claims),
        by_public_key,
        signed(OTHER_KEY),
        signed(OTHER_KEY, kid="unknown"),
        signed(OTHER_KEY, kid=None),
        signed(OTHER_KEY, jwk=EMBEDDED),
        signed(KEY, alg="PS256"),
        lambda claims: signed()(claims)[:-8] + "AAAAAAAA",
        lambda claims: signed()(claims).rsplit(".", 1)[0] + ".",
    ],
    ids=[
        "none", "none-with-kid", "nOnE", "public-key-as-secret", "other-key", "unknown-kid", "no-kid", "embedded-key",
        "unoffered-alg", "tampered", "unsigned",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_a_false_signature_is_refused(
    sso: SingleSignOn, liar: LyingProvider, sign: Callable[[dict[str, Any]], str]
) -> None:
    """Only a published key of the provider, used as it says, signs for it."""
    liar.sign = sign
    assert (await refused(sso, liar)).reason == "failed"


async def test_a_shared_secret_is_never_a_key(sso: SingleSignOn, liar: LyingProvider) -> None:
    """Even a provider that publishes one and offers HS256 is not believed by it."""
    shared = OctKey.import_key(b"0123456789abcdef0123456789abcdef", {"kid": "shared"})
    liar.keys.append(shared.as_dict(private=True))
    liar.sign = signed(shared, alg="HS256", kid="shared")
    assert (await refused(sso, liar)).reason == "failed"
    liar.metadata = {"id_token_signing_alg_values_supported": ["HS256"]}
    for sign in (liar.sign, signed()):
        liar.sign = sign
        assert (await refused(SingleSignOn(settings(oidc_issuer=liar.issuer)), liar)).reason == "failed"


@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "ES256"])
async def test_other_strong_signatures_count(sso: SingleSignOn, liar: LyingProvider, algorithm: str) -> None:
    """What the provider offers is enough, beside keys for other uses and of kinds from the future."""
    key = ECKey.generate_key("P-256", {"kid": "ec"}) if algorithm == "ES256" else KEY
    encrypting = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"}).as_dict(private=False)
    liar.keys = [encrypting, {"kty": "AKP", "kid": "future"}, *liar.keys, key.as_dict(private=False)]
    liar.metadata = {"id_token_signing_alg_values_supported": [algorithm]}
    liar.sign = signed(key, alg=algorithm, kid=key.kid)
    assert (await whole(sso, liar))[0].subject == "u-1"


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "a.b", "a.b.c", "....", "é.é.é", "a" * 200_000,
        by_hand(b"[" * 300, {}), by_hand({"alg": "RS256", "kid": "first"}, b"[" * 90_000), by_hand([], []),
        by_hand({"alg": ["RS256"]}, {}), by_hand({"alg": None}, {}), by_hand({"alg": "RS256", "kid": 7}, {}),
        by_hand({"alg": "RS256", "kid": "first", "crit": ["exp"]}, {}, b"x" * 256),
        by_hand({"alg": "RS256", "kid": "first", "b64": False, "crit": ["b64"]}, {}, b"x" * 256),
    ],
)  # fmt: skip
async def test_nonsense_instead_of_a_token(sso: SingleSignOn, liar: LyingProvider, text: str) -> None:
    """Whatever it is, it ends as a refusal."""
    liar.token = {"id_token": text}
    assert (await refused(sso, liar)).reason == "failed"


async def test_odd_claims_never_break_anything(sso: SingleSignOn, liar: LyingProvider) -> None:
    """Every claim with every kind of value: either a refusal or a person of the right subject, and nothing else."""
    odd: list[Any] = [0, -1, 1e308, 10**400, True, "", "x" * 5000, "a\nb", [], [[]], [None], {}, {"a": {"b": 1}}]
    names = ["iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "email", "email_verified", "name"]
    for name in names:
        for value in odd:
            liar.claims = {name: value}
            with suppress(SingleSignOnFailed):
                identity, _ = await whole(sso, liar)
                assert identity.subject == "u-1"
                assert max(map(len, (identity.email, identity.name, identity.department))) <= 200
                assert not identity.email_verified or (name, value) == ("email_verified", True)


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "invalid_grant"},
        {"error": "홍길동 님"},
        {"id_token": None},
        {"id_token": 7},
        {"id_token": []},
    ],
    ids=str,
)
async def test_a_refusing_token_endpoint(sso: SingleSignOn, liar: LyingProvider, answer: dict[str, Any]) -> None:
    """Ends as a refusal whose cause says nothing that the provider wrote."""
    liar.token = answer
    error = await refused(sso, liar)
    assert error.reason == "failed"
    assert "홍길동" not in error.cause + str(error)


async def test_a_code_counts_once(sso: SingleSignOn, liar: LyingProvider) -> None:
    """Who sees a callback and repeats it, even with the cookie, gets nothing."""
    start = await sso.start("/", BASE)
    answer = liar.consent(start.url)
    await sso.finish(answer, start.cookie)
    with pytest.raises(SingleSignOnFailed) as caught:
        await sso.finish(answer, start.cookie)
    assert caught.value.reason == "failed"


async def test_another_persons_answer_is_not_taken(sso: SingleSignOn, liar: LyingProvider) -> None:
    """A callback of one sign-in with the cookie of another, and a code slipped into one's own, are refused."""
    mine, theirs = await sso.start("/", BASE), await sso.start("/", BASE)
    for answer in (liar.consent(theirs.url), replace(liar.consent(theirs.url), state=mine.state)):
        with pytest.raises(SingleSignOnFailed) as caught:
            await sso.finish(answer, mine.cookie)
        assert caught.value.reason == "failed"
    assert (await refused(sso, liar, state=None)).reason == "failed"
    assert (await refused(sso, liar, code=None)).reason == "failed"


class _Earlier(TimestampSigner):
    def get_timestamp(self) -> int:
        return super().get_timestamp() - 601


async def test_without_a_fresh_cookie_nothing_is_finished(sso: SingleSignOn, liar: LyingProvider) -> None:
    """Missing, changed, made by another secret or for another purpose, or older than ten minutes."""
    start = await sso.start("/", BASE)
    flow = URLSafeTimedSerializer(settings().secret_key.get_secret_value(), salt="endy-sso").loads(start.cookie)
    own = settings().secret_key.get_secret_value()
    made = [
        URLSafeTimedSerializer("x" * 40, salt="endy-sso").dumps(flow),
        URLSafeTimedSerializer(own, salt="endy-device").dumps(flow),
        URLSafeTimedSerializer(own, salt="endy-sso", signer=_Earlier).dumps(flow),
        URLSafeTimedSerializer(own, salt="endy-sso").dumps({"state": start.state}),
        URLSafeTimedSerializer(own, salt="endy-sso").dumps("2024001"),
    ]
    for cookie in (None, "", "x", start.cookie[:-1], start.cookie + "x", *made):
        with pytest.raises(SingleSignOnFailed) as caught:
            await sso.finish(liar.consent(start.url), cookie)
        assert caught.value.reason == "expired", cookie
    assert liar.asked["/token"] == 0


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("access_denied", "cancelled"),
        ("server_error", "provider_unavailable"),
        ("temporarily_unavailable", "provider_unavailable"),
        ("invalid_scope", "failed"),
        ("<script>", "failed"),
    ],
)
async def test_the_provider_sends_people_back(sso: SingleSignOn, liar: LyingProvider, said: str, reason: str) -> None:
    """Cancelled and away are told apart; no code is tried, and no text of others gets into the log."""
    error = await refused(sso, liar, error=said, code="stolen")
    assert error.reason == reason
    assert "<" not in error.cause
    assert liar.asked["/token"] == 0


async def test_who_answered_is_checked(liar: LyingProvider, make_sso: Callable[..., SingleSignOn]) -> None:
    """The issuer in the answer (RFC 9207) must be ours, and must be there once the provider says it will be."""
    assert (await refused(make_sso(), liar, issuer="https://evil.example")).reason == "failed"
    assert (await whole(make_sso(), liar, issuer=liar.issuer))[0].subject == "u-1"
    liar.metadata = {"authorization_response_iss_parameter_supported": True}
    assert (await refused(make_sso(), liar)).reason == "failed"
    assert (await whole(make_sso(), liar, issuer=liar.issuer))[0].subject == "u-1"


async def test_allowed_domains(liar: LyingProvider, make_sso: Callable[..., SingleSignOn]) -> None:
    """Only a verified address of a listed domain gets in."""
    sso = make_sso(oidc_allowed_domains="encar.example, @KCAR.example")
    for claims, allowed in (
        ({"email": "a@ENCAR.example", "email_verified": True}, True),
        ({"email": "a@kcar.example", "email_verified": True}, True),
        ({"email": "a@encar.example", "email_verified": False}, False),
        ({"email": "a@encar.example"}, False),
        ({"email": "a@encar.example.evil.example", "email_verified": True}, False),
        ({"email": "a@encar.example@evil.example", "email_verified": True}, False),
        ({"email": "a@sub.encar.example", "email_verified": True}, False),
        ({"email": "encar.example", "email_verified": True}, False),
        ({}, False),
    ):
        liar.claims = claims
        if allowed:
            assert (await whole(sso, liar))[0].email == claims["email"]
        else:
            assert (await refused(sso, liar)).reason == "not_allowed"
