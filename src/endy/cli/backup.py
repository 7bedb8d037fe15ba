"""`endy backup`: everything into one verified file."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import anyio
import typer
from sqlalchemy.exc import DBAPIError

from endy.audit.service import AuditLog, Event
from endy.cli.output import print_json
from endy.errors import Conflict, ServiceUnavailable, StartupError
from endy.settings import Settings, load_settings
from endy.storage.backup.reader import verify
from endy.storage.backup.writer import Written, list_backups, made_at, prune, write_backup
from endy.storage.engine import create_engine, sqlite_path
from endy.storage.jobs import Jobs
from endy.storage.move.mover import refuse_half_moved
from endy.storage.waiting import wait_for_database

JOB = "backup"
"""The job under which the last success is known to all replicas, metrics and alarms."""

app = typer.Typer(invoke_without_command=True, pretty_exceptions_enable=False, add_completion=False)

KeyFile = Annotated[Path | None, typer.Option(help="암호 키가 든 파일 (없으면 BACKUP_KEY)")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON으로 출력")]


@app.callback(invoke_without_command=True)
def backup(
    context: typer.Context,
    to: Annotated[Path | None, typer.Option(help="백업을 둘 폴더 (기본: BACKUP_DIR)")] = None,
    keep: Annotated[int | None, typer.Option(min=1, help="이만큼만 남기고 오래된 백업 지우기")] = None,
    key_file: KeyFile = None,
    without_embeddings: Annotated[bool, typer.Option(help="다시 만들 수 있는 벡터는 빼기")] = False,
    as_json: AsJson = False,
) -> None:
    """데이터베이스와 지식 파일을 한 파일로 백업하고 다시 읽어 확인합니다. 서비스 중에도 됩니다."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    folder, key = to or settings.backup_dir, key_of(settings, key_file)
    if key is None and settings.production:
        typer.echo("암호를 걸지 않은 백업이에요. BACKUP_KEY를 정하면 암호를 걸어요.", err=True)
    without = frozenset({"embeddings"}) if without_embeddings else frozenset[str]()
    written = asyncio.run(_backup(settings, folder, key, without))
    _warn(written)
    gone = prune(folder, keep, key) if keep else []
    if as_json:
        print_json(asdict(written) | {"removed": [str(path) for path in gone]})
        return
    typer.echo(
        f"{written.path}에 백업했어요. {written.rows:,}줄 · 파일 {written.files}개 · "
        f"{written.size / 1_000_000:.1f} MB · {written.seconds:.1f}초"
        + (f" · 오래된 백업 {len(gone)}개를 지웠어요" if gone else "")
    )


@app.command("list")
def list_files(
    folder: Annotated[Path | None, typer.Argument(help="백업 폴더 (기본: BACKUP_DIR)")] = None, as_json: AsJson = False
) -> None:
    """백업 폴더의 백업을 오래된 것부터 보여 줍니다."""
    found = [(path, path.stat().st_size, made_at(path)) for path in list_backups(folder or load_settings().backup_dir)]
    if as_json:
        print_json([{"path": path, "size": size, "at": made} for path, size, made in found])
        return
    for path, size, made in found:
        typer.echo(f"{path}  {size / 1_000_000:.1f} MB  {made.astimezone():%Y-%m-%d %H:%M}")
    if not found:
        typer.echo("아직 백업이 없어요. 'endy backup'을 실행해 주세요.")


@app.command("verify")
def verify_file(path: Path, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """백업 파일을 끝까지 읽어 온전한지 확인합니다."""
    found = verify(_existing(path), key_of(load_settings(), key_file))
    if as_json:
        print_json(asdict(found.contents) | {"encrypted": found.encrypted})
        return
    made, files = found.made_at.astimezone(), len(found.contents.files)
    typer.echo(f"온전해요. {made:%Y-%m-%d %H:%M}의 백업 · {found.rows:,}줄 · 파일 {files}개 · 스키마 {found.revision}")


def key_of(settings: Settings, key_file: Path | None) -> str | None:
    """The key of the file or of BACKUP_KEY. Raises StartupError for a file that holds none."""
    if key_file is None:
        return settings.backup_key.get_secret_value() if settings.backup_key else None
    try:
        key = key_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if not key:
        raise StartupError(f"{key_file}: 키를 읽을 수 없어요. 키 한 줄이 든 UTF-8 파일을 주세요.")
    return key


def files_of(settings: Settings) -> dict[str, Path]:
    """The knowledge files by the names under which a backup keeps them."""
    places = {
        "knowledge": settings.knowledge_dir,
        "faq": settings.faq_file,
        "words": settings.words_file,
        "vocabulary": settings.vocabulary_file,
        "users": settings.users_file,
    }
    return {name: path.absolute() for name, path in places.items()}


def _warn(written: Written) -> None:
    for path in written.skipped:
        typer.echo(f"밖을 가리키는 링크이거나 너무 커서 넣지 않았어요: {path}", err=True)
    if written.newer_schema:
        typer.echo("더 새 버전이 만든 스키마예요. 그 버전만 아는 표와 칸은 이 백업에 없어요.", err=True)


async def _backup(settings: Settings, folder: Path, key: str | None, without: frozenset[str]) -> Written:
    path = sqlite_path(settings.database_url)
    if path is not None and not await anyio.Path(path).exists():
        raise StartupError(f"DATABASE_URL: {path} 파일이 없어요. 주소를 확인해 주세요.")
    files = {name: place for name, place in files_of(settings).items() if place.exists()}
    # Only reading, so that it also works where nothing can be written any more.
    engine = create_engine(settings, patient=True, read_only=True)
    try:
        await wait_for_database(engine, 30)
        await refuse_half_moved(engine)
        async with _known_to_all(settings) as audit:
            written = await write_backup(engine, folder, files, key, without)
            told = {"file": written.path.name, "rows": written.rows, "encrypted": written.encrypted}
            await audit(Event("backup_made", "cli", after=told))
        return written
    finally:
        await engine.dispose()


@asynccontextmanager
async def _known_to_all(settings: Settings) -> AsyncIterator[Callable[[Event], Awaitable[None]]]:
    """One backup at a time, and noted as done. A full disk or an older schema allows neither, and no less needs one."""
    async with AsyncExitStack() as stack:
        noted = True
        try:
            engine = create_engine(settings)
            stack.push_async_callback(engine.dispose)
            turn = await stack.enter_async_context(Jobs(engine).turn(JOB))
            if turn is None:
                raise Conflict("다른 백업이 진행되고 있어요. 끝난 뒤에 다시 해 주세요.")
        except (ServiceUnavailable, StartupError, DBAPIError):
            noted = False

        async def audit(event: Event) -> None:
            try:
                if noted:
                    await AuditLog(engine).add(event)
                    return
            except (ServiceUnavailable, DBAPIError):
                pass
            typer.echo("데이터베이스에 쓸 수 없거나 이전 스키마라, 백업한 것을 기록하지 못했어요.", err=True)

        yield audit


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise StartupError(f"{path}: 그런 백업 파일이 없어요. 'endy backup list'로 찾아보세요.")
    return path
