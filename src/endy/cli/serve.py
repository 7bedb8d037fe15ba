"""`endy serve`: the web server, until it is stopped."""

import asyncio
from typing import Annotated, Any

import typer

from endy.bootstrap import prepare
from endy.cli.output import progress_bar
from endy.settings import load_settings
from endy.web import server


def command(
    host: Annotated[str | None, typer.Option(help="들을 주소 (기본: HOST)")] = None,
    port: Annotated[int | None, typer.Option(help="들을 포트 (기본: PORT)")] = None,
) -> None:
    """웹 서버를 시작합니다."""
    given: dict[str, Any] = {"host": host, "port": port}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    with progress_bar() as on_progress:
        report = asyncio.run(prepare(settings, on_progress))
    if report.unfinished:
        typer.echo(
            f"나머지 {report.unembedded}개 섹션은 서비스하면서 준비해요. 그동안은 낱말 검색으로 답해요.", err=True
        )
    raise typer.Exit(server.serve(settings))
