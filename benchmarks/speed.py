"""Speed and size of the real server: `python -m benchmarks.speed` (`make speed`). Everything is a ratio within one run.

Starts `endy serve` on a new database over the sample knowledge, twice: the first start embeds, the second finds its
vectors. Then asks over HTTP on loopback. The bare endpoint that rates are compared with is FastAPI returning a dict.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from endy.bootstrap import build_embedder
from endy.evaluation.questions import load_questions
from endy.settings import Settings

ROOT = Path(__file__).parent.parent
CONNECTIONS = 64
BARE = """
from fastapi import FastAPI
import sys, uvicorn
app = FastAPI()
@app.post("/api/ask")
async def ask() -> dict[str, object]:
    return {"answer": "네", "status": "answered", "sources": [{"title": "제목", "text": "본문"}]}
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
"""


@dataclass(frozen=True)
class Server:
    url: str
    port: int
    process: subprocess.Popen[bytes]
    ready_after: float

    @property
    def resident_mib(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=1000, help="different questions for the memory figure")
    parser.add_argument("--seconds", type=float, default=5.0, help="duration of each rate measurement")
    options = parser.parse_args()
    table = Table("무엇", "값", title="속도와 크기")
    questions = golden_questions()
    with TemporaryDirectory() as folder:
        with endy(Path(folder)) as server:
            table.add_row("첫 시작에서 준비까지", f"{server.ready_after:.1f} s")
            until_embedded(server)
        with endy(Path(folder)) as server:
            table.add_row("벡터가 있을 때 준비까지", f"{server.ready_after:.1f} s")
            asked, embedded = _latencies(server, questions[:300])
            p95, alone = (float(np.percentile(times, 95)) * 1000 for times in (asked, embedded))
            table.add_row("새 질문 p95 / 임베딩만 p95", f"{p95:.0f} ms / {alone:.0f} ms = {p95 / alone:.2f}")
            for question in _many(questions, options.questions):
                _ask(server, question)
            table.add_row(f"다른 질문 {options.questions}개 뒤 메모리", f"{server.resident_mib:.0f} MiB")
            cached = asyncio.run(_rate(server.port, questions[:1], options.seconds))
        with endy(Path(folder), EMBEDDINGS="none") as server:
            by_words = asyncio.run(_rate(server.port, list(_many(questions, 1000)), options.seconds))
        with serving([sys.executable, "-c", BARE], {}) as bare:
            most = asyncio.run(_rate(bare.port, questions[:1], options.seconds))
    table.add_row("빈 FastAPI 끝점", f"{most:.0f} 건/s")
    table.add_row("캐시된 답 / 빈 끝점", f"{cached:.0f} 건/s = {cached / most:.2f}")
    table.add_row("새 질문, EMBEDDINGS=none / 빈 끝점", f"{by_words:.0f} 건/s = {by_words / most:.2f}")
    Console(width=100).print(table)


def golden_questions() -> list[str]:
    paths = sorted((ROOT / "benchmarks/golden").glob("*.jsonl"))
    return list(dict.fromkeys(question.question for path in paths for question in load_questions(path)))


def _many(questions: Sequence[str], count: int) -> Iterator[str]:
    """Different questions: the golden ones, then pairs of them."""
    made = [*questions, *(f"{first} {second}" for first, second in zip(questions, questions[7:], strict=False))]
    return (question[:500] for question in made[:count])


@contextmanager
def endy(folder: Path, **environment: str) -> Iterator[Server]:
    """Endy over the sample knowledge, in a process of its own, with its data in the folder."""
    settings = {
        "DATABASE_URL": f"sqlite:///{folder}/endy.db",
        "LOG_FILE": f"{folder}/endy.log",
        "LOG_LEVEL": "WARNING",
        "RATE_LIMIT_PER_MINUTE": "1000000",
        "RATE_LIMIT_PER_HOUR": "1000000",
        **environment,
    }
    with serving([sys.executable, "-m", "endy", "serve", "--port"], settings) as server:
        yield server


@contextmanager
def serving(command: Sequence[str], settings: dict[str, str]) -> Iterator[Server]:
    """The command with a free port behind it, as soon as it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    started = time.perf_counter()
    process = subprocess.Popen([*command, str(port)], env=os.environ | settings, cwd=ROOT)  # noqa: S603  our own
    try:
        while not _answers(f"{url}/readiness"):
            assert process.poll() is None, "the server ended"
            time.sleep(0.05)
        yield Server(url, port, process, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code in (200, 404)
    except httpx.HTTPError:
        return False


def until_embedded(server: Server) -> None:
    """Wait until the server has gone quiet: the rest of a first start's vectors is made while it serves."""
    while True:
        before = _cpu_seconds(server)
        time.sleep(5)
        if _cpu_seconds(server) - before < 1:
            return


def _cpu_seconds(server: Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ask(server: Server, question: str) -> float:
    started = time.perf_counter()
    httpx.post(f"{server.url}/api/ask", json={"question": question}, timeout=30).raise_for_status()
    return time.perf_counter() - started


def _latencies(server: Server, questions: Sequence[str]) -> tuple[list[float], list[float]]:
    """Seconds of each question over one kept connection, then of each one's embedding alone.

    One after the other: the threads of two models at once would only wait for each other.
    """
    embedder = build_embedder(Settings(_env_file=None))
    assert embedder is not None
    asked, embedded = [], []
    with httpx.Client(base_url=server.url, timeout=30) as client:
        for question in questions:
            started = time.perf_counter()
            client.post("/api/ask", json={"question": question}).raise_for_status()
            asked.append(time.perf_counter() - started)
    for question in questions:
        started = time.perf_counter()
        embedder.query(question)
        embedded.append(time.perf_counter() - started)
    return asked, embedded


async def _rate(port: int, questions: Sequence[str], seconds: float) -> float:
    """Answers a second over kept connections; the client writes raw HTTP, so that it is not what is measured."""
    bodies = [json.dumps({"question": question}).encode() for question in questions]
    head = b"POST /api/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    requests = [b"%b%d\r\n\r\n%b" % (head, len(body), body) for body in bodies]
    ends = time.perf_counter() + seconds
    shares = [requests[number::CONNECTIONS] or requests for number in range(CONNECTIONS)]
    done = await asyncio.gather(*(_converse(port, share, ends) for share in shares))
    return sum(done) / seconds


async def _converse(port: int, requests: Sequence[bytes], ends: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    while time.perf_counter() < ends:
        writer.write(requests[done % len(requests)])
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert b" 200 " in head, head
        await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
        done += 1
    writer.close()
    return done


if __name__ == "__main__":
    main()
