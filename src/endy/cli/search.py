"""`endy search`: what a question retrieves, and with `--why` what each channel said."""

import asyncio
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from endy.ask.models import AskRequest
from endy.ask.service import Examination
from endy.bootstrap import running_services
from endy.cli.output import print_json
from endy.retrieval.evidence import FEATURES
from endy.settings import load_settings


def command(
    question: Annotated[str, typer.Argument(help="찾을 질문")],
    why: Annotated[bool, typer.Option("--why", help="채널마다 점수를 보여 줍니다")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10, help="보여 줄 개수")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="JSON으로 출력")] = False,
) -> None:
    """질문이 어떤 섹션을 왜 찾는지 보여 줍니다."""
    examination = asyncio.run(_examine(question))
    if as_json:
        print_json(_as_data(examination, limit))
        return
    _show(Console(), examination, limit, why)


async def _examine(question: str) -> Examination:
    async with running_services(load_settings(), background=False) as services:
        return await services.ask.examine(AskRequest(question))


def _as_data(examination: Examination, limit: int) -> dict[str, Any]:
    result = examination.result
    return {
        "question": result.repaired,
        "terms": [{"text": term.text, "weight": term.weight} for term in result.query.terms],
        "concepts": [expansion.head for expansion in result.query.expansions],
        "probability": examination.probability,
        "status": examination.answer.status,
        "hits": [
            {"id": hit.section.id, "score": hit.score, "channels": result.why(hit)} for hit in result.hits[:limit]
        ],
    }


def _show(console: Console, examination: Examination, limit: int, why: bool) -> None:
    result = examination.result
    table = Table(title=f"‘{result.repaired}’", show_lines=False)
    table.add_column("#", justify="right")
    table.add_column("섹션", overflow="fold")
    table.add_column("점수", justify="right")
    for name in FEATURES if why else ():
        table.add_column(name, justify="right")
    for number, hit in enumerate(result.hits[:limit], start=1):
        channels = [f"{value:+.2f}" for value in result.why(hit).values()] if why else []
        table.add_row(str(number), f"{hit.section.title}\n[dim]{hit.section.id}[/dim]", f"{hit.score:.2f}", *channels)
    console.print(table)
    if why:
        terms = ", ".join(f"{term.text}({term.weight:g})" for term in result.query.terms)
        console.print(f"낱말: {terms}")
        console.print(f"개념: {', '.join(expansion.head for expansion in result.query.expansions) or '없음'}")
    console.print(f"판단: {examination.answer.status} · 답일 확률 {examination.probability:.2f}")
