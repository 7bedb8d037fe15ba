"""What is wrong with a knowledge file, in words for the person who maintains it."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """An `error` refuses the file (or the FAQ entry) and its last good version stays; a `warning` keeps it.

    `line` counts from 1 and is None when the whole file is meant.
    """

    document: str
    message: str
    line: int | None = None
    severity: Severity = "warning"
