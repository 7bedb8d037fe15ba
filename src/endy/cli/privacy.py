"""`endy privacy`: give a person what is stored about them, or erase it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from endy.accounts.personal.service import PersonalData
from endy.cli.output import print_json
from endy.errors import ValidationFailed
from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade

ACTOR = "cli"
NAMES = {
    "feedback": "평가",
    "questions": "질문",
    "conversations": "대화",
    "sessions": "로그인",
    "password_links": "비밀번호 링크",
}
ACCOUNT = {
    "kept": "계정은 남아 있어요. 계정도 지우려면 'endy users remove' 뒤에 다시 실행해 주세요.",
    "blanked": "지운 계정은 사번만 남겼어요. 사용자 파일이나 회사 계정이 되살리지 못하게 하려는 거예요.",
    "nothing": "계정은 남아 있지 않아요.",
}

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

Number = Annotated[str, typer.Argument(metavar="사번")]


@app.callback()
def _privacy() -> None:
    """한 사람에 대해 저장된 것을 내보내거나 지웁니다."""


@app.command()
def export(
    employee_id: Number, out: Annotated[Path | None, typer.Option("--out", help="JSON 파일 (없으면 화면에)")] = None
) -> None:
    """저장된 모든 것을 JSON으로 내보냅니다."""
    found = _with_data(lambda data: data.export(employee_id, ACTOR))
    if out is None:
        print_json(found)
        return
    try:
        out.write_text(json.dumps(found, ensure_ascii=False, indent=2, default=str), encoding="utf-8")
    except OSError as error:
        raise ValidationFailed(f"{out}: 쓸 수 없어요 ({error.strerror}).") from None
    typer.echo(f"{out}에 적었어요.", err=True)


@app.command()
def erase(employee_id: Number, yes: Annotated[bool, typer.Option("--yes", help="묻지 않고 지웁니다")] = False) -> None:
    """질문, 대화, 평가, 로그인을 모두 지웁니다. 되돌릴 수 없어요."""
    if not yes:
        typer.confirm(f"{employee_id}의 질문, 대화, 평가, 로그인을 모두 지울까요? 되돌릴 수 없어요.", abort=True)
    erased = _with_data(lambda data: data.erase(employee_id, ACTOR))
    typer.echo(", ".join(f"{NAMES[name]} {count}개" for name, count in erased.rows.items()) + "를 지웠어요.")
    typer.echo(ACCOUNT[erased.account])
    typer.echo("감사 기록은 남아요: 누가 무엇을 했는지는 지우지 않아요.")


def _with_data(work: Callable[[PersonalData], Awaitable[T]]) -> T:
    return asyncio.run(_work(work))


async def _work(work: Callable[[PersonalData], Awaitable[T]]) -> T:
    engine = create_engine(load_settings())
    try:
        await upgrade(engine)
        return await work(PersonalData(engine))
    finally:
        await engine.dispose()
