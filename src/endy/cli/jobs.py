"""`endy jobs`: what goes on in the background, in all replicas."""

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from endy.cli.output import print_json
from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.jobs import Jobs, JobState
from endy.storage.migrations import upgrade

_STATES = {"running": "도는 중", "waiting": "쉬는 중", "abandoned": "멈춤 (곧 다른 프로세스가 이어받음)"}
_OUTCOMES = {"done": "끝남", "failed": "실패", "interrupted": "중단", "": "-"}


def command(as_json: Annotated[bool, typer.Option("--json", help="JSON으로 출력")] = False) -> None:
    """백그라운드 작업이 어디서 도는지, 마지막에 어떻게 끝났는지 보여 줍니다."""
    states = asyncio.run(_states())
    if as_json:
        print_json([asdict(state) for state in states])
        return
    if not states:
        typer.echo("아직 돌았던 작업이 없어요.")
        return
    table = Table("작업", "상태", "진행", "시작", "마지막 성공", "마지막 결과", "맡은 프로세스")
    for state in states:
        progress = f"{state.progress['done']}/{state.progress['total']}" if state.progress else "-"
        outcome = " ".join(part for part in (_OUTCOMES.get(state.outcome, state.outcome), state.problem) if part)
        times = (_local(state.started_at), _local(state.succeeded_at))
        table.add_row(state.name, _STATES[state.state], progress, *times, outcome, state.holder or "-")
    Console().print(table)


async def _states() -> list[JobState]:
    engine = create_engine(load_settings())
    try:
        await upgrade(engine)
        return await Jobs(engine).states()
    finally:
        await engine.dispose()


def _local(moment: datetime | None) -> str:
    return f"{moment.astimezone():%m-%d %H:%M:%S}" if moment else "-"
