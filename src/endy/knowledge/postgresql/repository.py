"""All SQL that a search in PostgreSQL asks, from a thread of its own."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Float,
    Integer,
    Select,
    Table,
    and_,
    case,
    cast,
    func,
    not_,
    or_,
    select,
    true,
    union,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from endy.knowledge.postgresql.tables import PLACE, counts, entries, gram_lexemes, groups, nearest, state, word_lexemes
from endy.knowledge.repository import SECTION_COLUMNS, questions_model, to_section
from endy.retrieval.section import EVERYONE, Section
from endy.storage.tables import embeddings, sections
from endy.storage.transaction import reading_here

LONGEST = 500
"""Characters of a token that count; PostgreSQL takes 2,046 bytes."""

Vectors = NDArray[np.float16]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Group:
    """Sections for the same audience, and figures about them."""

    id: int
    audience: frozenset[str]
    sections: int
    embedded: int
    word_lengths: tuple[int, ...]
    gram_lengths: tuple[int, ...]

    def visible_to(self, audiences: frozenset[str]) -> bool:
        return EVERYONE in self.audience or bool(self.audience & audiences)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is searched: groups, or None for all there are, and of these one category, or None for all."""

    groups: tuple[int, ...] | None
    category: str | None = None

    def of(self, table: Table) -> ColumnElement[bool]:
        """The condition that a row of the table is seen."""
        wanted: list[ColumnElement[bool]] = [true()]
        if self.groups is not None:
            wanted.append(table.c.group_id == func.any(_numbers(self.groups, Integer)))
        if self.category is not None:
            wanted.append(table.c.category == self.category)
        return and_(*wanted)


