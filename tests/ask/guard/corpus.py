"""Read the invented passages and the sentences about them."""

from pathlib import Path

_HERE = Path(__file__).parent


def passages() -> dict[str, str]:
    """Name to passage."""
    parts = (_HERE / "passages.md").read_text(encoding="utf-8").split("## ")[1:]
    return {name.strip(): text.strip() for name, _, text in (part.partition("\n") for part in parts)}


def rows(name: str) -> list[list[str]]:
    """The rows of a tab-separated file; lines that begin with # are notes."""
    lines = (_HERE / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]


def sources(names: str) -> list[str]:
    """The passages of a comma-separated list, [1] first."""
    known = passages()
    return [known[name] for name in names.split(",")]
