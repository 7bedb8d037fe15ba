"""Company accounts: who they lead to, who they make, and whose place they must never take."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.accounts.models import Client, User
from endy.accounts.service import AccountService
from endy.accounts.sso import Identity
from endy.accounts.throttle import LoginLimits, LoginThrottle
from endy.accounts.users import UserDirectory
from endy.accounts.users_sync import UsersFileSync
from endy.errors import AuthenticationFailed
from endy.limits.rate import MemoryRateLimiter
from endy.settings import Settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from endy.storage.tables import audit
from endy.storage.transaction import reading

ISSUER = "https://login.encar.example"
KIM = {
    "employee_id": "2024001",
    "name": "김철수",
    "department": "개발팀",
    "email": "kim@encar.example",
    "role": "admin",
}
PARK = {"employee_id": "2024003", "name": "박민수", "department": "IT팀", "email": "Park@encar.example", "role": "user"}
HERE = Client("10.0.0.1")


@dataclass
class House:
    engine: AsyncEngine
    settings: Settings

    def accounts(self, **settings: Any) -> AccountService:
        plenty = MemoryRateLimiter(1000, 1000)
        throttle = LoginThrottle(LoginLimits(plenty, plenty, plenty), "secret")
        return AccountService(self.engine, self.settings.model_copy(update=settings), throttle)

    @property
    def directory(self) -> UserDirectory:
        return UserDirectory(self.engine, self.settings)


@pytest.fixture
async def house(tmp_path: Path, database_url: str) -> AsyncIterator[House]:
    (tmp_path / "users.json").write_text(json.dumps({"users": [KIM, PARK]}), encoding="utf-8")
    settings = Settings(
        _env_file=None,
        database_url=database_url,
        users_file=tmp_path / "users.json",
        oidc_issuer=ISSUER,
        oidc_client_id="endy",
    )
    engine = create_engine(settings)
    await upgrade(engine)
    await UsersFileSync(engine, settings).sync()
    yield House(engine, settings)
    await engine.dispose()


def identity(subject: str = "1", **values: Any) -> Identity:
    return Identity(ISSUER, subject, **values)


def mail(address: str, subject: str = "1", *, verified: bool = True, **values: Any) -> Identity:
    return identity(subject, email=address, email_verified=verified, **values)


async def test_a_verified_address_finds_its_user(house: House) -> None:
    """Whatever its case; the session is theirs, and from then on the identity finds them without the address."""
    accounts = house.accounts()
    signed_in = await accounts.sign_in_sso(mail("park@ENCAR.example"), HERE)
    assert signed_in.user.employee_id == "2024003"
    assert await accounts.user_of(signed_in.token) == signed_in.user
    assert (await accounts.sign_in_sso(identity(), HERE)).user.employee_id == "2024003"


async def test_an_unverified_address_finds_nobody(house: House) -> None:
    """Anybody can claim an address: they become somebody new, without it, and not the one whose address it is."""
    user = (await house.accounts().sign_in_sso(mail("park@encar.example", verified=False, name="낯선 이"), HERE)).user
    assert user.employee_id.startswith("sso-")
    assert (user.email, user.role) == ("", "user")


async def test_an_employee_number_counts_before_the_address(house: House) -> None:
    """The claim that the company chose names the person; the address may have changed."""
    user = (await house.accounts().sign_in_sso(mail("kim@encar.example", employee_id="2024003"), HERE)).user
    assert user.employee_id == "2024003"


async def test_a_recycled_address_does_not_open_the_old_account(house: House) -> None:
    """Once linked, an account is that identity's; whoever gets the address later is refused."""
    accounts = house.accounts()
    await accounts.sign_in_sso(mail("park@encar.example", "1"), HERE)
    with pytest.raises(AuthenticationFailed):
        await accounts.sign_in_sso(mail("park@encar.example", "2"), HERE)


async def test_a_claimed_number_does_not_open_a_linked_account(house: House) -> None:
    """Should people be able to edit the claim, they still cannot take over who has signed in before."""
    accounts = house.accounts()
    await accounts.sign_in_sso(identity("1", employee_id="2024003"), HERE)
    with pytest.raises(AuthenticationFailed):
        await accounts.sign_in_sso(identity("2", employee_id="2024003"), HERE)


async def test_a_new_provider_takes_over(house: House) -> None:
    """After the company has changed its provider people find their accounts again, by the verified address."""
    accounts = house.accounts()
    await accounts.sign_in_sso(mail("park@encar.example", "1"), HERE)
    moved = Identity("https://new.encar.example", "77", email="park@encar.example", email_verified=True)
    assert (await accounts.sign_in_sso(moved, HERE)).user.employee_id == "2024003"


