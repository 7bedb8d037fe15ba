"""Question sets and corpora in JSON Lines, read with an error that names file and line."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endy.errors import StartupError
from endy.retrieval.section import Section


@dataclass(frozen=True, slots=True)
class EvalQuestion:
    """One question with its right sources; none means that the right behaviour is to refuse.

    `must_include` holds groups of alternatives: one of each group must occur in a right answer.
    """

    id: str
    question: str
    relevant: tuple[str, ...]
    must_include: tuple[tuple[str, ...], ...]
    kind: str
    turns: tuple[str, ...]


def load_questions(path: Path) -> list[EvalQuestion]:
    """Read a question set. Raises StartupError naming the first line that cannot be used."""
    return [_question(row, path, number) for number, row in _rows(path)]


def _question(row: dict[str, Any], path: Path, number: int) -> EvalQuestion:
    try:
        groups = row.get("must_include") or ([row["answers"]] if row.get("answers") else [])
        return EvalQuestion(
            id=str(row.get("id", number)),
            question=str(row["question"]),
            relevant=tuple(row["relevant"]),
            must_include=tuple(tuple(group) for group in groups),
            kind=str(row.get("kind", "all")),
            turns=tuple(row.get("turns", ())),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise StartupError(f"{path} {number}행: question과 relevant가 있어야 해요 ({error})") from None


def load_corpus(path: Path) -> list[Section]:
    """Read a corpus of `{"id", "title", "text"}` lines as sections without headings."""
    return [
        Section(
            id=str(row["id"]),
            kind="section",
            document=path.name,
            document_title=row.get("title", ""),
            heading_path=(),
            title=row.get("title", ""),
            text=row["text"],
            category="",
            content_hash=hashlib.sha256(f"{row.get('title', '')}\n{row['text']}".encode()).hexdigest(),
        )
        for _, row in _rows(path)
    ]


def _rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{path}: 읽을 수 없어요 ({type(error).__name__})") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append((number, json.loads(line)))
        except json.JSONDecodeError as error:
            raise StartupError(f"{path} {number}행: JSON이 아니에요 ({error.msg})") from None
    return rows
