"""`endy ask`: one question, answered in the terminal as on the page."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown

from endy.ask.models import Answer, AskRequest
from endy.bootstrap import running_services
from endy.cli.output import print_json
from endy.settings import load_settings


def command(
    question: Annotated[str, typer.Argument(help="질문 (1~500자)")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON으로 출력")] = False,
) -> None:
    """질문 하나에 답합니다."""
    answer = asyncio.run(_ask(question))
    if as_json:
        print_json(asdict(answer))
        return
    _show(Console(), answer)


async def _ask(question: str) -> Answer:
    async with running_services(load_settings(), background=False) as services:
        return await services.ask.ask(AskRequest(question.strip()[:500]))


def _show(console: Console, answer: Answer) -> None:
    if answer.understood:
        console.print(f"[dim]‘{answer.understood}’(으)로 이해했어요.[/dim]")
    console.print(Markdown(answer.answer))
    if answer.department:
        console.print(f"담당 · {answer.department} {answer.contact}".rstrip())
    for choice in answer.choices:
        console.print(f"  · {choice.title}")
    for source in answer.sources[:3]:
        console.print(f"[dim][{source.number}] {source.document} › {source.title}[/dim]")
    console.print(f"[dim]{answer.status} · 확신 {answer.confidence_score:.2f} · {answer.response_time:.2f}초[/dim]")
