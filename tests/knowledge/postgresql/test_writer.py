"""The search index follows the knowledge, whatever happens to whoever writes it."""

import asyncio
from dataclasses import replace

import pytest

from endy.errors import StartupError
from endy.knowledge.postgresql import writer as module
from endy.knowledge.postgresql.tables import LAYOUT, schema_name
from tests.knowledge.postgresql.conftest import Stored, hashed
from tests.retrieval.conftest import SECTIONS, section
from tests.retrieval.made import MadeEmbedder, made_sections, vectors_of

FIGURES = (
    "SELECT kind, token, sum(sections) FROM search.counts GROUP BY kind, token HAVING sum(sections) <> 0 ORDER BY 1, 2",
    "SELECT audience, sections, embedded, word_lengths, gram_lengths FROM search.groups WHERE sections > 0 ORDER BY 1",
    "SELECT section_id, stamp, category, is_faq, chance, letters, words FROM search.entries ORDER BY 1",
)


def figures(stored: Stored) -> list[object]:
    return [stored.execute(query) for query in FIGURES]


async def test_changes_leave_what_a_fresh_index_has(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """Added, changed and removed in small steps: every figure is that of an index made at once."""
    monkeypatch.setattr(module, "BATCH", 7)
    first = hashed(made_sections()[:40])
    await stored.put(first)
    await stored.writer.bring_up()
    changed = [replace(one, text=f"{one.text} 새 문장이에요.") if n % 3 else one for n, one in enumerate(first[:30])]
    await stored.put(hashed([*changed, section("새 내용", "어제는 없었어요.")]))
    searcher = await stored.open()
    followed = figures(stored)
    assert searcher.search("어제는 없었어요").hits[0].section.title == "새 내용"
    stored.execute("DROP SCHEMA search CASCADE")
    await stored.writer.bring_up()
    assert figures(stored) == followed


async def test_vectors_that_come_later_are_taken_in(stored: Stored) -> None:
    """A section is found by its words at once, and by its vectors as soon as it has any."""
    stored.embedder = MadeEmbedder()
    sections = hashed(SECTIONS)
    await stored.put(sections)
    assert (await stored.open()).search(sections[0].text).evidence.dense is None  # type: ignore[union-attr]
    await stored.put(sections, vectors_of(sections))
    searcher = await stored.open()
    assert searcher.search(sections[0].text).evidence.dense is not None  # type: ignore[union-attr]
    assert searcher.search(sections[0].text).hits[0].section.id == sections[0].id


async def test_a_writer_that_is_cancelled_is_gone_on_with(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sees half an index, and what was written is not written again."""
    monkeypatch.setattr(module, "BATCH", 5)
    await stored.put(hashed(made_sections()[:60]))
    writing = asyncio.create_task(stored.writer.bring_up())
    while not writing.done() and not _written(stored):  # noqa: ASYNC110  another connection sees it
        await asyncio.sleep(0.01)
    writing.cancel()
    await asyncio.wait((writing,))
    before = _written(stored)
    assert 0 < before < 60
    assert stored.execute("SELECT version FROM search.state") == [(-1,)]
    await stored.writer.bring_up()
    assert _written(stored) == 60
    followed = figures(stored)
    stored.execute("DROP SCHEMA search CASCADE")
    await stored.writer.bring_up()
    assert figures(stored) == followed


async def test_of_several_writers_one_writes(stored: Stored) -> None:
    """They wait for each other, and all come to the same version."""
    await stored.put(hashed(made_sections()[:50]))
    assert await asyncio.gather(*(stored.writer.bring_up() for _ in range(4))) == [1] * 4
    assert _written(stored) == 50
    assert stored.execute("SELECT sum(sections) FROM search.groups") == [(50,)]


AWKWARD = {
    "quotes": "그건 '따옴표'와 \\ 역빗금, a'b & c | !d:*A 이에요.",
    "enormous": " ".join(f"낱말{number}번" for number in range(60_000)),
    "emoji": "\U0001f600 웃어요 \U00020000",
    "empty": "",
}


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD)
async def test_any_text_can_be_indexed_and_asked(stored: Stored, text: str) -> None:
    """What PostgreSQL reads as signs, a text beyond its limits, and no text at all."""
    await stored.put(hashed([section("별난 글", text), *SECTIONS]))
    searcher = await stored.open()
    assert searcher.search("별난 글").hits[0].section.title == "별난 글"
    searcher.search(text[:500])


async def test_another_reading_of_words_makes_an_index_beside(stored: Stored) -> None:
    """A release that reads words differently leaves the former one its index, until nobody has used that for a day."""
    await stored.put(hashed(SECTIONS))
    old = await stored.open()
    stored.embedder = MadeEmbedder()
    new = await stored.open()
    assert new.store is not old.store
    assert old.search("법인카드 분실").hits
    stored.execute("DROP SCHEMA search CASCADE")
    stored.embedder = None
    stored.execute("UPDATE search.state SET used_at = now() - interval '2 days'")
    stored.embedder = MadeEmbedder()
    await stored.open()
    stored.embedder = None
    assert stored.execute("SELECT to_regclass('search.state') IS NULL") == [(True,)]


def test_the_name_says_what_it_was_made_with() -> None:
    """Another model, another size of vectors or other words of the company: another index."""
    names = {
        schema_name("", 0, frozenset()),
        schema_name("a", 384, frozenset()),
        schema_name("a", 768, frozenset()),
        schema_name("a", 384, frozenset({"헬프온"})),
    }
    assert len(names) == 4
    assert LAYOUT >= 1


async def test_without_the_right_to_it_the_start_says_what_to_do(stored: Stored) -> None:
    """One line that names extensions and rights."""
    await stored.put(hashed(SECTIONS))
    stored.execute("CREATE SCHEMA search")
    with pytest.raises(StartupError, match="pgvector"):
        await stored.writer.bring_up()


def _written(stored: Stored) -> int:
    there = stored.execute("SELECT to_regclass('search.entries') IS NOT NULL") == [(True,)]
    return int(str(stored.execute("SELECT count(*) FROM search.entries")[0][0])) if there else 0
