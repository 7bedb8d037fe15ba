"""Many streams at once against a scripted model: `python -m benchmarks.streams` (`make streams`).

Three processes on loopback: Endy, a model that writes slowly, and this one, which opens the streams and asks other
routes meanwhile. Also what everything but the model adds to the first sentence, against retrieval alone.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.speed import Server, endy, golden_questions, serving, until_embedded

OTHERS = ("/api/categories", "/api/questions?q=연차", "/liveness")
MODEL = [sys.executable, "-m", "benchmarks.model", "faithful"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--between", default="2", help="seconds between the model's pieces")
    parser.add_argument("--over", type=float, default=30.0, help="seconds over which the streams are opened")
    options = parser.parse_args()
    table = Table("무엇", "값", title="동시 스트림")
    asked = [f"{question} {number}번" for number, question in enumerate((golden_questions() * 2)[: options.streams])]
    with TemporaryDirectory() as folder:
        with endy(Path(folder)) as server:
            until_embedded(server)
        model = [*MODEL, "--before", "0.5", "--between", options.between]
        with serving([*model, "--port"], {}) as slow, endy(Path(folder), **_with(slow, options.streams)) as server:
            idle = asyncio.run(_others(server, 10.0))
            done, most, busy, seconds = asyncio.run(_load(server, asked, options.over))
            table.add_row("끝까지 온 스트림", f"{done} / {options.streams} ({seconds:.0f} s, 한꺼번에 {most})")
            table.add_row("다른 길의 p95, 한가할 때", f"{idle * 1000:.1f} ms")
            table.add_row("다른 길의 p95, 스트림 중", f"{busy * 1000:.1f} ms = {busy / idle:.1f}배")
        # All at once, so that what is timed is everything around the model's writing.
        model = [*MODEL, "--before", "0", "--between", "0", "--piece", "100000"]
        with serving([*model, "--port"], {}) as quick:
            with endy(Path(folder), **_with(quick, 64)) as server:
                written = asyncio.run(_first_sentences(server, golden_questions()[:200], delta=True))
                bare = asyncio.run(_first_pieces(quick, 200))
            with endy(Path(folder)) as server:
                found = asyncio.run(_first_sentences(server, golden_questions()[:200], delta=False))
    own = written - bare
    table.add_row(
        "첫 문장 p95 (모델의 몫을 뺌) / 검색만", f"{own * 1000:.0f} / {found * 1000:.0f} ms = {own / found:.2f}"
    )
    Console().print(table)


def _with(model: Server, streams: int) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": "x", "OPENAI_BASE_URL": model.url, "LLM_CONCURRENCY": str(streams),
        "LLM_TOTAL_SECONDS": "300", "LLM_QUEUE_SECONDS": "60", "LLM_BETWEEN_TOKENS_SECONDS": "60",
        "LLM_FIRST_TOKEN_SECONDS": "120",
    }  # fmt: skip


async def _load(server: Server, asked: list[str], over: float) -> tuple[int, int, float, float]:
    """Streams that ended with an answer, the most at once, the p95 of other routes meanwhile, and how long it took."""
    open_now, most = 0, 0
    started, stop = time.perf_counter(), asyncio.Event()

    async def stream(http: httpx.AsyncClient, number: int, question: str) -> bool:
        nonlocal open_now, most
        await asyncio.sleep(over * number / len(asked))
        open_now += 1
        most = max(most, open_now)
        try:
            return await _stream(http, question)
        finally:
            open_now -= 1

    async with httpx.AsyncClient(base_url=server.url, timeout=300, limits=httpx.Limits(max_connections=None)) as http:
        streams = [asyncio.create_task(stream(http, number, question)) for number, question in enumerate(asked)]
        watching = asyncio.create_task(_others(server, 600.0, stop))
        done = sum(await asyncio.gather(*streams))
        stop.set()
        busy = await watching
    return done, most, busy, time.perf_counter() - started


async def _stream(http: httpx.AsyncClient, question: str) -> bool:
    last = ""
    async with http.stream("POST", "/api/ask/stream", json={"question": question}) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                last = line.removeprefix("event: ")
            elif line.startswith("data: ") and last == "done":
                return bool(json.loads(line.removeprefix("data: "))["answer"])
    return False


async def _others(server: Server, seconds: float, stop: asyncio.Event | None = None) -> float:
    """The p95 in seconds of routes that no model is behind."""
    times: list[float] = []
    ends = time.perf_counter() + seconds
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        while time.perf_counter() < ends and not (stop and stop.is_set()):
            for path in OTHERS:
                started = time.perf_counter()
                (await http.get(path)).raise_for_status()
                times.append(time.perf_counter() - started)
            await asyncio.sleep(0.05)
    return float(np.percentile(times, 95))


async def _first_sentences(server: Server, asked: list[str], *, delta: bool) -> float:
    """The p95 in seconds until the first text, one question after another."""
    times = []
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        for question in asked:
            started = time.perf_counter()
            async with http.stream("POST", "/api/ask/stream", json={"question": question}) as answer:
                async for line in answer.aiter_lines():
                    if line == ("event: delta" if delta else "event: meta"):
                        times.append(time.perf_counter() - started)
                        break
    return float(np.percentile(times, 95))


async def _first_pieces(model: Server, count: int) -> float:
    """The p95 in seconds until the model's own first sentence, asked without Endy."""
    text = "연차는 열닷새예요. 신청은 사흘 전까지 해 주세요. " * 12
    source = "\n".join(f"<자료 {number}>\n제목: 연차\n{text}\n</자료 {number}>" for number in range(1, 9))
    messages = [{"role": "system", "content": text * 3}, {"role": "user", "content": f"<자료>\n{source}\n</자료>"}]
    times = []
    async with httpx.AsyncClient(base_url=model.url, timeout=60) as http:
        for _ in range(count):
            started = time.perf_counter()
            body = {"model": "x", "messages": messages, "stream": True}
            async with http.stream("POST", "/v1/chat/completions", json=body) as answer:
                async for line in answer.aiter_lines():
                    if "." in line.partition("content")[2]:
                        times.append(time.perf_counter() - started)
                        break
    return float(np.percentile(times, 95))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", "src")
    main()
