"""`endy audit`, run as a process as an operator runs it."""

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.test_knowledge import endy, place
from tests.cli.test_users import company

__all__ = ["company", "place"]


def test_the_log_is_listed_and_exported(company: Path) -> None:
    """What `endy users` did is there; the export is CSV with a header, also into a file that Excel reads."""
    endy(company, "users", "set-role", "2024003", "owner")
    (latest, *_) = json.loads(endy(company, "audit", "list", "--json", "--actor", "cli").stdout)
    assert (latest["action"], latest["after"]) == ("user_changed", {"role": "owner"})
    assert "user_changed" in endy(company, "audit", "list").stdout
    rows = list(csv.DictReader(io.StringIO(endy(company, "audit", "export").stdout)))
    assert rows[-1]["action"] == "audit_exported"
    assert endy(company, "audit", "export", "--out", str(company / "audit.csv")).returncode == 0
    assert (company / "audit.csv").read_bytes().startswith(b"\xef\xbb\xbfat,actor,action")


def test_a_file_that_cannot_be_written_is_one_line(company: Path) -> None:
    """With the path and the reason."""
    done = endy(company, "audit", "export", "--out", str(company / "nowhere" / "audit.csv"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "nowhere" in done.stderr


def test_verify_says_yes_and_no(company: Path) -> None:
    """Exit code 0 with the last hash to write down; 1 with the event that does not fit, or for a cut tail."""
    endy(company, "users", "set-role", "2024003", "owner")
    good = endy(company, "audit", "verify")
    head = good.stdout.split()[-1]
    assert (good.returncode, len(head)) == (0, 64)
    assert endy(company, "audit", "verify", "--head", head).returncode == 0
    with closing(sqlite3.connect(company / "endy.db")) as database, database:
        database.execute("DROP TRIGGER audit_refuses_delete")
        database.execute("DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)")
    cut = endy(company, "audit", "verify", "--head", head)
    assert cut.returncode == 1
    assert "지워졌어요" in cut.stderr
    with closing(sqlite3.connect(company / "endy.db")) as database, database:
        database.execute("DELETE FROM audit WHERE id = 1")
    broken = endy(company, "audit", "verify")
    assert broken.returncode == 1
    assert "2번 기록" in broken.stderr