async def test_an_address_that_two_share_is_nobodys(house: House) -> None:
    """Guessing which of them it is would be wrong half of the time."""
    await house.directory.add(User("2024009", "최하나", "", "park@encar.example", "user"), "2024001", HERE)
    with pytest.raises(AuthenticationFailed):
        await house.accounts().sign_in_sso(mail("park@encar.example"), HERE)


async def test_somebody_new_is_made_once(house: House) -> None:
    """With what the provider says of them; the second time they are found, and what it says now is kept."""
    accounts = house.accounts()
    first = (await accounts.sign_in_sso(mail("new@encar.example", name="새 사람", department="총무팀"), HERE)).user
    again = (await accounts.sign_in_sso(mail("new@encar.example", name="새 이름", department="총무팀"), HERE)).user
    assert (first.name, first.department, first.role) == ("새 사람", "총무팀", "user")
    assert (again.employee_id, again.name) == (first.employee_id, "새 이름")


async def test_nobody_is_made_where_that_is_off(house: House) -> None:
    """OIDC_CREATE_USERS=false lets in who is known, and nobody else."""
    accounts = house.accounts(oidc_create_users=False)
    with pytest.raises(AuthenticationFailed):
        await accounts.sign_in_sso(mail("new@encar.example"), HERE)
    assert (await accounts.sign_in_sso(mail("park@encar.example"), HERE)).user.employee_id == "2024003"


@pytest.mark.parametrize("known_by", ["subject", "email", "number"])
async def test_who_was_removed_does_not_come_back(house: House, known_by: str) -> None:
    """Their company account may live on; here it leads nowhere, and makes no new user either."""
    accounts = house.accounts()
    ways = {
        "subject": identity("7"),
        "email": mail("park@encar.example", "8"),
        "number": identity("9", employee_id="2024003"),
    }
    if known_by == "subject":
        await accounts.sign_in_sso(mail("park@encar.example", "7"), HERE)
    account = await house.directory.get("2024003")
    await house.directory.remove("2024003", account.version, "2024001", HERE)
    with pytest.raises(AuthenticationFailed):
        await accounts.sign_in_sso(ways[known_by], HERE)


async def test_who_only_the_provider_knew_stays_removed(house: House) -> None:
    """A user made by signing in is not made again after an admin removed them; an admin can bring them back."""
    accounts = house.accounts()
    user = (await accounts.sign_in_sso(mail("new@encar.example", "5", name="새 사람"), HERE)).user
    await house.directory.remove(user.employee_id, None, "2024001", HERE)
    with pytest.raises(AuthenticationFailed):
        await accounts.sign_in_sso(mail("new@encar.example", "5"), HERE)
    await house.directory.add(user, "2024001", HERE)
    assert (await accounts.sign_in_sso(mail("new@encar.example", "5"), HERE)).user.employee_id == user.employee_id


async def test_groups_give_and_take_the_role(house: House) -> None:
    """A change ends the sessions from before; without group settings the stored role stays."""
    accounts = house.accounts(oidc_admin_groups=("endy-admins",))
    member = mail("park@encar.example", groups=frozenset({"endy-admins"}))
    before = await accounts.sign_in_sso(mail("park@encar.example"), HERE)
    promoted = await accounts.sign_in_sso(member, HERE)
    assert promoted.user.role == "admin"
    assert await accounts.user_of(before.token) is None
    assert (await accounts.sign_in_sso(mail("park@encar.example"), HERE)).user.role == "user"
    assert await accounts.user_of(promoted.token) is None
    assert (await house.accounts().sign_in_sso(mail("kim@encar.example", "2"), HERE)).user.role == "admin"


async def test_every_step_is_in_the_audit_log(house: House) -> None:
    """Linking, making, a new role and each login; no address in clear."""
    accounts = house.accounts(oidc_admin_groups=("endy-admins",))
    await accounts.sign_in_sso(mail("new@encar.example", "5", groups=frozenset({"endy-admins"})), HERE)
    await accounts.sign_in_sso(mail("park@encar.example"), HERE)
    async with reading(house.engine) as connection:
        rows = (
            await connection.execute(select(audit.c.actor, audit.c.action, audit.c.after).order_by(audit.c.id))
        ).all()
    assert [(row.actor, row.action) for row in rows[-4:-1]] == [
        ("sso", "user_added"),
        (rows[-3].actor, "login"),
        ("sso", "user_changed"),
    ]
    assert rows[-1].action == "login"
    assert "new@encar.example" not in str(rows)
