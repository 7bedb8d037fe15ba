"""Settings of the sign-in with the company's account: what is missing or dangerous stops the start, one line each."""

from typing import Any

import pytest

from endy.errors import StartupError
from endy.settings import GOOGLE, load_settings

ISSUER = "https://login.encar.example/realms/encar"
ENTRA = "https://login.microsoftonline.com"
TENANT = f"{ENTRA}/11111111-2222-3333-4444-555555555555/v2.0"
FULL = {"oidc_issuer": ISSUER, "oidc_client_id": "endy", "oidc_client_secret": "it is a test"}
PRODUCTION = {"environment": "production", "secret_key": "x" * 40, "public_url": "https://endy.encar.example"}


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"auth_mode": "oidc"}, ["OIDC_ISSUER"]),
        ({"oidc_issuer": ISSUER}, ["OIDC_CLIENT_ID"]),
        ({"oidc_issuer": TENANT}, ["OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"]),
        ({"oidc_issuer": GOOGLE, "oidc_client_id": "endy"}, ["OIDC_CLIENT_SECRET", "OIDC_ALLOWED_DOMAINS"]),
        (FULL | {"oidc_issuer": "login.encar.example"}, ["OIDC_ISSUER"]),
        (FULL | {"oidc_issuer": f"{ISSUER}?x=1"}, ["OIDC_ISSUER"]),
        (FULL | {"oidc_issuer": f"{ENTRA}/common/v2.0"}, ["OIDC_ISSUER"]),
        (FULL | {"oidc_issuer": f"{ENTRA}/organizations/v2.0"}, ["OIDC_ISSUER"]),
        (FULL | {"oidc_issuer": f"{ENTRA}/{{tenantid}}/v2.0"}, ["OIDC_ISSUER"]),
        (FULL | PRODUCTION | {"oidc_issuer": "http://login.encar.example"}, ["OIDC_ISSUER"]),
        (FULL | PRODUCTION | {"public_url": None}, ["PUBLIC_URL"]),
        (FULL | PRODUCTION | {"public_url": "http://endy.encar.example"}, ["PUBLIC_URL"]),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, Any], names: list[str]) -> None:
    """Each line starts with the setting and says what to write there."""
    with pytest.raises(StartupError) as caught:
        load_settings(_env_file=None, **values)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == names
    assert "it is a test" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        FULL | {"auth_mode": "oidc"},
        FULL | {"oidc_client_secret": None},
        FULL | PRODUCTION | {"auth_mode": "oidc"},
        FULL | PRODUCTION | {"oidc_issuer": TENANT},
        FULL | {"oidc_issuer": GOOGLE, "oidc_allowed_domains": "@Encar.example"},
    ],
)
def test_what_is_complete_starts(values: dict[str, Any]) -> None:
    """Beside passwords or alone, with a public client where the provider has those."""
    assert load_settings(_env_file=None, **values).single_sign_on


def test_without_an_issuer_nothing_changes() -> None:
    """Nobody needs any of these settings."""
    assert not load_settings(_env_file=None).single_sign_on
