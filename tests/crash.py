"""A process that writes everything Endy writes, tells what was acknowledged, and is killed."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.databases import execute

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent / "src")}
WRITER = """
import asyncio, sys, uuid
from datetime import UTC, datetime
from pathlib import Path
from endy.ask.question_log import QuestionLog
from endy.ask.repository import AskedQuestion
from endy.audit.service import AuditLog, Event
from endy.feedback.service import FeedbackService
from endy.knowledge.sync import KnowledgeSync
from endy.observability.metrics import Metrics
from endy.settings import load_settings
from endy.storage.engine import create_engine
from endy.storage.migrations import upgrade

folder = Path(sys.argv[2])
settings = load_settings(_env_file=None, database_url=sys.argv[1], knowledge_dir=folder, faq_file=folder / "faq.json")

def told(*words):
    print(*words, flush=True)

async def ask(log, feedback):
    while True:
        name = uuid.uuid4().hex
        await log.add(AskedQuestion(name, name, "anonymous", "질문", "answered", "extractive", "", "", 0.5, [], 0.1, 1,
                                    datetime.now(UTC), True))
        told("questions", name)
        await feedback.rate(name, "anonymous", True, None)
        told("feedback", name)

async def note(audit):
    while True:
        name = uuid.uuid4().hex
        await audit.add(Event("login", name))
        told("audit", name)

async def sync(job):
    while True:
        name = uuid.uuid4().hex
        beside = folder / "new"
        beside.write_text("# 문서\\n" + "".join(f"## 분류 {n}\\n{name} " + "가나다 " * 200 + "\\n" for n in range(30)))
        beside.rename(folder / "page.md")
        await job.sync()
        told("sections", name)

async def run():
    engine = create_engine(settings)
    await upgrade(engine)
    log, feedback, audit = QuestionLog(engine), FeedbackService(engine, Metrics()), AuditLog(engine)
    told("ready")
    await asyncio.gather(ask(log, feedback), ask(log, feedback), note(audit), sync(KnowledgeSync(engine, settings)))

asyncio.run(run())
"""


@dataclass
class Acknowledged:
    """Names by table; of the sections only the last, which replaced the ones before."""

    names: dict[str, list[str]] = field(default_factory=dict)

    def lost(self, database_url: str) -> dict[str, int]:
        """How many acknowledged rows are not there."""
        found = {
            "questions": _column(database_url, "SELECT id FROM questions"),
            "feedback": _column(database_url, "SELECT question_id FROM feedback"),
            "audit": _column(database_url, "SELECT actor FROM audit"),
        }
        return {table: len(set(self.names.get(table, [])) - there) for table, there in found.items()}


async def write_and_kill(database_url: str, folder: Path, after: float, acknowledged: Acknowledged) -> str:
    """Let the writer write for so many seconds, kill it, and say what it had synced last (one may be under way)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, database_url, str(folder), env=ENVIRONMENT, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert await process.stdout.readline() == b"ready\n"
    await asyncio.sleep(after)
    process.send_signal(signal.SIGKILL)
    # What stands in the pipe was acknowledged before the end; a line that was cut was not.
    said = (await process.stdout.read()).decode().split("\n")[:-1]
    await process.wait()
    for line in said:
        table, name = line.split()
        acknowledged.names.setdefault(table, []).append(name)
    return next((line.split()[1] for line in reversed(said) if line.startswith("sections")), "")


def whole(database_url: str) -> bool:
    """SQLite's own check, and that no half of a document's sections is there."""
    texts = {str(row[0]).split()[0] for row in execute(database_url, "SELECT text FROM sections")}
    return execute(database_url, "PRAGMA integrity_check") == [("ok",)] and len(texts) <= 1


def _column(database_url: str, query: str) -> set[str]:
    return {str(row[0]) for row in execute(database_url, query)}
