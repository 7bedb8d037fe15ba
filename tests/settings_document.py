"""The tables of ENV_SETUP.md out of the settings: `python -m tests.settings_document` writes them again."""

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from endy.settings import DEFAULT_SECRET_KEY, Settings

DOCUMENT = Path(__file__).parent.parent / "ENV_SETUP.md"
HEAD = "| 이름 | 기본값 | 값 | 뜻 |\n|---|---|---|---|"

_TABLE_HEAD = re.compile(r"^\| 이름 \|.*\n\|[-|]+\|$", re.MULTILINE)
_ROW = re.compile(r"^\| `([A-Z_]+)` \|.*$", re.MULTILINE)


def row(name: str) -> str:
    """One setting's line: name, default, what is allowed, meaning."""
    field = Settings.model_fields[name]
    return f"| `{name.upper()}` | `{_default(field.default)}` | {_allowed(field)} | {field.description} |"


def generated(document: str) -> str:
    """The document with every row of its tables made again; its prose and order stay."""
    tables = _TABLE_HEAD.sub(HEAD, document)
    return _ROW.sub(lambda found: row(found[1].lower()), tables)


def _default(value: Any) -> str:
    if isinstance(value, SecretStr) and value.get_secret_value() == DEFAULT_SECRET_KEY:
        return "(개발용 기본값)"
    if isinstance(value, tuple):
        value = ",".join(value)
    if value is None or value == "":
        return "(없음)"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _allowed(field: FieldInfo) -> str:
    kind = field.annotation
    if kind is bool:
        return "`true` · `false`"
    if get_origin(kind) is Literal:
        return " · ".join(f"`{choice}`" for choice in get_args(kind))
    return _range(field)


def _range(field: FieldInfo) -> str:
    limits = {
        name: getattr(item, name) for item in field.metadata for name in ("ge", "gt", "le") if hasattr(item, name)
    }
    low = f"{limits['ge']:,}" if "ge" in limits else f"{limits['gt']:,} 초과" if "gt" in limits else ""
    high = f"{limits['le']:,}" if "le" in limits else ""
    if low and not high:
        return low if "gt" in limits else f"{low} 이상"
    return f"{low}~{high}" if low else ""


if __name__ == "__main__":
    DOCUMENT.write_text(generated(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
