"""`endy knowledge`: bring documents and FAQs in, list them, and check files before they go live."""

import asyncio
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from endy.cli.output import print_json, progress_bar
from endy.knowledge import repository
from endy.knowledge.files import list_files, load
from endy.knowledge.generated import GeneratedForSection, list_generated
from endy.knowledge.problems import Problem
from endy.knowledge.sync import SyncReport
from endy.retrieval.section import Section
from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from endy.storage.transaction import reading

if TYPE_CHECKING:
    from endy.ask.enrich.job import EnrichmentReport

_WHY_STOPPED = {
    "off": "LLM이 꺼져 있어요. OPENAI_API_KEY를 정해 주세요.",
    "budget": "오늘 쓸 수 있는 돈을 다 썼어요. 내일 이어서 하거나 LLM_DAILY_BUDGET_KRW를 늘려 주세요.",
    "refused": "LLM 서버가 받아들이지 않아요. OPENAI_API_KEY와 OPENAI_MODEL을 확인해 주세요.",
}
_REJECTED = {
    "form": "질문 꼴이 아님",
    "instruction": "지시문",
    "personal": "개인정보",
    "invented": "자료에 없는 것을 말함",
    "duplicate": "같은 질문",
    "off_topic": "이 섹션을 찾지 못함",
    "elsewhere": "다른 섹션이 답함",
}

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="JSON으로 출력")]


@app.callback()
def _knowledge() -> None:
    """문서와 FAQ를 들이고, 보고, 점검합니다."""


@app.command()
def sync(as_json: AsJson = False) -> None:
    """문서 폴더와 FAQ 파일을 데이터베이스에 반영합니다."""
    report = asyncio.run(_sync())
    if as_json:
        print_json(asdict(report))
        return
    _show_problems(report.problems)
    typer.echo(
        f"추가 {report.added} · 변경 {report.changed} · 삭제 {report.removed} · 그대로 {report.unchanged}"
        f" (지식 버전 {report.version})"
    )


@app.command("list")
def list_sections(as_json: AsJson = False) -> None:
    """들어 있는 섹션을 문서, 분류, 담당 부서와 함께 보여 줍니다."""
    version, sections = asyncio.run(_stored())
    if as_json:
        print_json({"version": version, "sections": [_as_row(section) for section in sections]})
        return
    if not sections:
        typer.echo("아직 들어 있는 내용이 없어요. 'endy knowledge sync'를 실행해 주세요.")
        return
    table = Table("문서", "분류", "섹션", "담당", caption=f"섹션 {len(sections)}개 · 지식 버전 {version}")
    for section in sections:
        table.add_row(section.document, section.category, section.title, section.department)
    Console().print(table)


@app.command()
def enrich(as_json: AsJson = False) -> None:
    """직원이 물을 만한 질문을 LLM으로 섹션마다 만들어 검색에 더합니다. 멈춰도 다음에 이어서 합니다."""
    report = asyncio.run(_enrich())
    if as_json:
        print_json(asdict(report))
    else:
        typer.echo(
            f"섹션 {report.done}개에 질문 {report.kept}개를 더했어요. 버린 질문 {report.rejected}개 ·"
            f" 남은 섹션 {report.left}개 · {report.cost_krw:,.0f}원"
        )
    if report.stopped:
        typer.echo(_WHY_STOPPED.get(report.stopped, "LLM이 답하지 않아 멈췄어요. 잠시 뒤에 다시 해 주세요."), err=True)
        raise typer.Exit(1)


@app.command()
def questions(section: Annotated[str, typer.Argument(help="섹션 id나 그 일부")] = "", as_json: AsJson = False) -> None:
    """LLM이 만든 질문을 섹션마다, 버린 것은 까닭과 함께 보여 줍니다."""
    rows = asyncio.run(_generated(section))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    if not rows:
        typer.echo("만든 질문이 아직 없어요. 'endy knowledge enrich'를 실행해 주세요.")
    for row in rows:
        typer.echo(f"{row.section} (LLM이 만듦: {row.model})")
        for question in row.kept:
            typer.echo(f"  + {question}")
        for one in row.rejected:
            typer.echo(f"  - {one['question']} ({_REJECTED.get(one['reason'], one['reason'])})")


@app.command()
def check(as_json: AsJson = False) -> None:
    """파일을 읽어 보고 고칠 곳을 알려 줍니다. 아무것도 바꾸지 않으며, 오류가 있으면 1로 끝납니다."""
    files, sections, problems = _check()
    errors = sum(problem.severity == "error" for problem in problems)
    if as_json:
        print_json({"files": files, "sections": sections, "problems": [asdict(problem) for problem in problems]})
    else:
        _show_problems(problems)
        typer.echo(f"파일 {files}개, 섹션 {sections}개 · 오류 {errors}개, 주의 {len(problems) - errors}개")
    raise typer.Exit(1 if errors else 0)


async def _sync() -> SyncReport:
    # Here and not above: only this command needs the models, and they take a second to load.
    from endy.bootstrap import build_sync  # noqa: PLC0415

    settings = load_settings()
    engine = create_engine(settings)
    try:
        await upgrade(engine)
        job = build_sync(settings, engine)
        with progress_bar() as on_progress:
            return await job.sync(on_progress)
    finally:
        await engine.dispose()


async def _enrich() -> "EnrichmentReport":
    from endy.bootstrap import build_enrichment, running_services  # noqa: PLC0415  as above

    async with running_services(load_settings(), background=False) as services:
        with progress_bar("질문 만들기") as on_progress:
            return await build_enrichment(services).run(on_progress)


async def _generated(part: str) -> list[GeneratedForSection]:
    engine = create_engine(load_settings())
    try:
        await upgrade(engine)
        return await list_generated(engine, part)
    finally:
        await engine.dispose()


async def _stored() -> tuple[int, list[Section]]:
    engine = create_engine(load_settings())
    try:
        await upgrade(engine)
        async with reading(engine) as connection:
            return await repository.load_sections(connection)
    finally:
        await engine.dispose()


def _check() -> tuple[int, int, list[Problem]]:
    """Files, sections and problems."""
    listing = list_files(load_settings())
    loaded = [load(source, None) for source in listing.files.values()]
    parsed = [file.parsed for file in loaded if file and file.parsed]
    problems = [*listing.problems, *(problem for document in parsed for problem in document.problems)]
    return len(parsed), sum(len(document.sections) for document in parsed), problems


def _show_problems(problems: Iterable[Problem]) -> None:
    for problem in problems:
        place = f"{problem.document}:{problem.line}" if problem.line else problem.document
        kind = "오류" if problem.severity == "error" else "주의"
        typer.echo(": ".join(part for part in (place, kind, problem.message) if part), err=True)


def _as_row(section: Section) -> dict[str, str]:
    return {
        "id": section.id,
        "document": section.document,
        "category": section.category,
        "title": section.title,
        "department": section.department,
        "contact": section.contact,
    }
