"""Documents against code: what they name exists, and what exists is named."""

import re
from pathlib import Path

import pytest

from endy.cli import COMMANDS
from endy.settings import Settings
from tests.settings_document import DOCUMENT, generated, row

ROOT = Path(__file__).parent.parent
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "DEPLOYMENT_GUIDE.md",
    "database_migration/README.md",
    "documentation/architecture.md",
    "documentation/backup.md",
    "documentation/cluster.md",
)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    """ENV_SETUP.md has each setting's generated row, .env.example offers it."""
    assert row(name) in DOCUMENT.read_text(encoding="utf-8").splitlines(), "run make docs"
    assert re.search(rf"^(# )?{name.upper()}=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_settings_guide_names_nothing_else() -> None:
    """No row describes a setting that does not exist."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(name.lower() for name in rows) == sorted(Settings.model_fields)


def test_the_settings_guide_is_generated() -> None:
    """Writing it again changes nothing."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert generated(text) == text, "run make docs"


def test_make_targets_and_commands_in_the_documents_exist() -> None:
    """`make x` and `endy x` in the documents can be typed."""
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS)
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"^(?:PORT=\d+ )?make ([a-z]+)|`make ([a-z]+)`", text, re.MULTILINE)) <= {
        *((target, "") for target in targets),
        *(("", target) for target in targets),
    }
    assert set(re.findall(r"(?:^|`)(?:\.venv/bin/)?endy ([a-z]+)", text, re.MULTILINE)) <= set(COMMANDS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_inside_the_repository_lead_somewhere(name: str) -> None:
    """Relative links point at files that exist."""
    source = ROOT / name
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", source.read_text(encoding="utf-8")):
        assert (source.parent / target).exists(), target


def test_no_lock_names_a_registry() -> None:
    """Locks carry hashes and no download host, so that they install from any mirror."""
    for path in (*ROOT.glob("requirements*.txt"), ROOT / "benchmarks" / "requirements.txt"):
        text = path.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert not re.search(r"^--(?:extra-)?index-url|https?://", text, re.MULTILINE)
