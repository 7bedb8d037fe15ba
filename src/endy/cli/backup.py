"""`endy backup`: everything into one verified file."""

import asyncio
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from endy.audit.service import AuditLog, Event
from endy.cli.output import print_json
from endy.errors import ServiceUnavailable, StartupError
from endy.settings import Settings, load_settings
from endy.storage.backup.reader import verify
from endy.storage.backup.writer import Written, list_backups, prune, write_backup
from endy.storage.engine import create_engine
from endy.storage.jobs import Jobs
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
    for path in written.skipped:
        typer.echo(f"링크이거나 너무 커서 넣지 않았어요: {path}", err=True)
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
def list_files(as_json: AsJson = False) -> None:
    """백업 폴더의 백업을 오래된 것부터 보여 줍니다."""
    found = [(path, path.stat()) for path in list_backups(load_settings().backup_dir)]
    if as_json:
        print_json([{"path": path, "size": stat.st_size, "at": stat.st_mtime} for path, stat in found])
        return
    for path, stat in found:
        made = datetime.fromtimestamp(stat.st_mtime).astimezone()
        typer.echo(f"{path}  {stat.st_size / 1_000_000:.1f} MB  {made:%Y-%m-%d %H:%M}")
    if not found:
        typer.echo("아직 백업이 없어요. 'endy backup'을 실행해 주세요.")


@app.command("verify")
def verify_file(path: Path, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """백업 파일을 끝까지 읽어 온전한지 확인합니다."""
    found = verify(_existing(path), key_of(load_settings(), key_file))
    if as_json:
        print_json(asdict(found.contents) | {"encrypted": found.encrypted})
        return
    made = datetime.fromisoformat(str(found.contents.info["created_at"])).astimezone()
    files = len(found.contents.files)
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


async def _backup(settings: Settings, folder: Path, key: str | None, without: frozenset[str]) -> Written:
    engine = create_engine(settings)
    files = {name: path for name, path in files_of(settings).items() if path.exists()}
    try:
        await wait_for_database(engine, 30)
        async with Jobs(engine).turn(JOB) as turn:
            if turn is None:
                raise ServiceUnavailable("다른 백업이 진행되고 있어요. 끝난 뒤에 다시 해 주세요.")
            written = await write_backup(engine, folder, files, key, without)
        told = {"file": written.path.name, "rows": written.rows, "encrypted": written.encrypted}
        await AuditLog(engine).add(Event("backup_made", "cli", after=told))
        return written
    finally:
        await engine.dispose()


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise StartupError(f"{path}: 그런 백업 파일이 없어요. 'endy backup list'로 찾아보세요.")
    return path
