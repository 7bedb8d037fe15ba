"""The watcher: changes are live within five seconds, whatever happens in between."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from endy.background import CANCEL_EVERY
from endy.knowledge import watcher as module
from endy.knowledge.watcher import KnowledgeWatcher
from tests.knowledge.conftest import LEAVE, CountingEmbedder, Home, faq

LIVE_SECONDS = 5.0


async def until(condition: Callable[[], bool], within: float = LIVE_SECONDS) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110  what is waited for happens outside this loop's events
            await asyncio.sleep(0.02)


class Listener:
    """Collects the versions that are told; can fail when asked to."""

    def __init__(self) -> None:
        self.versions: list[int] = []
        self.faults = 0

    async def __call__(self, version: int) -> None:
        if self.faults:
            self.faults -= 1
            raise RuntimeError("the index could not be built")
        self.versions.append(version)

    async def hears(self, version: int, within: float = LIVE_SECONDS) -> None:
        await until(lambda: version in self.versions, within)


@asynccontextmanager
async def watching(
    home: Home, listener: Listener, embed: CountingEmbedder | None = None
) -> AsyncIterator[KnowledgeWatcher]:
    watcher = KnowledgeWatcher(home.syncer(embed), listener)
    watcher.start()
    try:
        yield watcher
    finally:
        await watcher.stop()


async def test_it_stops_when_a_notice_comes_at_the_same_moment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and not only when it is told again: a cancellation that is lost would leave it running for ever."""
    told: list[Callable[[], object]] = []

    async def listen(_engine: object, notice: Callable[[], object]) -> None:
        told.append(notice)
        await asyncio.sleep(60)

    monkeypatch.setattr(module, "listen", listen)
    listener = Listener()
    async with watching(home, listener) as watcher:
        await listener.hears(1)
        await asyncio.sleep(0.5)
        told[0]()
        began = time.monotonic()
        await watcher.stop()
        assert time.monotonic() - began < CANCEL_EVERY / 2


async def test_every_kind_of_change_is_live_within_seconds(home: Home) -> None:
    """The first content, an edit, a new file, an FAQ replaced as a whole, and a deletion."""
    listener = Listener()
    async with watching(home, listener):
        await listener.hears(1)
        home.write("leave.md", LEAVE.replace("15일", "16일"))
        await listener.hears(2)
        home.write("새 폴더/it.md", "# IT\n## 계정\n글\n")
        await listener.hears(3)
        beside = home.settings.faq_file.with_suffix(".new")
        home.settings.faq_file.rename(beside)
        home.write_faq(faq(1, main_answer="새 답"), faq(2))
        await listener.hears(4)
        (home.folder / "leave.md").unlink()
        await listener.hears(5)
    assert listener.versions == [1, 2, 3, 4, 5]


async def test_a_known_version_is_not_told_again(home: Home) -> None:
    """The index that was built at the start need not be built twice."""
    await home.syncer().sync()
    listener = Listener()
    watcher = KnowledgeWatcher(home.syncer(), listener, version=1)
    watcher.start()
    await asyncio.sleep(0.5)
    await watcher.stop()
    assert listener.versions == []


async def test_a_version_written_by_another_process_is_told(home: Home) -> None:
    """`endy knowledge sync` beside a running server, or another replica."""
    listener = Listener()
    async with watching(home, listener) as watcher:
        await listener.hears(1)
        await home.syncer(CountingEmbedder()).sync()
        await listener.hears(2)
    assert watcher.failures == 0


async def test_a_fault_is_counted_and_the_watching_goes_on(home: Home) -> None:
    """Both sources vanish, which is an error; when they are back, changes are live again."""
    listener, faults = Listener(), []
    watcher = KnowledgeWatcher(home.syncer(), listener, on_failure=faults.append)
    watcher.start()
    await listener.hears(1)
    away = home.folder.with_suffix(".away")
    home.folder.rename(away)
    home.settings.faq_file.unlink()
    await until(lambda: watcher.failures > 0)
    away.rename(home.folder)
    home.write("leave.md", LEAVE.replace("15일", "16일"))
    await listener.hears(2)
    await watcher.stop()
    assert len(faults) == watcher.failures >= 1


async def test_a_listener_that_fails_is_told_again(home: Home) -> None:
    """A new version must not be lost because the index could not be built once."""
    listener = Listener()
    listener.faults = 1
    async with watching(home, listener) as watcher:
        await listener.hears(1, within=8)
        assert watcher.failures == 1


async def test_a_folder_that_appears_later_is_found(home: Home) -> None:
    """It did not exist when the watching began, so the file system sends no notice."""
    away = home.folder.with_suffix(".away")
    home.folder.rename(away)
    listener = Listener()
    async with watching(home, listener):
        await listener.hears(1)
        away.rename(home.folder)
        await listener.hears(2)


async def test_stopping_is_quick_and_leaves_no_task(home: Home) -> None:
    """A server that is asked to stop does not wait for the next look."""
    listener = Listener()
    before = asyncio.all_tasks()
    async with watching(home, listener):
        await listener.hears(1)
        started = time.monotonic()
    assert time.monotonic() - started < 1.5
    assert asyncio.all_tasks() == before


async def test_a_burst_of_changes_is_few_versions(home: Home) -> None:
    """Copying a folder in does not rebuild the index for every file."""
    listener = Listener()
    async with watching(home, listener):
        await listener.hears(1)
        for number in range(30):
            home.write(f"many/{number}.md", f"# 문서 {number}\n## 가\n글\n")
            await asyncio.sleep(0.01)
        await asyncio.sleep(LIVE_SECONDS)
        assert len(await home.sections()) == 34
    assert len(listener.versions) <= 4


async def test_a_change_too_large_to_embed_at_once_is_live_first(home: Home, embedder: CountingEmbedder) -> None:
    """Its words are found within seconds; the vectors follow, as one more version, without being asked for."""
    embedder.seconds = 0.3
    text = "\n".join(f"### 절차 {number}\n{number}번 절차예요." for number in range(30))
    home.write("large.md", f"# 절차\n## 모음\n{text}\n")
    listener = Listener()
    async with watching(home, listener, embedder):
        await listener.hears(1, within=30)
        assert len(await home.sections()) == 34
        assert 0 < len(await home.vectors()) < 34
        await listener.hears(2, within=60)
        assert len(await home.vectors()) == 34
