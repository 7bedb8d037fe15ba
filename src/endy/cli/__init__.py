"""The `endy` command: one file per command, loaded when it is called."""

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from endy.errors import EndyError, StartupError
from endy.observability.logging import configure_quiet_logging

COMMANDS = (
    "serve",
    "ask",
    "search",
    "eval",
    "knowledge",
    "users",
    "audit",
    "privacy",
    "jobs",
    "db",
    "backup",
    "restore",
)
"""Modules of this package; each holds a function `command`, or `app` with several commands."""


class _Commands(TyperGroup):
    """Imports only what is called: checking a file should not wait for the search engine to load."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"endy.cli.{cmd_name}")
        group = getattr(module, "app", None)
        if group is None:
            group = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
            group.command(cmd_name)(module.command)
        command = typer.main.get_command(group)
        command.name = cmd_name
        return command


app = typer.Typer(cls=_Commands, pretty_exceptions_enable=False, add_completion=False, no_args_is_help=True)


@app.callback()
def _endy() -> None:
    """엔디: 사내 지식 도우미."""


def main() -> None:
    """Run the command line. What people can mend is one line each, never a traceback; settings end with 2."""
    configure_quiet_logging()
    try:
        app()
    except StartupError as error:
        _fail(str(error), 2)
    except EndyError as error:
        _fail(error.message, 1)


def _fail(message: str, code: int) -> None:
    typer.echo(message, err=True)
    sys.exit(code)
