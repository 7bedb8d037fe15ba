"""`endy restore`: everything back from a backup, whole or not at all."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from endy.audit.service import AuditLog, Event
from endy.cli.backup import KeyFile, files_of, key_of
from endy.errors import StartupError
from endy.settings import Settings, load_settings
from endy.storage.backup.reader import Backup, refuse_newer, verify
from endy.storage.backup.restorer import restore
from endy.storage.engine import create_engine, name_of


def command(  # noqa: PLR0913, PLR0917  each is an option of the command line
    path: Annotated[Path, typer.Argument(help="백업 파일")],
    database_url: Annotated[str | None, typer.Option(help="되살릴 데이터베이스 (기본: DATABASE_URL)")] = None,
    files_to: Annotated[Path | None, typer.Option(help="지식 파일을 둘 다른 폴더 (예행연습에 써요)")] = None,
    no_files: Annotated[bool, typer.Option("--no-files", help="지식 파일은 그대로 두기")] = False,
    key_file: KeyFile = None,
    replace: Annotated[bool, typer.Option("--replace", help="지금 내용을 백업의 내용으로 바꾸기")] = False,
    with_sessions: Annotated[bool, typer.Option("--with-sessions", help="로그인도 되살리기")] = False,
    force: Annotated[bool, typer.Option("--force", help="쓰고 있는지 확인하지 않기")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="묻지 않고 되살리기")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="백업을 확인만 하기")] = False,
) -> None:
    """백업을 끝까지 확인한 뒤 데이터베이스와 지식 파일을 되살립니다. 전에 있던 것은 옆에 남겨 둬요."""
    if not path.is_file():
        raise StartupError(f"{path}: 그런 백업 파일이 없어요. 'endy backup list'로 찾아보세요.")
    settings = load_settings(**({"database_url": database_url} if database_url else {}))
    key = key_of(settings, key_file)
    backup = verify(path, key)
    refuse_newer(backup.contents)
    where = name_of(settings.database_url)
    made, files = backup.made_at.astimezone(), len(backup.contents.files)
    typer.echo(f"{made:%Y-%m-%d %H:%M}의 백업이 온전해요: {backup.rows:,}줄 · 파일 {files}개")
    if dry_run:
        return
    if not yes:
        typer.confirm(f"{where}에 되살릴까요?", abort=True)
    places = {} if no_files else _places(settings, files_to)
    kept = asyncio.run(_restore(backup, settings, key, places, replace, with_sessions, force))
    for one in kept:
        typer.echo(f"전에 있던 것을 남겨 뒀어요: {one}")
    typer.echo("되살렸어요. 엔디를 다시 시작해 주세요." + ("" if with_sessions else " 모두 다시 로그인해야 해요."))


async def _restore(
    backup: Backup, settings: Settings, key: str | None, places: dict[str, Path], replace: bool, sessions: bool,
    force: bool,
) -> list[Path]:  # fmt: skip
    kept = await restore(backup, settings, key, places, replace=replace, sessions=sessions, force=force)
    engine = create_engine(settings)
    try:
        told = {"file": backup.path.name, "made": backup.contents.info["created_at"]}
        await AuditLog(engine).add(Event("backup_restored", "cli", after=told))
    finally:
        await engine.dispose()
    return kept


def _places(settings: Settings, files_to: Path | None) -> dict[str, Path]:
    places = files_of(settings)
    return places if files_to is None else {name: files_to.absolute() / path.name for name, path in places.items()}
