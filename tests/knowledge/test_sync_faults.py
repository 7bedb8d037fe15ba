"""Sync under fire: killed, crowded, overtaken, out of space, without its embedder."""

import asyncio
import resource
import signal
import subprocess
import sys
from datetime import UTC, datetime
from threading import Event

import pytest

from endy.knowledge import repository
from endy.knowledge.sync import KnowledgeSync
from endy.storage.engine import create_engine
from endy.storage.transaction import reading
from tests.databases import execute
from tests.knowledge.conftest import LEAVE, CountingEmbedder, Home, faq

PROGRAM = """
import asyncio, resource, sys, time
import numpy as np
from endy.errors import ServiceUnavailable
from endy.knowledge.sync import KnowledgeSync
from endy.settings import load_settings
from endy.storage.engine import create_engine

def embed(section):
    time.sleep(float(sys.argv[4]))
    return np.ones((2, 4), np.float32)

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[5]), int(sys.argv[5])))

async def run():
    settings = load_settings(_env_file=None, database_url=sys.argv[1], knowledge_dir=sys.argv[2], faq_file=sys.argv[3])
    engine = create_engine(settings)
    try:
        report = await KnowledgeSync(engine, settings, embed, "test").sync(lambda *done: print(*done, flush=True))
        print("done", report.version, flush=True)
    except ServiceUnavailable as error:
        print(error.message, flush=True)
    await engine.dispose()

asyncio.run(run())
"""


def start(home: Home, seconds: float, largest_file: int = resource.RLIM_INFINITY) -> "subprocess.Popen[str]":
    """A sync in another process that takes so many seconds per section."""
    settings = home.settings
    arguments = [
        settings.database_url,
        str(settings.knowledge_dir),
        str(settings.faq_file),
        str(seconds),
        str(largest_file),
    ]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)


async def test_a_killed_first_sync_resumes(home: Home, embedder: CountingEmbedder) -> None:
    """After SIGKILL nothing is visible, what was embedded is kept, and the next run does the rest."""
    home.write_faq(*(faq(number) for number in range(60)))
    process = start(home, 0.02)
    assert process.stdout
    for _ in range(3):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    kept = len(await home.vectors())
    assert 24 <= kept < 62
    assert await home.sections() == {}
    assert await repository.knowledge_version(home.engine) == 0
    # On one machine it is seen that the other process is gone; elsewhere its lease has to run out first.
    execute(home.settings.database_url, f"UPDATE jobs SET lease_until = '{datetime.now(UTC)}'")  # noqa: S608
    report = await home.syncer(embedder).sync()
    assert len(embedder.embedded) == 62 - kept
    assert (report.added, report.version) == (62, 1)
    assert len(await home.vectors()) == 62


async def test_new_content_is_invisible_until_its_vectors_are_stored(home: Home, embedder: CountingEmbedder) -> None:
    """A reader sees the old version, whole, while the new one is being embedded."""
    await home.syncer(embedder).sync()
    embedder.gate = Event()
    home.write("leave.md", LEAVE.replace("15일", "16일"))
    running = asyncio.create_task(home.syncer(embedder).sync())
    await asyncio.sleep(0.2)
    async with reading(home.engine) as connection:
        version, sections = await repository.load_sections(connection)
    assert version == 1
    assert not any("16일" in section.text for section in sections)
    embedder.gate.set()
    assert (await running).version == 2


async def test_two_syncs_at_once_write_once(home: Home, embedder: CountingEmbedder) -> None:
    """In one process they take turns; across processes the later one sees what the earlier wrote."""
    syncer = home.syncer(embedder)
    other_engine = create_engine(home.settings)
    other = KnowledgeSync(other_engine, home.settings, embedder, "test")
    reports = await asyncio.gather(syncer.sync(), syncer.sync(), other.sync(), other.sync())
    assert sorted(report.added for report in reports) == [0, 0, 0, 4]
    assert len(embedder.embedded) == 4
    assert len(await home.sections()) == len(await home.vectors()) == 4
    await other_engine.dispose()


async def test_two_processes_at_once(home: Home) -> None:
    """The same with real processes."""
    processes = [start(home, 0.01) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].splitlines()[-1] for process in processes]
    assert said == ["done 1", "done 1"]
    assert len(await home.sections()) == 4


async def test_an_overtaken_sync_does_not_bring_old_content_back(home: Home) -> None:
    """It read the file before the change and is ready only after another one wrote the change."""
    await home.syncer(CountingEmbedder()).sync()
    slow, quick = CountingEmbedder(gate=Event()), CountingEmbedder()
    home.write("leave.md", LEAVE.replace("15일", "16일"))
    overtaken = asyncio.create_task(home.syncer(slow).sync())
    await asyncio.sleep(0.2)
    home.write("leave.md", LEAVE.replace("15일", "17일"))
    # The first is still embedding; the second has no time to wait for it.
    await home.syncer(quick).sync(patience=0.0)
    assert slow.gate
    slow.gate.set()
    report = await overtaken
    assert "17일" in (await home.sections())["leave.md#휴가 > 연차"].text
    assert report.changed == 0


async def test_without_its_embedder_content_is_live_by_words(home: Home, embedder: CountingEmbedder) -> None:
    """The failure is reported, the text can be found, and the next sync makes up for the vectors."""
    embedder.fails = True
    report = await home.syncer(embedder).sync()
    assert (report.added, report.version, report.unembedded) == (4, 1, 4)
    assert "낱말 검색" in report.problems[0].message
    assert len(await home.sections()) == 4
    assert (await home.syncer(embedder).sync()).version == 1
    embedder.fails = False
    report = await home.syncer(embedder).sync()
    assert (report.version, report.unembedded, report.problems) == (2, 0, ())
    assert len(await home.vectors()) == 4


async def test_cancelling_leaves_everything_usable(home: Home, embedder: CountingEmbedder) -> None:
    """A server that is stopped in the middle of a sync starts the next one from the beginning."""
    embedder.gate = Event()
    syncer = home.syncer(embedder)
    running = asyncio.create_task(syncer.sync())
    await asyncio.sleep(0.1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    embedder.gate.set()
    assert (await syncer.sync()).added == 4


@pytest.mark.sqlite
async def test_a_full_disk_changes_nothing(home: Home) -> None:
    """The sync says so in Korean and the old content goes on."""
    await home.syncer(CountingEmbedder()).sync()
    before = await home.sections()
    big = "".join(f"## 분류 {number}\n{'가나다라 ' * 3000}\n" for number in range(100))
    home.write("big.md", f"# 큰 문서\n{big}")
    process = start(home, 0, largest_file=1_000_000)
    assert "디스크" in process.communicate(timeout=60)[0].splitlines()[-1]
    assert await home.sections() == before
    assert (await home.syncer(CountingEmbedder()).sync()).added == 100


async def test_a_file_that_comes_and_goes_during_syncs(home: Home) -> None:
    """No moment of the file's life makes a sync fail."""
    syncer = home.syncer()
    stop = asyncio.Event()

    async def flicker() -> None:
        while not stop.is_set():
            home.write("flicker.md", "# 가\n## 나\n글\n")
            await asyncio.sleep(0.001)
            (home.folder / "flicker.md").unlink()
            await asyncio.sleep(0.001)

    task = asyncio.create_task(flicker())
    for _ in range(20):
        await syncer.sync()
    stop.set()
    await task
    await syncer.sync()
    assert "flicker.md#나" not in await home.sections()
