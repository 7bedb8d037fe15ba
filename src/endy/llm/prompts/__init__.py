"""Prompts: versioned files, one per task and language, cut into named parts."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Template

_FOLDER = Path(__file__).parent
_HEADER = re.compile(r"\A---\nversion: (\d+)\n---\n")
_PART = re.compile(r"^=== (.+) ===$", re.MULTILINE)


@dataclass(frozen=True)
class Prompt:
    """The parts of a prompt file by name; `version` belongs to the key of every answer made with it."""

    name: str
    version: int
    parts: dict[str, str]

    def fill(self, part: str, **values: str) -> str:
        """The part with its `$names` replaced; what is put in is never read as a template. Raises KeyError."""
        return Template(self.parts[part]).substitute(values)


@lru_cache
def load(task: str, language: str) -> Prompt:
    """The prompt for `answer` or `questions` in `ko` or `en`. Raises ValueError for a file without a version."""
    name = f"{task}.{language}"
    text = (_FOLDER / f"{name}.md").read_text(encoding="utf-8")
    header = _HEADER.match(text)
    if header is None:
        raise ValueError(f"{name}.md must begin with a version between --- lines")
    # A capturing split alternates between names and texts.
    _, *rest = _PART.split(text[header.end() :])
    return Prompt(name, int(header[1]), dict(zip(rest[::2], map(str.strip, rest[1::2]), strict=True)))
