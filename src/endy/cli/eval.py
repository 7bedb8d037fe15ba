"""`endy eval`: ask a question set over any knowledge and report how well it was answered."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from endy.cli.output import print_json
from endy.errors import StartupError
from endy.evaluation.knowledge import answering, load_knowledge, store_for
from endy.evaluation.questions import EvalQuestion, load_corpus, load_questions
from endy.evaluation.report import coverage_chart, scores_table
from endy.evaluation.runner import run
from endy.evaluation.scores import Outcome, as_report, coverage_curve
from endy.retrieval.section import Section
from endy.settings import Settings, load_settings


def command(
    questions: Annotated[list[Path], typer.Argument(help="질문 파일 (JSON Lines)")],
    docs: Annotated[Path | None, typer.Option(help="문서 폴더")] = None,
    faq: Annotated[Path | None, typer.Option(help="FAQ 파일")] = None,
    corpus: Annotated[Path | None, typer.Option(help="말뭉치 (JSON Lines: id, title, text)")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="앞의 몇 문항만")] = None,
    report: Annotated[Path | None, typer.Option(help="JSON 보고서를 쓸 파일 (같은 이름의 .svg도 만듦)")] = None,
    misses: Annotated[bool, typer.Option("--misses", help="틀린 문항을 보여 줍니다")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON으로 출력")] = False,
) -> None:
    """질문 묶음을 물어보고 순위, 사실, 거절, 확신, 속도를 셉니다."""
    settings = load_settings(**_given(docs, faq))
    asked = [question for path in questions for question in load_questions(path)][:limit]
    sections = load_corpus(corpus) if corpus else load_knowledge(settings)
    _check_sources(asked, sections)
    outcomes = asyncio.run(_ask_all(settings, sections, asked, store_for(str(corpus or settings.knowledge_dir))))
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


async def _ask_all(
    settings: Settings, sections: list[Section], asked: list[EvalQuestion], store: Path
) -> list[Outcome]:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        embedding = bar.add_task("문장 이해 준비", total=None)
        async with answering(
            settings, sections, store, lambda done, every: bar.update(embedding, completed=done, total=every)
        ) as service:
            bar.remove_task(embedding)
            asking = bar.add_task("질문", total=len(asked))
            return await run(service, asked, lambda done: bar.update(asking, completed=done))


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
