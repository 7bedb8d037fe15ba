"""Whether a row fits its table in a database that checks more than SQLite does, found out before it is written."""

import math
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Integer, String, Table

from endy.storage.rows import Key, Unread

_LARGEST = 2**31
_LARGEST_BIG = 2**63


def problem_of(table: Table, row: Mapping[str, Any]) -> str:
    """Why no database that checks would take the row; empty if nothing speaks against it."""
    for name, rule in _rules(table):
        if name in row and (problem := rule.broken_by(row[name])):
            return f"{name}: {problem}"
    return ""


def parents_of(table: Table, row: Mapping[str, Any]) -> list[tuple[str, Key]]:
    """The rows that this one points to, by table and key."""
    return [(parent, tuple([row[name] for name in names])) for parent, names in _parents(table)]


class _Rule:
    def __init__(self, column: Column[Any]) -> None:
        kind = column.type
        self._required = not column.nullable
        self._longest = kind.length if isinstance(kind, String) else None
        self._largest = _LARGEST_BIG if isinstance(kind, BigInteger) else _LARGEST
        self._whole = isinstance(kind, Integer)
        self._json = isinstance(kind, JSON)
        # Reading has found out already whether a value is of these kinds.
        self._fine = {kind.python_type} & {bool, float, datetime, date, bytes}

    def broken_by(self, value: Any) -> str:
        if type(value) in self._fine:
            return ""
        if value is None:
            return "비어 있으면 안 돼요" if self._required and not self._json else ""
        if isinstance(value, Unread):
            return f"값을 읽을 수 없어요 ({type(value.raw).__name__})"
        if isinstance(value, str) and self._longest is not None and len(value) > self._longest:
            return f"{len(value)}자는 너무 길어요 ({self._longest}자까지)"
        if self._whole and not -self._largest <= value < self._largest:
            return "수가 너무 커요"
        return _unstorable(value) if self._json or isinstance(value, str) else ""


def _unstorable(value: Any) -> str:
    """What neither text nor JSON may hold."""
    if isinstance(value, str):
        if "\0" in value:
            return "저장할 수 없는 글자(NUL)가 있어요"
        return "" if value.isascii() or _is_text(value) else "저장할 수 없는 글자가 있어요"
    if isinstance(value, float) and not math.isfinite(value):
        return "저장할 수 없는 수가 있어요"
    if not value or not isinstance(value, (list, dict)):
        return ""
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    return next((problem for item in inner if (problem := _unstorable(item))), "")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


@lru_cache
def _rules(table: Table) -> tuple[tuple[str, _Rule], ...]:
    return tuple((column.name, _Rule(column)) for column in table.columns)


@lru_cache
def _parents(table: Table) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(
        (constraint.referred_table.name, tuple(element.parent.name for element in constraint.elements))
        for constraint in table.foreign_key_constraints
    )
