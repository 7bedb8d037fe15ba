"""What an ID token says about a person, and where people may be sent back to."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from endy.accounts.models import Role
from endy.accounts.provider import SingleSignOnFailed
from endy.accounts.sso import Identity, identity_of, role_of, safe_path
from endy.settings import GOOGLE
from tests.accounts.lying import settings


@given(st.text(alphabet=st.sampled_from("/\\.:@?#%a\t\n \u200bé"), max_size=12).map(lambda text: f"/{text}"))
@example("//evil.example")
@example("/\\evil.example")
@example("/\t/evil.example")
@example("https://evil.example/")
@example("/@evil.example")
@example("javascript:alert(1)")
@example("")
def test_the_way_back_stays_on_this_site(path: str) -> None:
    """Whatever is asked for, browsers end up here; they read a backslash as a slash and leave out tabs and newlines."""
    kept = safe_path(path)
    as_read = kept.replace("\\", "/").translate({9: None, 10: None, 13: None})
    assert urlsplit(urljoin("https://endy.example/api/sso/callback", as_read)).netloc == "endy.example"
    assert kept.startswith("/")


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/", "/"), ("/?q=연차#답", "/?q=연차#답"), ("/admin", "/admin"), ("/" + "a" * 2000, "/"),
        ("//evil.example", "/"), ("/\\evil.example", "/"), ("/\n/evil.example", "/"), ("http://evil.example", "/"),
        ("/api/sso/login", "/"), ("", "/"),
    ],
)  # fmt: skip
def test_paths_to_come_back_to(path: str, kept: str) -> None:
    """Pages are kept as they are; what is none becomes the front page."""
    assert safe_path(path) == kept


CLAIMS = {"iss": "https://login.encar.example", "sub": "u-1"}


@pytest.mark.parametrize(
    ("said", "trust", "verified"),
    [(True, False, True), ("true", False, True), (False, True, False), ("false", True, False), (None, True, True),
        (None, False, False), (1, True, False), ([True], True, False)],
)  # fmt: skip
def test_whose_address_counts(said: object, trust: bool, verified: bool) -> None:
    """The provider's word decides; trust only fills in where there is none."""
    claims = CLAIMS | ({} if said is None else {"email_verified": said})
    assert identity_of(claims, settings(oidc_trust_email=trust)).email_verified is verified


def test_claims_by_name_and_path() -> None:
    """Employee number and roles come from where the settings say, numbers and nested claims too."""
    claims = CLAIMS | {"ext": {"empno": 2024001}, "realm_access": {"roles": ["admins"]}, "a.b/roles": "one"}
    nested = settings(oidc_employee_claim="ext.empno", oidc_role_claim="realm_access.roles")
    assert identity_of(claims, nested).employee_id == "2024001"
    assert identity_of(claims, nested).groups == {"admins"}
    assert identity_of(claims, settings(oidc_role_claim="a.b/roles")).groups == {"one"}
    assert identity_of(claims, settings(oidc_role_claim="ext.empno.x")).groups == frozenset()
    assert identity_of(claims, settings()).employee_id == ""


@pytest.mark.parametrize(
    ("groups", "stored", "admins", "owners", "role"),
    [
        ({"it"}, "admin", "", "", None),
        ({"it"}, "user", "it", "hr", "admin"),
        ({"hr"}, "user", "it", "hr", "owner"),
        ({"it", "hr"}, "user", "it", "hr", "admin"),
        (set(), "admin", "it", "hr", "user"),
        (set(), "owner", "it", "hr", "user"),
        (set(), "owner", "it", "", "owner"),
        (set(), "admin", "", "hr", "admin"),
        ({"hr"}, "admin", "", "hr", "admin"),
        ({"it"}, "owner", "it", "", "admin"),
        (set(), "admin", "it", "", "user"),
        ({"IT"}, "user", "it", "", "user"),
    ],
)
def test_roles_by_group(groups: set[str], stored: Role, admins: str, owners: str, role: Role | None) -> None:
    """Groups give and take the roles that they are set up for, and leave the others alone."""
    identity = Identity("i", "s", groups=frozenset(groups))
    assert role_of(identity, settings(oidc_admin_groups=admins, oidc_owner_groups=owners), stored) == role


def test_a_private_google_account_is_not_the_companys() -> None:
    """Anybody can make one under a company address; only a Workspace account carries the domain."""
    google = settings(oidc_issuer=GOOGLE, oidc_allowed_domains="encar.example")
    claims = CLAIMS | {"iss": GOOGLE, "email": "a@encar.example", "email_verified": True}
    for more in ({}, {"hd": "evil.example"}, {"hd": ["encar.example"]}):
        with pytest.raises(SingleSignOnFailed):
            identity_of(claims | more, google)
    assert identity_of(claims | {"hd": "encar.example"}, google).email == "a@encar.example"
