"""`endy audit`: read, export and verify what was recorded."""

import asyncio
import csv
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TextIO, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from endy.audit.repository import AuditRow
from endy.audit.service import AuditLog, Event
from endy.cli.output import print_json
from endy.errors import ValidationFailed
from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from endy.web.api.audit import COLUMNS, table
from endy.web.csv import cell

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="JSON으로 출력")]


@app.callback()
def _audit() -> None:
    """감사 기록을 보고, 내보내고, 고쳐지지 않았는지 확인합니다."""


@app.command("list")
def list_events(
    actor: Annotated[str | None, typer.Option("--actor", help="이 사람이 한 일만")] = None,
    action: Annotated[str | None, typer.Option("--action", help="이 일만 (예: login, user_changed)")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="보여 줄 개수")] = 50,
    as_json: AsJson = False,
) -> None:
    """최근 기록부터 보여 줍니다."""
    page = _with_log(lambda log: log.page(limit, None, actor, action))
    if as_json:
        print_json([asdict(row) for row in page.items])
        return
    shown = Table("언제", "누가")
    shown.add_column("무엇을", no_wrap=True)
    for name in ("누구에게", "바뀐 것", "어디서"):
        shown.add_column(name, overflow="fold")
    for row in page.items:
        shown.add_row(f"{row.at:%Y-%m-%d %H:%M:%S}", row.actor, row.action, row.target, _changes(row), row.address)
    Console().print(shown)


@app.command()
def export(
    out: Annotated[Path | None, typer.Option("--out", help="CSV 파일 (없으면 화면에)")] = None,
) -> None:
    """모든 기록을 오래된 것부터 CSV로 내보냅니다. 내보낸 것도 기록됩니다."""

    async def work(log: AuditLog) -> int:
        await log.add(Event("audit_exported", "cli"))
        with _opened(out) as target:
            return await _write(target, log)

    try:
        written = _with_log(work)
    except OSError as error:
        raise ValidationFailed(f"{out}: 쓸 수 없어요 ({error.strerror}).") from None
    typer.echo(f"기록 {written}개를 내보냈어요.", err=True)


@app.command()
def verify(
    head: Annotated[str | None, typer.Option("--head", help="지난번에 적어 둔 마지막 해시")] = None,
) -> None:
    """기록이 고쳐지거나 지워지지 않았는지 해시로 확인합니다. 어긋나면 1로 끝납니다."""
    verdict = _with_log(lambda log: log.verify(head))
    if verdict.broken is None:
        typer.echo(f"기록 {verdict.events}개가 모두 그대로예요.\n마지막 해시: {verdict.head}")
        return
    if verdict.broken:
        typer.echo(f"{verdict.broken}번 기록부터 어긋나요. 그 기록이나 그 앞의 기록이 고쳐지거나 지워졌어요.", err=True)
    else:
        typer.echo("적어 둔 해시가 기록에 없어요. 뒤쪽 기록이 지워졌어요.", err=True)
    raise typer.Exit(1)


def _changes(row: AuditRow) -> str:
    before, after = row.before or {}, row.after or {}
    return ", ".join(f"{name}: {before.get(name, '')} → {after.get(name, '')}" for name in {**before, **after})


def _opened(path: Path | None) -> AbstractContextManager[TextIO]:
    # A byte order mark, so that Excel reads Korean.
    return nullcontext(sys.stdout) if path is None else path.open("w", encoding="utf-8-sig", newline="")


async def _write(target: TextIO, log: AuditLog) -> int:
    writer, written = csv.writer(target), 0
    writer.writerow(COLUMNS)
    async for row in table(log):
        writer.writerow([cell(value) for value in row])
        written += 1
    return written


def _with_log(work: Callable[[AuditLog], Awaitable[T]]) -> T:
    return asyncio.run(_work(work))


async def _work(work: Callable[[AuditLog], Awaitable[T]]) -> T:
    engine = create_engine(load_settings())
    try:
        await upgrade(engine)
        return await work(AuditLog(engine))
    finally:
        await engine.dispose()