Question = Callable[[Connection, Seen], T]
"""What can be asked about what somebody may see."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Some sections by tokens: those that hold any of `rare`, or all of `common`, by the summed worth of `tokens`."""

    rare: tuple[str, ...]
    common: tuple[str, ...]
    tokens: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A section as it is kept for searching."""

    number: int
    is_faq: bool
    words: bytes
    vectors: Vectors | None


class SearchStore:
    """The search index of one schema; `model` is the embedder's name, empty without one."""

    def __init__(self, engine: Engine, schema: str, model: str) -> None:
        self._engine = engine.execution_options(schema_translate_map={PLACE: schema})
        self.model = model

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One view of everything. Raises ServiceUnavailable when the database is away."""
        with reading_here(self._engine) as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()


def version(connection: Connection) -> int:
    """The knowledge version that the index holds, 0 before the first."""
    return int(connection.execute(select(state.c.version)).scalar_one_or_none() or 0)


def every_group(connection: Connection) -> list[Group]:
    rows = connection.execute(select(groups).where(groups.c.sections > 0).order_by(groups.c.id)).mappings()
    return [
        Group(
            row["id"],
            frozenset(row["audience"]),
            row["sections"],
            row["embedded"],
            tuple(row["word_lengths"]),
            tuple(row["gram_lengths"]),
        )
        for row in rows
    ]


def sections_by_category(connection: Connection, seen: Seen) -> dict[str, int]:
    """How many sections each category has, the largest first."""
    many = func.count()
    query = select(entries.c.category, many).where(seen.of(entries)).group_by(entries.c.category)
    return {
        name: int(count) for name, count in connection.execute(query.order_by(many.desc(), func.min(entries.c.number)))
    }


def count_tokens(connection: Connection, kind: int, tokens: Collection[int], seen: Seen) -> dict[int, int]:
    """How many seen sections hold each token; those that none holds are left out."""
    if not tokens:
        return {}
    query = select(counts.c.token, func.sum(counts.c.sections)).where(
        counts.c.kind == kind, counts.c.token == func.any(_numbers(tokens)), _counted(seen)
    )
    found = connection.execute(query.group_by(counts.c.token))
    return {token: int(count) for token, count in found if count}


def commonest_words(connection: Connection, most: int, seen: Seen) -> list[str]:
    """The words that most sections hold, of those that typos may be put right towards."""
    many = func.sum(counts.c.sections)
    query = select(counts.c.word).where(counts.c.word.is_not(None), _counted(seen)).group_by(counts.c.word)
    return list(connection.execute(query.having(many > 0).order_by(many.desc(), counts.c.word).limit(most)).scalars())


def numbers_of(connection: Connection, seen: Seen, most: int, *, by_chance: bool = False) -> list[int]:
    """Some sections, in their order or in none."""
    order = (entries.c.chance, entries.c.number) if by_chance else (entries.c.number,)
    return list(
        connection.execute(select(entries.c.number).where(seen.of(entries)).order_by(*order).limit(most)).scalars()
    )


def candidates(connection: Connection, asks: Sequence[Select[tuple[int]]]) -> list[int]:
    """What any of the asks finds, ascending, where its content is still what was indexed."""
    if not asks:
        return []
    found = connection.execute(union(*(select(ask.subquery().c.number) for ask in asks))).scalars()
    return current_numbers(connection, found.all())


def current_numbers(connection: Connection, numbers: Collection[int]) -> list[int]:
    """Of these sections, ascending, those whose content is still what was indexed; what changed waits for its turn."""
    query = select(entries.c.number).select_from(_current()).where(entries.c.number == func.any(_numbers(numbers)))
    return sorted(connection.execute(query).scalars())


def matching_words(seen: Seen, match: Matching, touched: int, most: int) -> Select[tuple[int]]:
    """The best sections by their words; at most `touched` of those that match are looked at."""
    some = _some(word_lexemes, word_lexemes.c.lexemes, seen, match, touched)
    given = _given(match)
    named = case((some.c.lexemes.op("@@")(given.c.named), 1.5), else_=1.0)
    worth = select(func.sum(given.c.worth * named)).where(some.c.lexemes.op("@@")(given.c.held)).scalar_subquery()
    return select(some.c.number).order_by(worth.desc(), some.c.number).limit(most)


def matching_grams(seen: Seen, match: Matching, touched: int, most: int) -> Select[tuple[int]]:
    """The same by character pairs."""
    # What `strip` returns is unpacked once, and not for every pair that is looked for in it.
    some = _some(gram_lexemes, func.strip(gram_lexemes.c.lexemes), seen, match, touched)
    given = _given(match)
    worth = select(func.sum(given.c.worth)).where(some.c.lexemes.op("@@")(given.c.held)).scalar_subquery()
    return select(some.c.number).order_by(worth.desc(), some.c.number).limit(most)


def nearest_to(vector: NDArray[np.float32], column: str, seen: Seen, most: int) -> Select[tuple[int]]:
    """The sections whose `whole` or `title` is nearest to a vector, approximately."""
    distance = nearest.c[column].cosine_distance(vector)
    return select(nearest.c.number).where(seen.of(nearest)).order_by(distance).limit(most)


def load_entries(connection: Connection, numbers: Collection[int], model: str) -> dict[int, Entry]:
    """What searches need of these sections, with the vectors of their generated questions at the end."""
    if not numbers:
        return {}
    own, asked = embeddings.alias(), embeddings.alias()
    joined = entries.outerjoin(own, and_(own.c.content_hash == entries.c.content_hash, own.c.model == model)).outerjoin(
        asked, and_(asked.c.content_hash == entries.c.content_hash, asked.c.model == questions_model(model))
    )
    query = select(
        entries.c.number,
        entries.c.is_faq,
        entries.c.words,
        own.c.vectors,
        own.c.dimensions,
        asked.c.vectors.label("more"),
    )
    rows = connection.execute(query.select_from(joined).where(entries.c.number == func.any(_numbers(numbers))))
    return {
        row.number: Entry(row.number, row.is_faq, row.words, _matrix(row.vectors, row.more, row.dimensions))
        for row in rows
    }


def load_contents(connection: Connection, numbers: Collection[int]) -> dict[int, Section]:
    """The content of these sections, where it is still what was indexed."""
    if not numbers:
        return {}
    query = select(entries.c.number, *SECTION_COLUMNS).select_from(_current())
    rows = connection.execute(query.where(entries.c.number == func.any(_numbers(numbers)))).mappings()
    return {row["number"]: to_section({name: row[name] for name in row if name != "number"}) for row in rows}


def first_contents(connection: Connection, seen: Seen, *, category: str, most: int) -> list[Section]:
    """Sections of a category, FAQs first."""
    seen = replace(seen, category=category)
    return _contents(connection, _content().where(seen.of(entries)).order_by(entries.c.is_faq.desc()), most)


def faq_contents(connection: Connection, seen: Seen, *, category: str | None) -> list[Section]:
    seen = replace(seen, category=category)
    return _contents(connection, _content().where(seen.of(entries), entries.c.is_faq))


def content_of(connection: Connection, seen: Seen, *, section_id: str) -> Section | None:
    found = _contents(connection, _content().where(seen.of(entries), entries.c.section_id == section_id))
    return found[0] if found else None


def contents_with_letters(connection: Connection, seen: Seen, *, ways: Collection[str], most: int) -> list[Section]:
    """Sections that begin with any of these letters, then those that hold them."""
    letters = entries.c.letters
    begin = or_(*(letters.startswith(way, autoescape=True) for way in ways))
    hold = or_(*(letters.contains(way, autoescape=True) for way in ways))
    if not ways:
        return []
    first = _contents(connection, _content().where(seen.of(entries), begin), most)
    return first + _contents(connection, _content().where(seen.of(entries), hold, not_(begin)), most)


def _content() -> Select[Any]:
    return select(*SECTION_COLUMNS).select_from(_current())


def _contents(connection: Connection, query: Select[Any], most: int | None = None) -> list[Section]:
    rows = connection.execute(query.order_by(entries.c.number).limit(most)).mappings()
    return [to_section(dict(row)) for row in rows]


def _current() -> Any:
    same = and_(sections.c.id == entries.c.section_id, sections.c.content_hash == entries.c.content_hash)
    return entries.join(sections, same)


def _counted(seen: Seen) -> ColumnElement[bool]:
    return true() if seen.groups is None else counts.c.group_id == func.any(_numbers(seen.groups, Integer))


def _numbers(values: Collection[int], kind: type[BigInteger | Integer] = BigInteger) -> ColumnElement[Any]:
    return cast(list(values), ARRAY(kind))


def _some(table: Table, lexemes: ColumnElement[Any], seen: Seen, match: Matching, touched: int) -> Any:
    """The first rows that match, with their lexemes."""
    ways = [quoted(token) for token in match.rare]
    if match.common:
        ways.append(f"({' & '.join(map(quoted, match.common))})")
    matches = table.c.lexemes.op("@@")(cast(" | ".join(ways), TSQUERY))
    return select(table.c.number, lexemes.label("lexemes")).where(matches, seen.of(table)).limit(touched).subquery()


def _given(match: Matching) -> Any:
    """A row per token: it, it in a title or keyword, and its worth."""
    tokens = [quoted(token) for token, _ in match.tokens]
    held, named = cast(tokens, ARRAY(TSQUERY)), cast([f"{token}:AB" for token in tokens], ARRAY(TSQUERY))
    worth = cast([worth for _, worth in match.tokens], ARRAY(Float))
    return func.unnest(held, named, worth).table_valued("held", "named", "worth").render_derived()


def quoted(token: str) -> str:
    """A token as PostgreSQL reads it in a tsvector or tsquery."""
    escaped = token[:LONGEST].replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _matrix(own: bytes | None, more: bytes | None, dimensions: int | None) -> Vectors | None:
    if own is None or not dimensions:
        return None
    return np.frombuffer(bytes(own) + bytes(more or b""), "<f2").reshape(-1, dimensions)
