"""All SQL about knowledge: documents, sections, their vectors and the version that replicas follow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from endy.knowledge.problems import Problem
from endy.retrieval.section import Section
from endy.storage.notices import announce
from endy.storage.tables import documents, embeddings, generated_questions, knowledge_state, sections
from endy.storage.transaction import reading

Vectors = NDArray[np.float16]

_CHUNK = 500
"""Values per IN list; SQLite and PostgreSQL both take more."""

SECTION_COLUMNS = [column for column in sections.c if column.name != "position"]


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """`status` is `ok`, `warning` or `error`; with `error` the sections may be older than the file."""

    name: str
    title: str
    content_hash: str
    status: str
    problems: tuple[Problem, ...]
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class GeneratedQuestions:
    """What a model wrote for one content; `rejected` holds {"question", "reason"}."""

    content_hash: str
    kept: list[str]
    rejected: list[dict[str, str]]
    model: str
    prompt_version: int
    tokens_in: int
    tokens_out: int
    cost_krw: float
    created_at: datetime


async def load_sections(connection: AsyncConnection) -> tuple[int, list[Section]]:
    """The knowledge version and all its sections."""
    query = select(*SECTION_COLUMNS).order_by(sections.c.document, sections.c.position)
    rows = (await connection.execute(query)).mappings()
    questions = await kept_questions(connection)
    found = [replace(section, questions=questions.get(section.content_hash, ())) for section in map(to_section, rows)]
    return await current_version(connection), found


async def load_embeddings(connection: AsyncConnection, model: str) -> dict[str, Vectors]:
    """The model's matrices (pieces, dimensions) by content hash, those of generated questions at their end."""
    query = select(embeddings).where(embeddings.c.model.in_((model, questions_model(model))))
    # A model's own name sorts before the name for its questions.
    rows = (await connection.execute(query.order_by(embeddings.c.model))).mappings()
    found: dict[str, Vectors] = {}
    for row in rows:
        key, matrix = _to_vectors(row)
        if row["model"] == model:
            found[key] = matrix
        elif key in found:
            found[key] = np.vstack([found[key], matrix])
    return found


def questions_model(model: str) -> str:
    """Under which name the vectors of generated questions are kept."""
    return f"{model}/questions"


async def kept_questions(connection: AsyncConnection) -> dict[str, tuple[str, ...]]:
    """The questions that a model has written and that were kept, by content hash."""
    query = select(generated_questions.c.content_hash, generated_questions.c.kept)
    return {row.content_hash: tuple(row.kept) for row in await connection.execute(query) if row.kept}


async def generated(connection: AsyncConnection) -> dict[str, GeneratedQuestions]:
    """Everything that was written for sections, by content hash."""
    rows = (await connection.execute(select(generated_questions))).mappings()
    return {row["content_hash"]: GeneratedQuestions(**row) for row in rows}


async def put_generated(connection: AsyncConnection, row: GeneratedQuestions) -> None:
    """Insert or replace what was written for one content."""
    where = generated_questions.c.content_hash == row.content_hash
    await connection.execute(delete(generated_questions).where(where))
    await connection.execute(insert(generated_questions).values(**asdict(row)))


async def delete_orphaned_questions(connection: AsyncConnection) -> None:
    """What was written for content that is gone."""
    used = select(sections.c.content_hash)
    await connection.execute(delete(generated_questions).where(generated_questions.c.content_hash.not_in(used)))


async def knowledge_version(engine: AsyncEngine) -> int:
    async with reading(engine) as connection:
        return await current_version(connection)


async def unreadable_documents(engine: AsyncEngine) -> int:
    """How many documents could not be read as they are now."""
    async with reading(engine) as connection:
        query = select(func.count()).select_from(documents).where(documents.c.status == "error")
        return int((await connection.execute(query)).scalar_one())


async def list_documents(engine: AsyncEngine) -> dict[str, StoredDocument]:
    async with reading(engine) as connection:
        return await stored_documents(connection)


async def bump_version(connection: AsyncConnection) -> int:
    """Make the content of this transaction the next version."""
    version = await current_version(connection) + 1
    values = {"version": version, "updated_at": datetime.now(UTC)}
    if version == 1:
        await connection.execute(insert(knowledge_state).values(id=1, **values))
    else:
        await connection.execute(update(knowledge_state).where(knowledge_state.c.id == 1).values(**values))
    await announce(connection, version)
    return version


async def stored_documents(connection: AsyncConnection) -> dict[str, StoredDocument]:
    rows = (await connection.execute(select(documents))).mappings()
    return {row["name"]: _to_document(row) for row in rows}


async def put_document(connection: AsyncConnection, document: StoredDocument) -> None:
    """Insert or replace the row; the document's sections are untouched."""
    values = {
        "title": document.title,
        "content_hash": document.content_hash,
        "status": document.status,
        "problems": [_from_problem(problem) for problem in document.problems],
        "modified_at": document.modified_at,
        "synced_at": datetime.now(UTC),
    }
    done = await connection.execute(update(documents).where(documents.c.name == document.name).values(**values))
    if done.rowcount == 0:
        await connection.execute(insert(documents).values(name=document.name, **values))


async def delete_documents(connection: AsyncConnection, names: Iterable[str]) -> None:
    """Their sections go with them."""
    for some in _chunks(names):
        await connection.execute(delete(documents).where(documents.c.name.in_(some)))


