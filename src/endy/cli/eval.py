"""`endy eval`: ask a question set over any knowledge and report how well it was answered."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress

from endy.ask.service import AskService
from endy.bootstrap import build_writer
from endy.cli.output import print_json
from endy.errors import StartupError
from endy.evaluation.knowledge import answering, load_knowledge, store_for
from endy.evaluation.questions import EvalQuestion, load_corpus, load_questions
from endy.evaluation.report import coverage_chart, scores_table, written_table
from endy.evaluation.runner import run
from endy.evaluation.scores import Outcome, as_report, coverage_curve
from endy.evaluation.written import run_written, written_report
from endy.llm.build import language_model
from endy.observability.metrics import Metrics
from endy.retrieval.section import Section
from endy.settings import Settings, load_settings

T = TypeVar("T")


def command(  # noqa: PLR0913, PLR0917  one parameter an option
    questions: Annotated[list[Path], typer.Argument(help="질문 파일 (JSON Lines)")],
    docs: Annotated[Path | None, typer.Option(help="문서 폴더")] = None,
    faq: Annotated[Path | None, typer.Option(help="FAQ 파일")] = None,
    corpus: Annotated[Path | None, typer.Option(help="말뭉치 (JSON Lines: id, title, text)")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="앞의 몇 문항만")] = None,
    report: Annotated[Path | None, typer.Option(help="JSON 보고서를 쓸 파일 (같은 이름의 .svg도 만듦)")] = None,
    misses: Annotated[bool, typer.Option("--misses", help="틀린 문항을 보여 줍니다")] = False,
    llm: Annotated[bool, typer.Option("--llm", help="LLM이 쓴 답을 평가합니다 (OPENAI_API_KEY 필요)")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON으로 출력")] = False,
) -> None:
    """질문 묶음을 물어보고 순위, 사실, 거절, 확신, 속도를 셉니다."""
    settings = load_settings(**_given(docs, faq))
    if llm and settings.openai_api_key is None:
        raise StartupError("LLM을 평가하려면 OPENAI_API_KEY를 정해 주세요. (OPENAI_BASE_URL, OPENAI_MODEL도)")
    asked = [question for path in questions for question in load_questions(path)][:limit]
    sections = load_corpus(corpus) if corpus else load_knowledge(settings)
    _check_sources(asked, sections)
    store = store_for(str(corpus or settings.knowledge_dir))
    if llm:
        _show_written(asyncio.run(_write_all(settings, sections, asked, store)), report, as_json)
        return
    outcomes = asyncio.run(_ask_all(settings, sections, asked, store))
    data = as_report(outcomes)
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")
        report.with_suffix(".svg").write_text(coverage_chart(coverage_curve(outcomes)), encoding="utf-8")
    if as_json:
        print_json(data)
        return
    _show(outcomes, data["calibration_error"], misses)


def _given(docs: Path | None, faq: Path | None) -> dict[str, Path]:
    """The paths that were named; only a folder means no FAQ file, and the other way round."""
    if docs is None and faq is None:
        return {}
    nowhere = Path("/nonexistent")
    return {"knowledge_dir": docs or nowhere, "faq_file": faq or nowhere}


def _check_sources(asked: Iterable[EvalQuestion], sections: list[Section]) -> None:
    known = {section.id for section in sections}
    for question in asked:
        if question.relevant and not known & set(question.relevant):
            raise StartupError(f"{question.id}: 지식에 없는 출처예요 ({', '.join(question.relevant)})")


Asked = Callable[[AskService, Callable[[int], None]], Awaitable[T]]


async def _with_service(settings: Settings, sections: list[Section], store: Path, total: int, ask: Asked[T]) -> T:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        embedding = bar.add_task("문장 이해 준비", total=None)
        async with answering(
            settings, sections, store, lambda done, every: bar.update(embedding, completed=done, total=every)
        ) as service:
            bar.remove_task(embedding)
            asking = bar.add_task("질문", total=total)
            return await ask(service, lambda done: bar.update(asking, completed=done))


async def _ask_all(
    settings: Settings, sections: list[Section], asked: list[EvalQuestion], store: Path
) -> list[Outcome]:
    return await _with_service(
        settings, sections, store, len(asked), lambda service, progress: run(service, asked, progress)
    )


async def _write_all(
    settings: Settings, sections: list[Section], asked: list[EvalQuestion], store: Path
) -> dict[str, Any]:
    metrics = Metrics()
    model = language_model(settings, metrics)
    writer = build_writer(settings, model, metrics)
    assert writer is not None  # noqa: S101  there is a key  # nosec B101

    async def ask(service: AskService, progress: Callable[[int], None]) -> dict[str, Any]:
        return written_report(await run_written(service, writer, asked, progress))

    try:
        return await _with_service(settings, sections, store, len(asked), ask)
    finally:
        await model.aclose()


def _show_written(data: dict[str, Any], report: Path | None, as_json: bool) -> None:
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")
    if as_json:
        print_json(data)
    else:
        Console().print(written_table(data, "LLM 답변 평가"))


def _show(outcomes: list[Outcome], calibration_error: float, misses: bool) -> None:
    narrow = Console()
    console = Console(width=max(narrow.width, 110))
    console.print(scores_table(outcomes, "질문 묶음 평가"))
    console.print(f"확신의 보정 오차(ECE): {calibration_error:.3f}")
    if not misses:
        return
    for outcome in outcomes:
        if not outcome.correct:
            found = outcome.found[0] if outcome.found else "없음"
            wanted = outcome.question.relevant[0] if outcome.question.relevant else "답 없음"
            console.print(f"[{outcome.question.kind}] {outcome.question.question}\n  정답 {wanted} · 찾음 {found}")
