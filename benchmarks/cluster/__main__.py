"""`python -m benchmarks.cluster [kill|faults|roll|throughput ...]`: needs nginx; ends by itself after some minutes."""

import asyncio
import signal
import sys
import time

import httpx
import psycopg

from benchmarks.cluster.load import Load, Told
from benchmarks.cluster.parts import Cluster
from benchmarks.cluster.throughput import throughput
from endy.audit.service import AuditLog
from endy.settings import load_settings
from endy.storage.engine import create_engine

KILL_EVERY, KILL_FOR = 5.0, 180.0
RECOVERY = 5.0


async def kill() -> None:
    """One replica is killed with -9 every five seconds for three minutes."""
    cluster = Cluster("none")
    try:
        await cluster.start()
        async with Load(cluster) as load:
            ends, killed = time.monotonic() + KILL_FOR, 0
            while time.monotonic() < ends:
                first, second = cluster.replicas if killed % 2 else cluster.replicas[::-1]
                # Both by turns, unless that would leave nobody: then the one that is still starting dies again.
                replica = first if await second.is_ready() else second
                replica.kill()
                replica.wait()
                replica.start()
                killed += 1
                await asyncio.sleep(KILL_EVERY)
        await asyncio.gather(*(replica.ready() for replica in cluster.replicas))
        print(f"kill: {killed} kills, {_summary(load.told)}")
        await _verify(cluster, load.told)
    finally:
        cluster.stop()


async def faults() -> None:
    """PostgreSQL restarted three times, Redis killed, the network of one replica cut; content changes in between."""
    cluster = Cluster("none")
    windows: list[tuple[float, float]] = []
    try:
        await cluster.start()
        async with Load(cluster) as load:
            await asyncio.sleep(5)
            for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGINT):
                began = time.monotonic()
                await asyncio.to_thread(cluster.postgres.restart, how)
                windows.append((began - 0.2, time.monotonic()))
                print(f"faults: PostgreSQL away for {time.monotonic() - began:.1f} s ({how.name})")
                await asyncio.sleep(12)
            began = time.monotonic()
            cluster.redis.stop()
            await asyncio.sleep(8)
            cluster.redis.start()
            print("faults: Redis away for 8 s")
            # Redis away is no outage: nothing may fail meanwhile.
            await asyncio.sleep(6)
            began = time.monotonic()
            for line in cluster.lines:
                line.cut()
            await asyncio.sleep(15)
            for line in cluster.lines:
                line.mend()
            windows.append((began - 0.2, time.monotonic()))
            print("faults: network of one replica cut for 15 s")
            await asyncio.sleep(12)
            await _change_content(cluster, "under load")
        await _change_content(cluster, "at rest")
        late = load.told.failed(windows)
        worst = max(
            (min(at - end for _, end in windows if end <= at) for at, *_ in late if at > windows[0][1]), default=0.0
        )
        outside = load.told.failed([(start, end + RECOVERY) for start, end in windows])
        print(f"faults: {_summary(load.told)}; last failure {worst:.1f} s after an outage's end (bar {RECOVERY})")
        print(f"faults: failed outside the outages and {RECOVERY:.0f} s: {len(outside)} (bar 0) {outside[:5]}")
        if outside:
            print("faults: nginx says", *cluster.nginx_errors()[-8:], sep="\n    ")
        await _verify(cluster, load.told)
    finally:
        cluster.stop()


async def roll() -> None:
    """Both replicas are restarted one after the other as documented, twice, under load."""
    cluster = Cluster("none")
    try:
        await cluster.start()
        async with Load(cluster) as load:
            for replica in cluster.replicas * 2:
                await asyncio.sleep(3)
                cluster.take_out(replica, out=True)
                replica.kill(signal.SIGTERM)
                await asyncio.to_thread(replica.wait)
                replica.start()
                await replica.ready()
                cluster.take_out(replica, out=False)
            await asyncio.sleep(3)
        failed = [entry for entry in load.told.statuses if entry[1] not in (200, 201)]
        print(f"roll: {_summary(load.told)}; failed requests {len(failed)} (bar 0) {failed[:5]}")
        await _verify(cluster, load.told)
    finally:
        cluster.stop()


async def _change_content(cluster: Cluster, when: str) -> None:
    worst = 0.0
    for number in range(5):
        cluster.write_faq(f"{when} {number}번")
        began = time.monotonic()
        for replica in cluster.replicas:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{replica.port}", timeout=10) as http:
                body = {"question": "클러스터 점검 번호는?"}
                while f"{when} {number}번" not in (await http.post("/api/ask", json=body)).json().get("answer", ""):
                    await asyncio.sleep(0.05)
                    assert time.monotonic() - began < 60
            worst = max(worst, time.monotonic() - began)
        await asyncio.sleep(1)
    print(f"content {when}: visible on both replicas after at most {worst:.1f} s (bar 5)")


async def _verify(cluster: Cluster, told: Told) -> None:
    """Everything that was acknowledged is there, and the audit chain holds."""
    with psycopg.connect(cluster.url) as connection:
        stored = {
            (question, asker): helpful
            for question, asker, helpful in connection.execute("SELECT question_id, asker, is_helpful FROM feedback")
        }
        (audited,) = connection.execute(
            "SELECT count(*) FROM audit WHERE action = 'password_link_created'"
        ).fetchone() or (0,)
    lost = sum(stored.get(key) != helpful for key, helpful in told.opinions.items())
    engine = create_engine(load_settings(_env_file=None, database_url=cluster.url))
    verdict = await AuditLog(engine).verify()
    await engine.dispose()
    print(
        f"        acknowledged feedback {len(told.opinions)}, lost {lost} (bar 0); audited changes {told.audited}, "
        f"lost {max(0, told.audited - audited)} (bar 0); audit chain of {verdict.events} "
        f"{'holds' if verdict.broken is None else f'BROKEN at {verdict.broken}'}"
    )


def _summary(told: Told) -> str:
    broken = sum(status == 0 for _, status, _ in told.statuses)
    over = sum(status >= 500 for _, status, _ in told.statuses)
    return f"{len(told.statuses)} requests, {over} answered 5xx, {broken} broken"


RUNS = {"kill": kill, "faults": faults, "roll": roll, "throughput": throughput}

if __name__ == "__main__":
    for name in sys.argv[1:] or RUNS:
        asyncio.run(RUNS[name]())
