"""`endy db move` killed and resumed: `python -m benchmarks.move [--feedback 200000] [--faqs 5000] [--kills 2]`.

A real SQLite database with that many FAQs (through the file and the sync) and opinions with their questions and
conversations goes to a real PostgreSQL. The command is killed with -9 when a share of the rows is there, the last run
finishes, and both sides are summed up once more from outside the command.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.postgres import PostgresServer

from endy.bootstrap import prepare
from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.rows import table_digest, tables
from endy.storage.tables import conversations, feedback, questions
from endy.storage.transaction import reading, transaction

ROOT = Path(__file__).parent.parent
BATCH = 5000
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
TOPICS = ("연차", "병가", "주차", "노트북", "경조사", "법인카드", "회의실", "출장", "교육비", "재택근무")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feedback", type=int, default=200_000)
    parser.add_argument("--faqs", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=2)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="endy-move-"))
    folder.chmod(0o755)
    server = PostgresServer(folder / "server", durable=True)
    try:
        server.start()
        source = asyncio.run(_fill(folder, options.faqs, options.feedback))
        runs, equal = _move(folder, source, server.create_database(), options.kills)
        runs.append(("the same in one go", _finished(folder, source, server.create_database()), runs[-1][2]))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    _show(runs, equal)


async def _fill(folder: Path, faqs: int, opinions: int) -> str:
    entries = [
        {"id": number, "category": TOPICS[number % 10], "question": f"{TOPICS[number % 10]} {number}번은 어떻게?",
         "main_answer": f"{TOPICS[number % 10]} {number}번은 담당자에게 **{number}일 전까지** 신청해 주세요. " * 4,
         "keywords": [TOPICS[number % 10], f"{number}번"], "department": "P&C팀"}
        for number in range(1, faqs + 1)
    ]  # fmt: skip
    (folder / "faq.json").write_text(json.dumps({"faqs": entries}, ensure_ascii=False), encoding="utf-8")
    (folder / "docs").mkdir()
    url = f"sqlite:///{folder}/endy.db"
    settings = load_settings(
        _env_file=None, database_url=url, faq_file=folder / "faq.json", knowledge_dir=folder / "docs",
        users_file=folder / "users.json", embeddings="none",
    )  # fmt: skip
    await prepare(settings)
    engine = create_engine(settings)
    for first in range(0, opinions, BATCH):
        await _add_opinions(engine, range(first, min(first + BATCH, opinions)))
    await engine.dispose()
    return url


async def _add_opinions(engine: AsyncEngine, numbers: range) -> None:
    told = [_opinion(number) for number in numbers]
    async with transaction(engine) as connection:
        for table in (conversations, questions, feedback):
            await connection.execute(insert(table), [row[table.name] for row in told])


def _opinion(number: int) -> dict[str, dict[str, Any]]:
    name, asker = sha256(str(number).encode()).hexdigest()[:32], f"user:{2_024_000 + number % 500}"
    topic, at = TOPICS[number % 10], BEGUN + timedelta(minutes=number, microseconds=number % 1_000_000)
    return {
        "conversations": {"id": name, "asker": asker, "created_at": at},
        "questions": {
            "id": name, "conversation_id": name, "asker": asker, "question": f"{topic} {number}번 신청은 언제까지 해?",
            "status": "answered", "mode": "extractive", "category": topic, "department": "P&C팀", "asked_at": at,
            "confidence": (number % 997) / 997, "source_ids": [f"faq:{number % 5000 + 1}"], "knowledge_version": 1,
            "response_seconds": (number % 313) / 1000,
        },
        "feedback": {
            "question_id": name, "asker": asker, "is_helpful": number % 7 > 0, "created_at": at, "updated_at": at,
            "reasons": [] if number % 7 else ["outdated"], "comment": "" if number % 7 else f"{topic} 규정이 바뀜",
        },
    }  # fmt: skip


def _move(folder: Path, source: str, target: str, kills: int) -> tuple[list[tuple[str, float, int]], bool]:
    """Every run as what became of it, its seconds and the rows then there; and whether both sides sum up alike."""
    expected = asyncio.run(_digests(source))
    total = sum(rows for rows, _ in expected.values())
    runs = []
    for number in range(1, kills + 1):
        seconds = _killed(folder, source, target, total * number // (kills + 1))
        runs.append(("kill -9", seconds, _arrived(target)))
    runs.append(("finished and verified", _finished(folder, source, target), total))
    return runs, asyncio.run(_digests(target)) == expected


def _killed(folder: Path, source: str, target: str, rows: int) -> float:
    began = time.monotonic()
    process = subprocess.Popen(_command(source, target), cwd=folder, env=_environment(), stderr=subprocess.DEVNULL)  # noqa: S603  ourselves
    while process.poll() is None and _arrived(target) < rows:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    if process.wait() != -signal.SIGKILL:
        raise SystemExit("the move ended before it could be killed; give it more rows")
    return time.monotonic() - began


def _finished(folder: Path, source: str, target: str) -> float:
    began = time.monotonic()
    done = subprocess.run(_command(source, target), cwd=folder, env=_environment(), capture_output=True, check=False)  # noqa: S603  ourselves
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    return time.monotonic() - began


def _command(source: str, target: str) -> list[str]:
    return [sys.executable, "-m", "endy", "db", "move", source, target, "--json"]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / "src")}


def _arrived(target: str) -> int:
    with psycopg.connect(target) as connection, suppress(psycopg.errors.UndefinedTable):
        found = connection.execute("SELECT sum(rows) FROM endy_move").fetchone()
        return int(found[0] or 0) if found else 0
    return 0


async def _digests(url: str) -> dict[str, tuple[int, str]]:
    engine = create_engine(load_settings(_env_file=None, database_url=url))
    async with reading(engine) as connection:
        found = [await table_digest(connection, table, list(table.columns)) for table in tables()]
    await engine.dispose()
    return {digest.table.name: (digest.rows, digest.hex) for digest in found}


def _show(runs: list[tuple[str, float, int]], equal: bool) -> None:
    shown = Table("run", "seconds", "rows there", title="endy db move: SQLite to PostgreSQL")
    for name, seconds, rows in runs:
        shown.add_row(name, f"{seconds:.1f}", f"{rows:,}")
    Console().print(shown)
    Console().print("checksums equal" if equal else "checksums differ")
    raise SystemExit(0 if equal else 1)


if __name__ == "__main__":
    main()
