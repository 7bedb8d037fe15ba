"""What a backup costs: `python -m benchmarks.backup [--questions 100000]`.

Questions with their conversations and opinions are backed up and restored by the command line, encrypted, on SQLite
and on a real PostgreSQL; seconds and the most memory are those of the whole process, start included.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import insert
from tests.postgres import PostgresServer

from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade
from endy.storage.tables import conversations, feedback, questions
from endy.storage.transaction import transaction

ROOT = Path(__file__).parent.parent
BATCH = 5000
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
TOPICS = ("연차", "병가", "주차", "노트북", "경조사", "법인카드", "회의실", "출장", "교육비", "재택근무")


@dataclass
class Done:
    said: str
    seconds: float
    megabytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=100_000)
    asked = parser.parse_args().questions
    folder = Path(tempfile.mkdtemp(prefix="endy-backup-"))
    folder.chmod(0o755)
    server = PostgresServer(folder / "server", durable=True)
    table = Table("", "backup", "size", "memory", "verify", "restore", "memory ")
    try:
        server.start()
        measured = {
            "SQLite": (f"sqlite:///{folder}/endy.db", f"sqlite:///{folder}/restored.db"),
            "PostgreSQL": (server.create_database(), server.create_database()),
        }
        for name, (source, target) in measured.items():
            asyncio.run(_fill(source, asked))
            table.add_row(name, *_measure(folder / name, source, target))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    Console().print(f"{asked:,} questions with conversation and opinion", table)


def _measure(folder: Path, source: str, target: str) -> list[str]:
    made = _endy(folder, source, "backup", "--json")
    told = json.loads(made.said)
    verified = _endy(folder, source, "backup", "verify", told["path"])
    restored = _endy(folder, target, "restore", told["path"], "--yes")
    return [
        f"{made.seconds:.1f} s", f"{told['size'] / 1e6:.1f} MB", f"{made.megabytes:.0f} MB",
        f"{verified.seconds:.1f} s", f"{restored.seconds:.1f} s", f"{restored.megabytes:.0f} MB",
    ]  # fmt: skip


def _endy(folder: Path, url: str, *arguments: str) -> Done:
    folder.mkdir(exist_ok=True)
    given = {
        "DATABASE_URL": url, "PYTHONPATH": str(ROOT / "src"), "BACKUP_DIR": str(folder), "BACKUP_KEY": "benchmark",
        "KNOWLEDGE_DIR": "docs", "FAQ_FILE": "faq.json", "USERS_FILE": "users.json",
    }  # fmt: skip
    began = time.monotonic()
    program = [sys.executable, "-m", "endy", *arguments]
    process = subprocess.Popen(program, cwd=folder, env=os.environ | given, stdout=subprocess.PIPE, text=True)  # noqa: S603  ourselves
    assert process.stdout
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, said
    return Done(said, time.monotonic() - began, used.ru_maxrss / 1024)


async def _fill(url: str, asked: int) -> None:
    engine = create_engine(load_settings(_env_file=None, database_url=url))
    await upgrade(engine)
    for first in range(0, asked, BATCH):
        async with transaction(engine) as connection:
            for table in (conversations, questions, feedback):
                rows = [_row(number)[table.name] for number in range(first, min(first + BATCH, asked))]
                await connection.execute(insert(table), rows)
    await engine.dispose()


def _row(number: int) -> dict[str, dict[str, object]]:
    name, at = sha256(str(number).encode()).hexdigest(), BEGUN + timedelta(minutes=number)
    topic = TOPICS[number % len(TOPICS)]
    return {
        "conversations": {"id": name[:32], "asker": f"user:{name[:8]}", "created_at": at},
        "questions": {
            "id": name[32:], "conversation_id": name[:32], "asker": f"user:{name[:8]}",
            "question": f"{topic} {number % 977}일 전에 신청해도 되나요? {name[:6]}", "status": "answered",
            "mode": "extractive", "category": topic, "department": "P&C팀", "confidence": number % 1000 / 1000,
            "source_ids": [f"faq:{number % 5000}"], "response_seconds": number % 300 / 1000, "asked_at": at,
            "knowledge_version": number,
        },
        "feedback": {
            "question_id": name[32:], "asker": f"user:{name[:8]}", "is_helpful": number % 4 > 0,
            "reasons": [] if number % 4 else ["incorrect"], "comment": "", "created_at": at, "updated_at": at,
        },
    }  # fmt: skip


if __name__ == "__main__":
    main()