async def sections_of(connection: AsyncConnection, names: Iterable[str]) -> dict[str, list[Section]]:
    """The stored sections of these documents, in order."""
    found: dict[str, list[Section]] = {}
    for some in _chunks(names):
        query = select(*SECTION_COLUMNS).where(sections.c.document.in_(some)).order_by(sections.c.position)
        for row in (await connection.execute(query)).mappings():
            found.setdefault(row["document"], []).append(to_section(row))
    return found


async def section_counts(connection: AsyncConnection) -> dict[str, int]:
    """How many sections each document has."""
    query = select(sections.c.document, func.count()).group_by(sections.c.document)
    return {name: int(count) for name, count in await connection.execute(query)}


async def sections_with_ids(connection: AsyncConnection, ids: Iterable[str]) -> list[Section]:
    """These sections with their kept questions, in the order of the ids; those that are gone are left out."""
    wanted = list(ids)
    found: dict[str, Section] = {}
    joined = sections.outerjoin(generated_questions, generated_questions.c.content_hash == sections.c.content_hash)
    for some in _chunks(wanted):
        query = select(*SECTION_COLUMNS, generated_questions.c.kept).select_from(joined).where(sections.c.id.in_(some))
        for row in (await connection.execute(query)).mappings():
            values = {name: row[name] for name in row if name != "kept"}
            found[row["id"]] = replace(to_section(values), questions=tuple(row["kept"] or ()))
    return [found[wanted_id] for wanted_id in wanted if wanted_id in found]


async def replace_sections(connection: AsyncConnection, document: str, new: Sequence[Section]) -> None:
    await connection.execute(delete(sections).where(sections.c.document == document))
    if new:
        await connection.execute(insert(sections), [_from_section(section, at) for at, section in enumerate(new)])


async def sections_without_vectors(connection: AsyncConnection, model: str) -> list[Section]:
    has = select(embeddings.c.content_hash).where(
        embeddings.c.model == model, embeddings.c.content_hash == sections.c.content_hash
    )
    query = select(*SECTION_COLUMNS).where(~has.exists()).order_by(sections.c.document, sections.c.position)
    return [to_section(row) for row in (await connection.execute(query)).mappings()]


async def embedded_hashes(connection: AsyncConnection, model: str) -> set[str]:
    query = select(embeddings.c.content_hash).where(embeddings.c.model == model)
    return set((await connection.execute(query)).scalars())


async def get_embeddings(connection: AsyncConnection, model: str, hashes: Iterable[str]) -> dict[str, Vectors]:
    found: dict[str, Vectors] = {}
    for some in _chunks(hashes):
        query = select(embeddings).where(embeddings.c.model == model, embeddings.c.content_hash.in_(some))
        found.update(_to_vectors(row) for row in (await connection.execute(query)).mappings())
    return found


async def put_embeddings(connection: AsyncConnection, model: str, vectors: Mapping[str, Vectors]) -> None:
    """Store or replace the matrices by content hash."""
    for some in _chunks(vectors):
        where = (embeddings.c.model == model, embeddings.c.content_hash.in_(some))
        await connection.execute(delete(embeddings).where(*where))
        await connection.execute(insert(embeddings), [_from_vectors(model, key, vectors[key]) for key in some])


async def delete_orphaned_embeddings(connection: AsyncConnection) -> None:
    """Vectors of content that is gone."""
    used = select(sections.c.content_hash)
    await connection.execute(delete(embeddings).where(embeddings.c.content_hash.not_in(used)))


async def current_version(connection: AsyncConnection) -> int:
    """0 before the first content."""
    query = select(knowledge_state.c.version).where(knowledge_state.c.id == 1)
    return int((await connection.execute(query)).scalar_one_or_none() or 0)


def _chunks(values: Iterable[str]) -> Iterable[list[str]]:
    every = list(values)
    return (every[start : start + _CHUNK] for start in range(0, len(every), _CHUNK))


def to_section(row: RowMapping | dict[str, Any]) -> Section:
    """A section from its SECTION_COLUMNS."""
    values: dict[str, Any] = dict(row)
    values["heading_path"] = tuple(values["heading_path"])
    values["keywords"] = tuple(values["keywords"])
    values["audience"] = frozenset(values["audience"])
    return Section(**values)


def _from_section(section: Section, position: int) -> dict[str, Any]:
    values = {column.name: getattr(section, column.name) for column in SECTION_COLUMNS}
    values["heading_path"] = list(section.heading_path)
    values["keywords"] = list(section.keywords)
    values["audience"] = sorted(section.audience)
    return values | {"position": position}


def _to_document(row: RowMapping) -> StoredDocument:
    problems = tuple(Problem(document=row["name"], **problem) for problem in row["problems"])
    modified = row["modified_at"].replace(tzinfo=UTC)
    return StoredDocument(row["name"], row["title"], row["content_hash"], row["status"], problems, modified)


def _from_problem(problem: Problem) -> dict[str, Any]:
    return {"line": problem.line, "message": problem.message, "severity": problem.severity}


def _to_vectors(row: RowMapping) -> tuple[str, Vectors]:
    return row["content_hash"], np.frombuffer(row["vectors"], "<f2").reshape(-1, row["dimensions"])


def _from_vectors(model: str, content_hash: str, vectors: Vectors) -> dict[str, Any]:
    blob = np.ascontiguousarray(vectors, "<f2").tobytes()
    return {"content_hash": content_hash, "model": model, "dimensions": vectors.shape[1], "vectors": blob}
