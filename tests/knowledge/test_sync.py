"""Sync: files in, one new version out, and only when something changed."""

from datetime import UTC, datetime, timedelta
from os import utime

import numpy as np
import pytest

from endy.errors import StartupError
from endy.knowledge.sync import SyncReport
from tests.knowledge.conftest import LEAVE, CountingEmbedder, Home, faq

ANNUAL = "leave.md#휴가 > 연차"


def counts(report: SyncReport) -> tuple[int, int, int, int]:
    return report.added, report.changed, report.removed, report.unchanged


async def test_the_first_sync_brings_everything_in(home: Home) -> None:
    """Documents and FAQs together are version 1."""
    report = await home.syncer().sync()
    assert counts(report) == (4, 0, 0, 0)
    assert (report.version, report.problems) == (1, ())
    assert set(await home.sections()) == {ANNUAL, "leave.md#휴가 > 병가", "faq:1", "faq:2"}


async def test_nothing_new_is_no_new_version(home: Home) -> None:
    """Also when the files were only touched, or rewritten with the same content."""
    await home.syncer().sync()
    home.write("leave.md", LEAVE)
    report = await home.syncer().sync()
    assert counts(report) == (0, 0, 0, 4)
    assert report.version == 1


async def test_changes_are_counted_by_section(home: Home) -> None:
    """One edited, one new, one gone; the FAQ untouched."""
    await home.syncer().sync()
    home.write("leave.md", LEAVE.replace("15일", "16일").replace("### 병가\n병가는 60일", "### 공가\n공가는 1일"))
    report = await home.syncer().sync()
    assert counts(report) == (1, 1, 1, 2)
    assert report.version == 2
    assert "16일" in (await home.sections())[ANNUAL].text


async def test_a_blank_line_more_is_no_new_version(home: Home) -> None:
    """The file is another, what it says is not."""
    await home.syncer().sync()
    home.write("leave.md", LEAVE + "\n\n")
    assert (await home.syncer().sync()).version == 1


async def test_another_order_is_a_new_version(home: Home) -> None:
    """Lists and starter questions follow the order of the file."""
    await home.syncer().sync()
    home.write_faq(faq(2), faq(1))
    report = await home.syncer().sync()
    assert counts(report) == (0, 0, 0, 4)
    assert report.version == 2
    assert [key for key in await home.sections() if key.startswith("faq")] == ["faq:2", "faq:1"]


async def test_a_deleted_file_takes_its_sections(home: Home) -> None:
    """What is no longer there must not be answered from."""
    await home.syncer().sync()
    (home.folder / "leave.md").unlink()
    report = await home.syncer().sync()
    assert counts(report) == (0, 0, 2, 2)
    assert set(await home.sections()) == {"faq:1", "faq:2"}


async def test_a_renamed_file_keeps_its_vectors(home: Home, embedder: CountingEmbedder) -> None:
    """New ids, but nothing to embed again."""
    await home.syncer(embedder).sync()
    embedder.embedded.clear()
    (home.folder / "leave.md").rename(home.folder / "absence.md")
    assert counts(await home.syncer(embedder).sync()) == (2, 0, 2, 2)
    assert embedder.embedded == []


async def test_each_section_has_the_day_of_its_own_change(home: Home) -> None:
    """The file's day in Korea for a new or changed section, the old day for the others."""
    path = home.folder / "leave.md"
    evening = datetime(2026, 3, 1, 16, 0, tzinfo=UTC).timestamp()
    utime(path, (evening, evening))
    await home.syncer().sync()
    home.write("leave.md", LEAVE.replace("15일", "16일"))
    later = evening + timedelta(days=30).total_seconds()
    utime(path, (later, later))
    await home.syncer().sync()
    found = await home.sections()
    assert found[ANNUAL].updated_at == "2026-04-01"
    assert found["leave.md#휴가 > 병가"].updated_at == "2026-03-02"


@pytest.mark.parametrize(
    "broken", ["---\ntitle: [\n---\n# 가\n글", "", "# 가\n## 나\n```\n글", b"\xff\xfe\xfd", b"a\0b"]
)
async def test_a_broken_file_leaves_the_last_good_version(home: Home, broken: str | bytes) -> None:
    """Its problem is reported now and at every later sync, until the file is mended."""
    await home.syncer().sync()
    home.write("leave.md", broken)
    for _ in range(2):
        report = await home.syncer().sync()
        assert [problem.document for problem in report.problems if problem.severity == "error"] == ["leave.md"]
        assert counts(report) == (0, 0, 0, 4)
        assert report.version == 1
    home.write("leave.md", LEAVE)
    assert (await home.syncer().sync()).problems == ()


async def test_a_broken_new_file_adds_nothing(home: Home) -> None:
    """There is no last good version to keep."""
    home.write("new.md", "# 가\n")
    report = await home.syncer().sync()
    assert counts(report) == (4, 0, 0, 0)
    assert [problem.document for problem in report.problems] == ["new.md"]


