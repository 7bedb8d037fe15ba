"""Providers that lie on demand, for tests of the sign-in with the company's account."""

from collections.abc import Callable, Iterator

import pytest

from endy.accounts.sso import SingleSignOn
from tests.accounts.lying import LyingProvider, provider_server, settings


@pytest.fixture(scope="session")
def new_provider() -> Iterator[Callable[[], LyingProvider]]:
    with provider_server() as fresh:
        yield fresh


@pytest.fixture
def liar(new_provider: Callable[[], LyingProvider]) -> LyingProvider:
    return new_provider()


@pytest.fixture
def make_sso(liar: LyingProvider) -> Callable[..., SingleSignOn]:
    return lambda **values: SingleSignOn(settings(oidc_issuer=liar.issuer, **values))


@pytest.fixture
def sso(make_sso: Callable[..., SingleSignOn]) -> SingleSignOn:
    return make_sso()
