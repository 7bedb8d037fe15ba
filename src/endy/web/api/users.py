"""Users and their roles, for admins."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from endy.accounts.models import Account, Role
from endy.accounts.users_file import Text, UserEntry
from endy.web.deps import Caller, Services, UserManager
from endy.web.documented import errors

router = APIRouter(prefix="/api/admin/users", tags=["사용자 관리"], responses=errors(401, 404, 409))


class NewUser(UserEntry):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class UserChanges(BaseModel):
    """What changes; `version` is the one that was looked at."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    version: Annotated[int, Field(ge=1)]
    name: Annotated[Text, Field(min_length=1, max_length=100)] | None = None
    department: Annotated[Text, Field(max_length=100)] | None = None
    email: Annotated[Text, Field(max_length=200)] | None = None
    role: Role | None = None
    owns: Annotated[list[Annotated[Text, Field(min_length=1, max_length=200)]], Field(max_length=100)] | None = None


@router.get("")
async def list_users(
    services: Services,
    _admin: UserManager,
    q: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=32)] = "",
) -> dict[str, Any]:
    """사용자를 사번 순서로 보여 줍니다."""
    accounts, following = await services.users.page(q.strip(), limit, cursor)
    return {"users": [_public(account) for account in accounts], "next_cursor": following}


@router.post("", status_code=201)
async def add_user(body: NewUser, services: Services, admin: UserManager, caller: Caller) -> dict[str, Any]:
    """사용자를 더합니다. 비밀번호는 링크로 스스로 정합니다."""
    return {"user": _public(await services.users.add(body.user, admin.employee_id, caller))}


@router.patch("/{employee_id}")
async def change_user(
    employee_id: str, body: UserChanges, services: Services, admin: UserManager, caller: Caller
) -> dict[str, Any]:
    """사용자를 바꿉니다. 다른 관리자가 먼저 바꿨으면 409입니다."""
    changes = body.model_dump(exclude={"version"}, exclude_none=True)
    account = await services.users.change(employee_id, changes, body.version, admin.employee_id, caller)
    return {"user": _public(account)}


@router.delete("/{employee_id}")
async def remove_user(
    employee_id: str,
    services: Services,
    admin: UserManager,
    caller: Caller,
    version: Annotated[int, Query(ge=1, le=2**31)],
) -> dict[str, Any]:
    """사용자를 지웁니다. 그 사람의 로그인은 바로 끝납니다."""
    await services.users.remove(employee_id, version, admin.employee_id, caller)
    return {"success": True, "message": "사용자를 지웠어요."}


@router.post("/{employee_id}/password-link", status_code=201)
async def make_password_link(
    employee_id: str, services: Services, admin: UserManager, caller: Caller
) -> dict[str, Any]:
    """비밀번호를 정할 수 있는 링크를 만듭니다. 한 번만 쓸 수 있고, 앞서 만든 링크는 못 쓰게 됩니다."""
    link = await services.users.make_password_link(employee_id, admin.employee_id, caller)
    return {"path": link.path, "expires_at": link.expires_at}


@router.delete("/{employee_id}/sessions")
async def end_sessions(employee_id: str, services: Services, admin: UserManager, caller: Caller) -> dict[str, Any]:
    """그 사람을 모든 기기에서 로그아웃시킵니다."""
    await services.users.get(employee_id)
    return {"success": True, "ended": await services.accounts.end_sessions(employee_id, admin.employee_id, caller)}


def _public(account: Account) -> dict[str, Any]:
    user = account.user
    return {
        "employee_id": user.employee_id,
        "name": user.name,
        "department": user.department,
        "email": user.email,
        "role": user.role,
        "owns": user.owns,
        "source": account.source,
        "has_password": account.has_password,
        "version": account.version,
        "updated_at": account.updated_at,
    }