async def test_a_wrong_faq_entry_keeps_its_last_good_answer(home: Home) -> None:
    """The other entries follow the file; an entry that never was good stays out."""
    await home.syncer().sync()
    home.write_faq(faq(1, question=""), faq(2, main_answer="새 답"), faq(3, link="x"))
    report = await home.syncer().sync()
    found = await home.sections()
    assert found["faq:1"].text == "답 1이에요."
    assert found["faq:2"].text == "새 답"
    assert "faq:3" not in found
    assert [problem.severity for problem in report.problems] == ["error", "error"]


async def test_a_broken_faq_file_leaves_all_answers(home: Home) -> None:
    """A missing comma must not empty the FAQ."""
    await home.syncer().sync()
    home.settings.faq_file.write_text('{"faqs": [}')
    assert counts(await home.syncer().sync()) == (0, 0, 0, 4)


async def test_a_missing_source_leaves_its_content(home: Home) -> None:
    """A folder that is not mounted just now, or an FAQ file being replaced, is no deletion."""
    await home.syncer().sync()
    home.settings.faq_file.unlink()
    report = await home.syncer().sync()
    assert counts(report) == (0, 0, 0, 4)
    assert [problem.document for problem in report.problems] == ["faq.json"]
    home.write_faq(faq(1))
    home.folder.rename(home.folder.with_suffix(".away"))
    assert counts(await home.syncer().sync()) == (0, 0, 1, 3)


async def test_no_source_at_all_is_an_error_of_the_settings(home: Home) -> None:
    """And nothing that is stored goes away."""
    await home.syncer().sync()
    home.settings.faq_file.unlink()
    home.folder.rename(home.folder.with_suffix(".away"))
    with pytest.raises(StartupError, match="KNOWLEDGE_DIR"):
        await home.syncer().sync()
    assert len(await home.sections()) == 4


async def test_another_faq_file_replaces_the_first(home: Home) -> None:
    """When FAQ_FILE names another file, the answers of the old one go, also under the same ids."""
    await home.syncer().sync()
    home.settings.faq_file.rename(home.settings.faq_file.with_name("questions.json"))
    home.settings.faq_file = home.settings.faq_file.with_name("questions.json")
    report = await home.syncer().sync()
    assert counts(report) == (2, 0, 2, 2)
    assert (await home.sections())["faq:1"].document == "questions.json"


async def test_vectors_are_made_once_per_section(home: Home, embedder: CountingEmbedder) -> None:
    """As float16 under the content hash, and only for what changed."""
    await home.syncer(embedder).sync()
    assert sorted(embedder.embedded) == ["병가", "연차", "질문 1번은 무엇인가요?", "질문 2번은 무엇인가요?"]
    embedder.embedded.clear()
    home.write("leave.md", LEAVE.replace("15일", "16일"))
    await home.syncer(embedder).sync()
    assert embedder.embedded == ["연차"]
    found, stored = await home.sections(), await home.vectors()
    assert {section.content_hash for section in found.values()} == set(stored)
    expected = np.full((2, 4), len(found[ANNUAL].text), np.float16)
    np.testing.assert_array_equal(stored[found[ANNUAL].content_hash], expected)


async def test_a_new_contact_needs_no_new_vectors(home: Home, embedder: CountingEmbedder) -> None:
    """Words that did not change are not embedded again, so that the change is live at once."""
    await home.syncer(embedder).sync()
    embedder.embedded.clear()
    home.write("leave.md", LEAVE.replace("내선 3100", "내선 3199"))
    report = await home.syncer(embedder).sync()
    assert counts(report) == (0, 2, 0, 2)
    assert embedder.embedded == []
    assert {section.content_hash for section in (await home.sections()).values()} == set(await home.vectors())


async def test_another_model_embeds_everything_anew(home: Home, embedder: CountingEmbedder) -> None:
    """Without a change of content it is a new version, since the index must load the new vectors."""
    await home.syncer(embedder).sync()
    report = await home.syncer(embedder, model="better").sync()
    assert len(embedder.embedded) == 8
    assert counts(report) == (0, 0, 0, 4)
    assert report.version == 2
    assert len(await home.vectors("test")) == len(await home.vectors("better")) == 4


async def test_progress_is_told(home: Home, embedder: CountingEmbedder) -> None:
    """Done and total, the last call complete; nothing when there is nothing to embed."""
    calls: list[tuple[int, int]] = []
    home.write_faq(*(faq(number) for number in range(20)))
    await home.syncer(embedder).sync(lambda done, total: calls.append((done, total)))
    assert calls[-1] == (22, 22)
    assert len(calls) == 3
    await home.syncer(embedder).sync(lambda done, total: calls.append((done, total)))
    assert len(calls) == 3


async def test_an_impatient_sync_brings_content_in_before_its_vectors(home: Home, embedder: CountingEmbedder) -> None:
    """A large change is found by its words at once; a later sync makes the vectors and says so by a new version."""
    job = home.syncer(embedder)
    hurried = await job.sync(patience=0.0)
    assert hurried.added == hurried.unembedded > 0
    assert hurried.unfinished
    assert not hurried.problems
    assert embedder.embedded == []
    patient = await job.sync()
    assert (patient.unembedded, patient.unfinished, patient.version) == (0, False, hurried.version + 1)
