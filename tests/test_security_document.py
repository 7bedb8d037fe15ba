"""The security document against code: the tests, settings, commands and files that it names exist."""

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

from endy.cli import audit, privacy, users
from endy.settings import Settings

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "documentation" / "security.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
PROMISES = re.findall(r"^\| (\d+) \| (.+?) \| `(tests/[\w/]+\.py)::(test_\w+)` \|$", TEXT, re.MULTILINE)


@lru_cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_there_are_promises_and_each_is_numbered() -> None:
    """At least forty, in order, and every row of the table is one of them."""
    assert [int(number) for number, *_ in PROMISES] == list(range(1, len(PROMISES) + 1))
    assert len(PROMISES) >= 40
    assert len(PROMISES) == len(re.findall(r"^\| \d+ \|", TEXT, re.MULTILINE))


@pytest.mark.parametrize(("path", "name"), [promise[2:] for promise in PROMISES])
def test_every_promise_has_its_test(path: str, name: str) -> None:
    """A test that was renamed or deleted takes its promise with it."""
    assert name in functions(path)


def test_every_risk_of_the_list_is_answered() -> None:
    """LLM01 to LLM10 have one row each."""
    assert re.findall(r"^\| (LLM\d\d) \|", TEXT, re.MULTILINE) == [f"LLM{number:02}" for number in range(1, 11)]


def test_every_setting_exists() -> None:
    """Names in capitals are settings."""
    named = set(re.findall(r"`([A-Z][A-Z_]{3,})(?:=[^`]*)?`", TEXT))
    assert len(named) >= 15
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_every_command_exists() -> None:
    """What is told to be typed can be typed."""
    apps = {"audit": audit.app, "privacy": privacy.app, "users": users.app}
    typed = re.findall(r"endy (\w+) ([\w-]+)", TEXT)
    assert typed
    for area, command in typed:
        assert command in {
            one.name or (one.callback.__name__ if one.callback else "") for one in apps[area].registered_commands
        }, (area, command)


def test_every_link_leads_somewhere() -> None:
    """Files beside it, and headings in it."""
    headings = {
        re.sub(r"[^\w가-힣-]", "", line.strip("# ").replace(" ", "-")) for line in TEXT.splitlines() if "# " in line
    }
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", TEXT):
        path, _, anchor = target.partition("#")
        assert not path or (DOCUMENT.parent / path).exists(), target
        assert path or anchor in headings, target
