"""`endy users`: list, add, change and remove people, and give them a way to set a password."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from endy.accounts.models import Account, Client, Role
from endy.accounts.passwords import Passwords, check_new_password
from endy.accounts.users import PasswordLink, UserDirectory
from endy.accounts.users_file import UserEntry
from endy.accounts.users_sync import UsersFileSync
from endy.cli.output import print_json
from endy.errors import ValidationFailed
from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade

ACTOR = "cli"
HERE = Client()
ROLES = ("admin", "owner", "user")
PAGE = 200

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

Number = Annotated[str, typer.Argument(metavar="사번")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON으로 출력")]
Owns = Annotated[list[str] | None, typer.Option("--owns", help="맡은 분류나 부서 (여러 번 쓸 수 있음)")]


@app.callback()
def _users() -> None:
    """사용자를 보고, 더하고, 바꾸고, 지웁니다."""


@app.command("list")
def list_users(search: Annotated[str, typer.Argument(metavar="[찾을 말]")] = "", as_json: AsJson = False) -> None:
    """사번, 이름, 부서, 메일에 찾을 말이 들어 있는 사용자를 보여 줍니다."""
    accounts = _with_directory(lambda directory: _all(directory, search))
    if as_json:
        print_json([asdict(account) for account in accounts])
        return
    table = Table("사번", "이름", "부서", "역할", "맡은 곳", "비밀번호", "온 곳", caption=f"{len(accounts)}명")
    for account in accounts:
        user = account.user
        password = "있음" if account.has_password else "없음"
        owns = ", ".join(user.owns)
        table.add_row(user.employee_id, user.name, user.department, user.role, owns, password, account.source)
    Console().print(table)


@app.command()
def add(
    employee_id: Number,
    name: Annotated[str, typer.Option("--name", help="이름")],
    department: Annotated[str, typer.Option("--department", help="부서")] = "",
    email: Annotated[str, typer.Option("--email", help="메일 주소")] = "",
    role: Annotated[str, typer.Option("--role", help="admin, owner 또는 user")] = "user",
    owns: Owns = None,
) -> None:
    """사용자를 더하고, 비밀번호를 정할 링크를 보여 줍니다."""
    given = {"employee_id": employee_id, "name": name, "department": department, "email": email}
    try:
        entry = UserEntry.model_validate(given | {"role": role, "owns": owns or []})
    except ValidationError as error:
        fields = ", ".join(str(item["loc"][0]) for item in error.errors(include_input=False))
        raise ValidationFailed(f"값을 확인해 주세요: {fields}") from None

    async def work(directory: UserDirectory) -> PasswordLink:
        await directory.add(entry.user, ACTOR, HERE)
        return await directory.make_password_link(entry.employee_id, ACTOR, HERE)

    _show_link(_with_directory(work))


@app.command("set-role")
def set_role(
    employee_id: Number, role: Annotated[str, typer.Argument(metavar="admin|owner|user")], owns: Owns = None
) -> None:
    """역할을 바꿉니다. 그 사람의 로그인은 모두 끝납니다."""
    if role not in ROLES:
        raise ValidationFailed(f"역할은 {', '.join(ROLES)} 중에서 골라 주세요.")
    changes: dict[str, Role | list[str]] = {"role": role}  # type: ignore[dict-item]
    if owns is not None:
        changes["owns"] = owns
    _with_directory(lambda directory: directory.change(employee_id, changes, None, ACTOR, HERE))
    typer.echo(f"{employee_id}의 역할을 {role}(으)로 바꿨어요.")


@app.command("set-password")
def set_password(employee_id: Number) -> None:
    """비밀번호를 물어보고 정합니다. 그 사람의 로그인은 모두 끝납니다."""
    password = typer.prompt("새 비밀번호", hide_input=True, confirmation_prompt="한 번 더")

    async def work(directory: UserDirectory) -> None:
        check_new_password(password, (await directory.get(employee_id)).user)
        hashed = await Passwords().hash(password)
        await directory.set_password_hash(employee_id, hashed, ACTOR, HERE)

    _with_directory(work)
    typer.echo(f"{employee_id}의 비밀번호를 정했어요.")


@app.command()
def link(employee_id: Number) -> None:
    """비밀번호를 정할 수 있는 링크를 만듭니다. 한 번만 쓸 수 있어요."""
    _show_link(_with_directory(lambda directory: directory.make_password_link(employee_id, ACTOR, HERE)))


@app.command()
def remove(employee_id: Number) -> None:
    """사용자를 지웁니다. 로그인은 바로 끝나고, 사용자 파일에 남아 있어도 되살아나지 않아요."""
    _with_directory(lambda directory: directory.remove(employee_id, None, ACTOR, HERE))
    typer.echo(f"{employee_id}을(를) 지웠어요.")


def _show_link(made: PasswordLink) -> None:
    settings = load_settings()
    typer.echo(f"{settings.public_url or f'http://localhost:{settings.port}'}{made.path}")
    typer.echo(f"한 번만 쓸 수 있고, {made.expires_at.astimezone():%Y-%m-%d %H:%M}까지 쓸 수 있어요.", err=True)


async def _all(directory: UserDirectory, search: str) -> list[Account]:
    accounts: list[Account] = []
    after: str | None = ""
    while after is not None:
        page, after = await directory.page(search, PAGE, after)
        accounts += page
    return accounts


def _with_directory(work: Callable[[UserDirectory], Awaitable[T]]) -> T:
    """Do something with the users as USERS_FILE and admins have left them."""
    return asyncio.run(_work(work))


async def _work(work: Callable[[UserDirectory], Awaitable[T]]) -> T:
    settings = load_settings()
    engine = create_engine(settings)
    try:
        await upgrade(engine)
        await UsersFileSync(engine, settings).sync()
        return await work(UserDirectory(engine, settings))
    finally:
        await engine.dispose()
