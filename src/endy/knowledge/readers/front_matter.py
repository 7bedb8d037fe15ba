"""Front matter: the YAML head between two `---` lines, read key by key so that each slip has its line."""

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from endy.knowledge.fields import FIELDS, FieldError
from endy.knowledge.problems import Problem
from endy.knowledge.readers.parsed import FrontMatter

_FENCE = "---"
_NOTHING = {"", "~", "null", "Null", "NULL"}
_UNREADABLE = "문서 머리말을 읽을 수 없어요. `이름: 값` 형식과 따옴표를 확인해 주세요."


class _UnusableError(Exception):
    def __init__(self, message: str, line: int) -> None:
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Head:
    """`length` is the number of lines the head takes, its two fences included."""

    front_matter: FrontMatter
    length: int
    problems: tuple[Problem, ...]


def read_head(name: str, lines: list[str]) -> Head:
    """The head of a document; one without any is no problem."""
    if not lines or lines[0].rstrip() != _FENCE:
        return Head(FrontMatter(), 0, ())
    end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() in (_FENCE, "...")), None)
    if end is None:
        message = "문서 머리말이 닫히지 않았어요. 머리말 끝에 `---` 줄을 넣어 주세요."
        return Head(FrontMatter(), len(lines), (Problem(name, message, 1, "error"),))
    values: dict[str, object] = {}
    problems: list[Problem] = []
    try:
        for key, line, value in _pairs("\n".join(lines[1:end])):
            _take(values, problems, Problem(name, key, line), value)
    except _UnusableError as error:
        problems.append(Problem(name, error.message, error.line, "error"))
    return Head(FrontMatter(**values), end + 1, tuple(problems))  # type: ignore[arg-type]


def _take(values: dict[str, object], problems: list[Problem], at: Problem, value: object) -> None:
    """Read one value; `at` carries the place and, as its message, the key."""
    key = at.message
    if key not in FIELDS:
        known = ", ".join(FIELDS)
        problems.append(
            Problem(at.document, f"'{key[:40]}'은(는) 모르는 이름이에요. 쓸 수 있는 이름: {known}", at.line)
        )
    elif key in values:
        problems.append(Problem(at.document, f"'{key}'이(가) 두 번 나와요. 하나만 남겨 주세요.", at.line, "error"))
    else:
        try:
            values[key] = FIELDS[key](value)
        except FieldError as error:
            values[key] = getattr(FrontMatter(), key)
            problems.append(Problem(at.document, f"{key}: {error}.", at.line, "error"))


def _pairs(text: str) -> Iterator[tuple[str, int, object]]:
    """Key, line number in the file, and value: a text, a list, or None."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _UnusableError(_UNREADABLE, mark.line + 2 if mark else 1) from None
    except (yaml.YAMLError, RecursionError):
        raise _UnusableError(_UNREADABLE, 1) from None
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        raise _UnusableError(_UNREADABLE, root.start_mark.line + 2)
    for key, value in root.value:
        yield str(_plain(key)), key.start_mark.line + 2, _plain(value)


def _plain(node: yaml.Node) -> object:
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    if isinstance(node, yaml.ScalarNode):
        return None if node.style is None and node.value in _NOTHING else str(node.value)
    raise _UnusableError(_UNREADABLE, node.start_mark.line + 2)


class _Loader(yaml.SafeLoader):
    """Refuses aliases, with which a few lines could stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="alias", problem_mark=mark)
        return super().compose_node(parent, index)
