"""What a second replica brings: questions a second of two over one, each pinned to a core."""

import asyncio
import json
import time
from pathlib import Path

from benchmarks.cluster.parts import ROOT, Cluster

SECONDS = 25.0
AT_ONCE = 12
HEAD = b"POST /api/ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


async def throughput() -> None:
    """New questions of the golden set, so that each is searched; the servers and this program share the cores."""
    questions = _questions()
    cluster = Cluster("local", cores=(0, 1), DATABASE_POOL_SIZE="10", ANSWER_CACHE_SECONDS="0")
    try:
        await cluster.start()
        await _settled(cluster)
        rates = {}
        for count in (1, 2, 1, 2):
            cluster.take_out(cluster.replicas[1], out=count == 1)
            await asyncio.sleep(1)
            await _ask_for(cluster.port, questions, 4.0)
            done = await _ask_for(cluster.port, questions, SECONDS)
            rates.setdefault(count, []).append(done / SECONDS)
        one, two = max(rates[1]), max(rates[2])
        print(f"throughput: one replica {one:.1f}/s, two {two:.1f}/s, ratio {two / one:.2f} (bar 1.7) {rates}")
    finally:
        cluster.stop()


async def _settled(cluster: Cluster) -> None:
    """Until every section has its vectors."""
    import psycopg  # noqa: PLC0415

    while True:
        with psycopg.connect(cluster.url) as connection:
            missing = connection.execute(
                "SELECT count(*) FROM sections s WHERE NOT EXISTS "
                "(SELECT 1 FROM embeddings e WHERE e.content_hash = s.content_hash)"
            ).fetchone()
        if missing == (0,):
            await asyncio.sleep(5)
            return
        await asyncio.sleep(1)


async def _ask_for(port: int, questions: list[bytes], seconds: float) -> int:
    ends, done = time.monotonic() + seconds, 0
    coming = iter(range(10**9))

    async def person() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < ends:
            number = next(coming)
            body = questions[number % len(questions)].replace(b"NUMBER", str(number).encode())
            writer.write(HEAD % len(body) + body)
            answered = await reader.readuntil(b"\r\n\r\n")
            assert answered.startswith(b"HTTP/1.1 200"), answered
            length = int(answered.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            done += 1
        writer.close()

    await asyncio.gather(*(person() for _ in range(AT_ONCE)))
    return done


def _questions() -> list[bytes]:
    folder = ROOT / "benchmarks" / "golden"
    lines = [line for path in sorted(Path(folder).glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    asked = [json.loads(line)["question"] for line in lines]
    return [
        json.dumps({"question": f"{text} (NUMBER)"}, ensure_ascii=False).encode() for text in asked if len(text) < 300
    ]
