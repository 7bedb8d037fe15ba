"""The rules of documentation/architecture.md, held by reading the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src" / "endy"
LAYERS = [
    {"cli"},
    {"web", "evaluation"},
    {"bootstrap"},
    {"channels"},
    {"ask"},
    {"knowledge", "feedback"},
    {"retrieval", "llm", "accounts", "limits"},
    {"audit"},
    {"storage"},
    {"observability"},
    {"privacy"},
    {"settings", "background"},
    {"errors"},
]
RANK = {room: rank for rank, layer in enumerate(LAYERS) for room in layer}
MODULES = sorted(path for path in SRC.rglob("*.py") if path.name != "__main__.py")


def room_of(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(tree: ast.AST) -> set[str]:
    parts = [name.split(".") for name in imports(tree) if name.startswith("endy.")]
    return {part[1] for part in parts if part[1] in RANK}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SRC)))
def test_imports_go_down_only(path: Path) -> None:
    """A room imports rooms below it, never a sibling or one above."""
    room = room_of(path)
    if room not in RANK:
        return
    wrong = {other for other in rooms_imported(parsed(path)) if other != room and RANK[other] <= RANK[room]}
    assert not wrong, f"{room} must not import {wrong}"


def test_there_are_no_import_cycles() -> None:
    """No module reaches itself through its imports."""
    names = {
        ".".join(("endy", *path.relative_to(SRC).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in MODULES
    }
    graph = {
        name: {other for other in imports(parsed(path)) if other in names and other != name}
        for name, path in names.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail, name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SRC)))
def test_frameworks_stay_in_their_rooms(path: Path) -> None:
    """FastAPI and Starlette live under web/ and channels/, SQL in repositories, storage and index adapters."""
    room, names = room_of(path), set(imports(parsed(path)))
    if room not in ("web", "channels"):
        assert not {name for name in names if name.split(".")[0] in ("fastapi", "starlette")}
    sql = {name for name in names if name.startswith("sqlalchemy.") or name == "sqlalchemy"}
    harmless = {"sqlalchemy.ext.asyncio", "sqlalchemy.exc"}
    used = {name for name in sql if not any(name.startswith(prefix) for prefix in harmless)} - {"sqlalchemy"}
    if used or "sqlalchemy.select" in names:
        adapter = path.parent.name == "postgresql"
        assert path.name == "repository.py" or room == "storage" or adapter, f"SQL in {path.name}: {used}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SRC)))
def test_commits_and_environment_have_one_place(path: Path) -> None:
    """commit() only in storage/transaction.py; os.environ only in settings.py."""
    where = path.relative_to(SRC).as_posix()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Attribute):
            assert node.attr != "commit" or where == "storage/transaction.py"
            assert node.attr not in ("environ", "getenv") or where == "settings.py"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def test_code_stays_small() -> None:
    """Functions of at most 20 lines in 80 %, never over 80; modules of at most 300 lines in 90 %, never over 500."""
    sizes = [(path, len(path.read_text(encoding="utf-8").splitlines())) for path in MODULES]
    assert not [path.name for path, size in sizes if size > 500]
    assert sum(size <= 300 for _, size in sizes) >= 0.9 * len(sizes)
    lengths = [
        node.end_lineno - node.lineno + 1 for path in MODULES for node in functions(parsed(path)) if node.end_lineno
    ]
    assert max(lengths) <= 80
    assert sum(length <= 20 for length in lengths) >= 0.8 * len(lengths)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SRC)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """A one-sentence docstring opens every module that has code."""
    tree = parsed(path)
    assert not tree.body or ast.get_docstring(tree)
