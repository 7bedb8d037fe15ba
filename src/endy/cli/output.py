"""How commands print data for other programs, and progress for people."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

OnProgress = Callable[[int, int], None]


def print_json(data: Any) -> None:
    """Readable JSON with Korean as it is; sets become sorted lists."""
    typer.echo(json.dumps(data, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


@contextmanager
def progress_bar(title: str = "문장 이해 준비") -> Iterator[OnProgress]:
    """A bar on standard error, shown as soon as there is something to do."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)

    def on_progress(done: int, total: int) -> None:
        bar.start()
        task = bar.task_ids[0] if bar.task_ids else bar.add_task("", total=total)
        bar.update(task, completed=done)

    try:
        yield on_progress
    finally:
        if bar.live.is_started:
            bar.stop()
