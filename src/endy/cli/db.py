"""`endy db`: the schema, and moving everything to another database."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from endy.cli.legacy import Legacy, read_legacy
from endy.cli.output import print_json
from endy.errors import ServiceUnavailable, StartupError
from endy.knowledge.faq import read_faq
from endy.settings import load_settings
from endy.storage.engine import create_engine, name_of, sqlite_path
from endy.storage.migrations import current_revision, differences, downgrade, head_revision, upgrade
from endy.storage.move.mover import Mover, SetAside, Step, TableReport, aside_line, is_half_moved, refuse_filled
from endy.storage.move.mover import Progress as OnProgress
from endy.storage.move.source import DatabaseSource, MemorySource, Source
from endy.storage.rows import columns_there, count_rows, tables
from endy.storage.transaction import reading

T = TypeVar("T")
AGAIN = "같은 명령을 다시 실행하면 이어서 옮겨요."
AFRESH = "원본을 쓰는 엔디를 끄고, 받을 데이터베이스를 비운 뒤 다시 해 주세요."

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

STEPS: dict[Step, str] = {"check": "점검", "move": "옮기기", "verify": "대조"}
AsJson = Annotated[bool, typer.Option("--json", help="JSON으로 출력")]


@dataclass(frozen=True, slots=True)
class Moved:
    tables: list[TableReport]
    set_aside: list[SetAside]
    legacy: Legacy | None = None
    changed: bool = False
    """The source was written to while it was read."""


@app.callback()
def _db() -> None:
    """데이터베이스 스키마를 다루고, 데이터를 다른 데이터베이스로 옮깁니다."""


@app.command()
def status(as_json: AsJson = False) -> None:
    """스키마 버전과 표마다의 줄 수를 보여 줍니다."""

    async def look(engine: AsyncEngine) -> dict[str, object]:
        revision = await current_revision(engine)
        async with reading(engine) as connection:
            there = [table for table in tables() if await columns_there(connection, table)]
            counts = {table.name: await count_rows(connection, table) for table in there}
        return {"revision": revision, "newest": head_revision(), "rows": counts}

    found = _run(look)
    if as_json:
        print_json(found)
        return
    typer.echo(f"스키마 {found['revision'] or '(없음)'} · 이 버전의 최신 {found['newest']}")
    for name, rows in found["rows"].items():  # type: ignore[attr-defined]
        typer.echo(f"  {name}: {rows:,}")


@app.command("upgrade")
def upgrade_schema() -> None:
    """스키마를 이 버전의 최신으로 올립니다. 서버도 시작할 때 같은 일을 해요."""
    _run(upgrade)
    typer.echo(f"스키마를 {head_revision()}(으)로 맞췄어요.")


@app.command("downgrade")
def downgrade_schema(
    revision: Annotated[str, typer.Argument(help="되돌릴 스키마 버전 (예: 0003)")],
    yes: Annotated[bool, typer.Option("--yes", help="묻지 않고 되돌리기")] = False,
) -> None:
    """스키마를 예전 버전으로 되돌립니다. 그 뒤에 생긴 표와 칸의 데이터는 지워져요."""
    if not yes:
        typer.confirm("새 표와 칸의 데이터가 지워져요. 백업해 두셨나요?", abort=True)
    _run(lambda engine: downgrade(engine, revision))
    typer.echo(f"스키마를 {revision}(으)로 되돌렸어요.")


@app.command()
def check() -> None:
    """데이터베이스의 표가 이 버전의 코드와 같은지 봅니다. 다르면 1로 끝납니다."""
    found = _run(differences)
    for difference in found:
        typer.echo(difference, err=True)
    typer.echo("스키마가 코드와 같아요." if not found else f"다른 곳이 {len(found)}군데 있어요.")
    raise typer.Exit(1 if found else 0)


@app.command()
def move(
    source: Annotated[str, typer.Argument(help="원본: sqlite:///… · postgresql://… · 옛 JSON 파일이 있는 폴더")],
    target: Annotated[str, typer.Argument(help="받을 빈 데이터베이스: sqlite:///… · postgresql://…")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="읽고 점검만 하기")] = False,
    faq_to: Annotated[Path | None, typer.Option(help="옛 FAQ를 쓸 파일 (기본: FAQ_FILE)")] = None,
    as_json: AsJson = False,
) -> None:
    """모든 데이터를 옮기고 대조합니다. 멈춰도 같은 명령으로 이어서 해요. 뺀 줄이 있거나 원본이 바뀌면 2로 끝납니다."""
    try:
        with _bar() as progress:
            moved = asyncio.run(_move(source, target, dry_run, progress))
    except KeyboardInterrupt:
        typer.echo(f"멈췄어요. {AGAIN}", err=True)
        raise typer.Exit(130) from None
    except ServiceUnavailable as error:
        typer.echo(f"{error.message} {AGAIN}", err=True)
        raise typer.Exit(1) from None
    if moved.legacy is not None and moved.legacy.faqs:
        _write_faqs(moved.legacy, faq_to or load_settings().faq_file, dry_run)
    aside = _write_aside(moved, dry_run)
    if as_json:
        told = [asdict(each) | {"equal": each.equal} for each in moved.tables]
        print_json({"tables": told, "set_aside": aside, "source_changed": moved.changed})
    else:
        _show(moved, dry_run)
    if not dry_run:
        _judge(moved)
    raise typer.Exit(2 if aside else 0)


def _judge(moved: Moved) -> None:
    if not all(each.equal for each in moved.tables):
        typer.echo(f"원본과 다른 표가 있어요. {AFRESH}", err=True)
        raise typer.Exit(1)
    if moved.changed:
        typer.echo(f"옮기는 동안 원본이 바뀌었어요. 그 뒤의 것은 오지 않았어요. {AFRESH}", err=True)
        raise typer.Exit(2)


@contextmanager
def _bar() -> Iterator[OnProgress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("준비", total=None)

        def on_progress(step: Step, table: str, done: int, total: int) -> None:
            bar.update(task, description=f"{STEPS[step]} {table}", completed=done, total=total)

        yield on_progress


async def _move(source: str, target: str, dry_run: bool, progress: OnProgress) -> Moved:
    if _same(source, target):
        raise StartupError("원본과 받을 곳이 같아요. 다른 데이터베이스를 적어 주세요.")
    async with _open_source(source) as (opened, legacy):
        mover = Mover(opened, progress)
        if dry_run:
            await _look_at(target, opened.name)
            reports = await mover.check()
        else:
            reports = await _into(target, mover)
        return Moved(reports, mover.set_aside, legacy, await opened.changed())


async def _look_at(target: str, source: str) -> None:
    path = sqlite_path(target)
    if path is not None and not await asyncio.to_thread(path.exists):
        return
    engine = _engine(target, read_only=True)
    try:
        async with reading(engine) as connection:
            await refuse_filled(connection, source)
    finally:
        await engine.dispose()


async def _into(target: str, mover: Mover) -> list[TableReport]:
    engine = _engine(target)
    try:
        await upgrade(engine)
        return await mover.run(engine)
    finally:
        await engine.dispose()


_Opened = tuple[Source, Legacy | None]


def _open_source(source: str) -> AbstractAsyncContextManager[_Opened]:
    folder = Path(source).absolute()
    if "://" not in source and not folder.is_dir():
        raise StartupError(f"{source}: 그런 폴더가 없어요. 옛 JSON 파일이 있는 폴더나 데이터베이스 주소를 적어 주세요.")
    return _open_folder(folder) if folder.is_dir() else _open_database(source)


@asynccontextmanager
async def _open_folder(folder: Path) -> AsyncIterator[_Opened]:
    legacy = await asyncio.to_thread(read_legacy, folder)
    yield MemorySource(f"files:{folder}", legacy.rows), legacy


@asynccontextmanager
async def _open_database(source: str) -> AsyncIterator[_Opened]:
    path = sqlite_path(source)
    if path is not None and not await asyncio.to_thread(path.is_file):
        raise StartupError(f"{source}: 그런 폴더나 데이터베이스 파일이 없어요.")
    engine = _engine(source, read_only=True)
    try:
        revision = await current_revision(engine)
        if revision is None or revision > head_revision():
            raise StartupError(f"{name_of(source)}: 엔디 데이터베이스가 아니거나, 더 새 버전의 것이에요 ({revision}).")
        if await is_half_moved(engine):
            raise StartupError(f"{name_of(source)}: 옮기다 만 데이터베이스예요. 그곳으로 옮기던 것부터 끝내 주세요.")
        async with reading(engine) as connection:
            yield await DatabaseSource.open(connection, name_of(source)), None
    finally:
        await engine.dispose()


def _engine(url: str, *, read_only: bool = False) -> AsyncEngine:
    return create_engine(load_settings(database_url=url), patient=True, read_only=read_only)


def _same(source: str, target: str) -> bool:
    return "://" in source and name_of(source) == name_of(target)


def _write_faqs(legacy: Legacy, path: Path, dry_run: bool) -> None:
    content = json.dumps({"faqs": legacy.faqs}, ensure_ascii=False, indent=2).encode()
    read = read_faq(path.name, content)
    legacy.wrong += [(path.name, 0, problem.message) for problem in read.problems]
    if dry_run:
        typer.echo(f"FAQ {len(read.sections)}개를 {path}에 쓸 수 있어요.", err=True)
    elif path.exists() and path.read_bytes() != content:
        beside = path.with_name(f"{path.stem}.moved{path.suffix}")
        beside.write_bytes(content)
        typer.echo(f"{path}이(가) 이미 있어서 FAQ {len(read.sections)}개를 {beside}에 썼어요. 합쳐 주세요.", err=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        typer.echo(f"FAQ {len(read.sections)}개를 {path}에 썼어요. 서버가 시작할 때 들여요.", err=True)


def _write_aside(moved: Moved, dry_run: bool) -> int:
    wrong = moved.legacy.wrong if moved.legacy else []
    lines = [aside_line(one) for one in moved.set_aside]
    lines += [json.dumps({"file": name, "position": at, "reason": why}, ensure_ascii=False) for name, at, why in wrong]
    if lines and not dry_run:
        path = Path(f"set-aside-{datetime.now().astimezone():%Y%m%d-%H%M%S}.jsonl")
        path.touch(0o600)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")
        typer.echo(f"옮기지 않은 것 {len(lines)}개를 까닭과 함께 {path}에 적었어요.", err=True)
    for line in lines[:10] if dry_run else []:
        typer.echo(line, err=True)
    return len(lines)


def _show(moved: Moved, dry_run: bool) -> None:
    table = Table("표", "원본", "뺀 줄", "옮긴 줄", "대조")
    for each in moved.tables:
        verdict = "-" if dry_run else ("같음" if each.equal else "다름")
        table.add_row(
            each.table, f"{each.rows:,}", f"{each.set_aside:,}", "-" if dry_run else f"{each.moved:,}", verdict
        )
    Console().print(table)
    if moved.legacy is not None and moved.legacy.sessions:
        typer.echo(f"예전 로그인 {moved.legacy.sessions}개는 옮기지 않아요. 모두 다시 로그인해 주세요.")
    if moved.legacy is not None and moved.legacy.passwords:
        typer.echo(
            f"비밀번호 {moved.legacy.passwords}개는 옮기지 않아요. 'endy users link 사번'으로 링크를 보내 주세요."
        )


def _run(work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    async def run() -> T:
        engine = create_engine(load_settings())
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(run())
