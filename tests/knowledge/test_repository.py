"""The repository: what goes in comes out the same."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np

from endy.knowledge import repository
from endy.knowledge.problems import Problem
from endy.knowledge.repository import StoredDocument
from endy.retrieval.section import Section
from endy.storage.transaction import reading, transaction
from tests.knowledge.conftest import Home

DOCUMENT = StoredDocument(
    "a.md", "문서", "hash", "warning", (Problem("a.md", "고쳐 주세요", 3), Problem("a.md", "끊겼어요", None, "error")),
    datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
)  # fmt: skip
SECTION = Section(
    id="a.md#가 > 나", kind="section", document="a.md", document_title="문서", heading_path=("가", "나"), title="나",
    text="글\n둘째 줄", category="HR", department="P&C팀", contact="내선 3100", link="https://on.encar.example/x",
    keywords=("낱말", "단어"), audience=frozenset({"재무팀", "admin"}), effective_from=date(2026, 1, 1),
    review_by=date(2027, 1, 1), updated_at="2026-03-01", content_hash="abc",
)  # fmt: skip


async def put(home: Home, *sections: Section) -> None:
    async with transaction(home.engine) as connection:
        await repository.put_document(connection, DOCUMENT)
        await repository.replace_sections(connection, "a.md", sections)


async def test_sections_and_documents_survive_the_round_trip(home: Home) -> None:
    """Every field of a section and of a document, in the order given."""
    second = replace(SECTION, id="a.md#가 > 다", effective_from=None, keywords=(), content_hash="def")
    await put(home, second, SECTION)
    async with reading(home.engine) as connection:
        assert await repository.load_sections(connection) == (0, [second, SECTION])
        assert await repository.stored_documents(connection) == {"a.md": DOCUMENT}


async def test_deleting_a_document_takes_its_sections(home: Home) -> None:
    """No section stays without its document."""
    await put(home, SECTION)
    async with transaction(home.engine) as connection:
        await repository.delete_documents(connection, ["a.md"])
    assert await home.sections() == {}


async def test_vectors_are_kept_per_model(home: Home) -> None:
    """Float16 matrices of any height come back as they were, for their own model only."""
    tall, flat = np.arange(12, dtype=np.float16).reshape(3, 4), np.ones((1, 4), np.float16)
    async with transaction(home.engine) as connection:
        await repository.put_embeddings(connection, "one", {"abc": flat, "def": flat})
        await repository.put_embeddings(connection, "one", {"abc": tall})
        await repository.put_embeddings(connection, "two", {"abc": flat})
    found = await home.vectors("one")
    assert found["abc"].dtype == np.float16
    np.testing.assert_array_equal(found["abc"], tall)
    np.testing.assert_array_equal(found["def"], flat)
    async with reading(home.engine) as connection:
        assert set(await repository.get_embeddings(connection, "two", ["abc", "def"])) == {"abc"}
        assert await repository.embedded_hashes(connection, "two") == {"abc"}


async def test_many_rows_go_in_and_out(home: Home) -> None:
    """More than one IN list's worth."""
    many = [replace(SECTION, id=f"a.md#{number}", content_hash=f"{number}") for number in range(1200)]
    await put(home, *many)
    vectors = {section.content_hash: np.ones((2, 4), np.float16) for section in many}
    async with transaction(home.engine) as connection:
        await repository.put_embeddings(connection, "one", vectors)
        await repository.delete_orphaned_embeddings(connection)
    assert len(await home.vectors("one")) == 1200
    async with reading(home.engine) as connection:
        assert await repository.sections_without_vectors(connection, "one") == []
        assert len(await repository.sections_without_vectors(connection, "two")) == 1200


async def test_the_version_rises_by_one(home: Home) -> None:
    """From 0 before any content."""
    assert await repository.knowledge_version(home.engine) == 0
    for expected in (1, 2, 3):
        async with transaction(home.engine) as connection:
            assert await repository.bump_version(connection) == expected
    assert await repository.knowledge_version(home.engine) == 3
