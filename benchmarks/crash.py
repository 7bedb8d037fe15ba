"""`python -m benchmarks.crash [kills]`: SQLite killed at random moments; then a full disk (root)."""

import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import httpx
from tests.crash import Acknowledged, whole, write_and_kill
from tests.databases import execute
from tests.postgres import free_port

from endy.audit.service import AuditLog
from endy.settings import load_settings
from endy.storage.engine import create_engine

ROOT = Path(__file__).parent.parent
QUESTION = {"question": "연차 며칠이에요?"}


async def _kill(kills: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="endy-crash-"))
    url, docs = f"sqlite:///{folder}/endy.db", folder / "docs"
    docs.mkdir()
    acknowledged, chance, broken = Acknowledged(), random.Random(), 0  # noqa: S311
    for _ in range(kills):
        await write_and_kill(url, docs, chance.uniform(0.0, 0.7), acknowledged)
        broken += not whole(url)
    engine = create_engine(load_settings(_env_file=None, database_url=url))
    verdict = await AuditLog(engine).verify()
    await engine.dispose()
    rows = sum(map(len, acknowledged.names.values()))
    print(
        f"{kills} kills: {rows} acknowledged writes, lost {acknowledged.lost(url)} (bar 0), damaged {broken} (bar 0), "
        f"audit chain {'holds' if verdict.broken is None else 'BROKEN'}"
    )
    shutil.rmtree(folder)


async def _disk() -> None:
    """A file system of a few megabytes, which needs root."""
    folder = Path(tempfile.mkdtemp(prefix="endy-disk-"))
    await _mount("-t", "tmpfs", "-o", "size=12m", "tmpfs", folder)
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{folder}/data/endy.db", "LOG_FILE": f"{folder}/logs/endy.log", "PORT": str(port),
        "EMBEDDINGS": "none", "RATE_LIMIT_PER_MINUTE": "1000",
    }  # fmt: skip
    server = subprocess.Popen([sys.executable, "run.py"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
            await _until_ready(http)
            first = (await http.post("/api/ask", json=QUESTION)).json()["question_id"]
            junk = folder / "junk"
            with suppress(OSError), junk.open("wb") as file:
                while True:
                    file.write(b"\0" * 4096)
            await _look("full disk", http, first)
            junk.unlink()
            await asyncio.sleep(4)
            await _look("after it", http, first)
    finally:
        server.terminate()
        server.wait(60)
        print("integrity:", execute(f"sqlite:///{folder}/data/endy.db", "PRAGMA integrity_check"))
        await (await asyncio.create_subprocess_exec("umount", folder)).wait()


async def _mount(*arguments: str | Path) -> None:
    done = await (await asyncio.create_subprocess_exec("mount", *arguments)).wait()
    if done:
        raise SystemExit("A small file system can be mounted by root alone.")


async def _until_ready(http: httpx.AsyncClient) -> None:
    for _ in range(300):
        with suppress(httpx.HTTPError):
            if (await http.get("/readiness")).status_code == 200:
                return
        await asyncio.sleep(0.2)


async def _look(when: str, http: httpx.AsyncClient, question: str) -> None:
    answers = [await http.post("/api/ask", json={"question": f"연차 이월 {number}"}) for number in range(20)]
    said = await http.post("/api/feedback", json={"question_id": question, "is_helpful": True, "comment": "가" * 900})
    await asyncio.sleep(3.5)
    health = (await http.get("/health")).json()
    wrong = [name for name, fine in health["checks"].items() if not fine]
    print(
        f"{when}: answers {[answer.status_code for answer in answers].count(200)} of 20, feedback {said.status_code} "
        f"{said.json().get('message', '')}, health {health['status']} (not fine: {', '.join(wrong)})"
    )


if __name__ == "__main__":
    asyncio.run(_kill(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
    asyncio.run(_disk())
