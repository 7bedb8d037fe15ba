"""What a few sections change in the search index, summed up and written in one go."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    SmallInteger,
    Text,
    cast,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from endy.knowledge.postgresql.repository import Vectors, quoted
from endy.knowledge.postgresql.tables import (
    GRAMS,
    NAMES,
    WORDS,
    counts,
    entries,
    gram_lexemes,
    groups,
    nearest,
    word_lexemes,
)
from endy.retrieval.analysed import GRAM_FIELDS, WORD_FIELDS
from endy.retrieval.hangul import is_syllable
from endy.retrieval.packed import PackedSection, WordLists, hash_of
from endy.retrieval.section import Section, named_words

LONGEST_TSVECTOR = 900_000
"""Bytes; PostgreSQL takes a million."""

_LABELS = ("A", "D", "C", "B", "D")
"""Of the searched fields of words: title, generated questions, headings above, keywords, text."""

_LENGTHS = {WORDS: "word_lengths", GRAMS: "gram_lengths"}
_CHANCES = 2**31
_AT_ONCE = 20_000
_SPELLED = range(2, 11)
"""Syllables of a word that a typo may be put right towards."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A section as it will be kept, before it is known where."""

    section: Section
    words: WordLists
    letters: str

    def lexemes(self) -> str:
        """Of its words, each with the label of the best field that holds it."""
        best: dict[str, str] = {}
        for at, tokens in self.words.searched():
            for token in tokens:
                best[token] = min(best.get(token, "D"), _LABELS[at])
        return tsvector(best)

    def grams(self) -> str:
        heading, body = self.words.grams
        return tsvector(dict.fromkeys(body, "D") | dict.fromkeys(heading, "A"))


class Changes:
    """Rows to be added, and by how much the figures of groups and tokens change."""

    def __init__(self) -> None:
        self._rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._groups: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._lengths: dict[tuple[int, str], NDArray[np.int64]] = {}
        self._tokens: Counter[tuple[int, int, int]] = Counter()
        self._texts: dict[int, str] = {}

    def add(self, one: Prepared, number: int, group: int, stamp: str, vectors: Vectors | None) -> None:
        packed = one.words.packed()
        names = sorted(word for word in named_words(one.section) if _spelled(word))
        where = {"number": number, "group_id": group, "category": one.section.category}
        self._rows["entries"].append(where | {
            "section_id": one.section.id,
            "stamp": stamp,
            "content_hash": one.section.content_hash,
            "is_faq": one.section.kind == "faq",
            "embedded": vectors is not None,
            "chance": hash_of(f"{one.section.id} {one.section.content_hash}") % _CHANCES,
            "letters": one.letters,
            "names": names,
            "words": packed,
        })  # fmt: skip
        self._rows["word_lexemes"].append(where | {"lexemes": one.lexemes()})
        self._rows["gram_lexemes"].append(where | {"lexemes": one.grams()})
        if vectors is not None:
            whole, title = vectors[:2].astype(np.float32)
            self._rows["nearest"].append(where | {"whole": whole, "title": title})
        for _, tokens in one.words.searched():
            self._texts.update((hash_of(token), token) for token in tokens if _spelled(token))
        self._texts.update((hash_of(name), name) for name in names)
        self._count(PackedSection.read(packed), group, vectors is not None, names, 1)

    def remove(self, words: PackedSection, group: int, embedded: bool, names: Sequence[str]) -> None:
        self._count(words, group, embedded, names, -1)

    def _count(self, words: PackedSection, group: int, embedded: bool, names: Sequence[str], sign: int) -> None:
        self._groups[group].update(sections=sign, embedded=sign * embedded)
        for kind, (tokens, at), fields in ((WORDS, words.searched, WORD_FIELDS), (GRAMS, words.grams, GRAM_FIELDS)):
            key = (group, _LENGTHS[kind])
            known = self._lengths.get(key, np.zeros(len(fields), np.int64))
            self._lengths[key] = known + sign * np.bincount(at, minlength=len(fields))
            self._tokens.update({(kind, token, group): sign for token in np.unique(tokens).tolist()})
        self._tokens.update({(NAMES, hash_of(name), group): sign for name in names})

    async def store(self, connection: AsyncConnection) -> None:
        """In the transaction that has deleted what is replaced."""
        for table in (entries, word_lexemes, gram_lexemes, nearest):
            rows = self._rows[table.name]
            if rows:
                await connection.execute(insert(table), rows)
        await self._store_groups(connection)
        changed = [(key, change) for key, change in self._tokens.items() if change]
        for start in range(0, len(changed), _AT_ONCE):
            await self._store_counts(connection, changed[start : start + _AT_ONCE])

    async def _store_groups(self, connection: AsyncConnection) -> None:
        for group, change in self._groups.items():
            where = groups.c.id == group
            row = (await connection.execute(select(groups).where(where))).mappings().one()
            values: dict[str, Any] = {name: row[name] + change[name] for name in ("sections", "embedded")}
            for name in ("word_lengths", "gram_lengths"):
                values[name] = (np.array(row[name]) + self._lengths[group, name]).tolist()
            await connection.execute(update(groups).where(where).values(**values))

    async def _store_counts(
        self, connection: AsyncConnection, changed: Sequence[tuple[tuple[int, int, int], int]]
    ) -> None:
        keys = [key for key, _ in changed]
        given = func.unnest(
            _array([kind for kind, *_ in keys], SmallInteger),
            _array([token for _, token, _ in keys], BigInteger),
            _array([group for *_, group in keys], Integer),
            _array([change for _, change in changed], BigInteger),
            _array([self._texts.get(token) if kind != GRAMS else None for kind, token, _ in keys], Text),
        ).table_valued("kind", "token", "group_id", "sections", "word").render_derived()  # fmt: skip
        new = upsert(counts).from_select([column.name for column in given.c], select(*given.c))
        added = {"sections": counts.c.sections + new.excluded.sections}
        await connection.execute(new.on_conflict_do_update(index_elements=list(counts.primary_key), set_=added))


def tsvector(labels: dict[str, str]) -> str:
    """Tokens with their labels as PostgreSQL reads them; of an enormous section the first ones."""
    parts, size = [], 0
    for token, label in labels.items():
        part = f"{quoted(token)}:1{label}"
        size += len(part.encode()) + 8
        if size > LONGEST_TSVECTOR:
            break
        parts.append(part)
    return " ".join(parts)


async def add_group(connection: AsyncConnection, audience: Sequence[str]) -> int:
    """A new group without sections; its number."""
    nothing = {"word_lengths": [0] * len(WORD_FIELDS), "gram_lengths": [0] * len(GRAM_FIELDS)}
    values = {"audience": list(audience), "sections": 0, "embedded": 0, **nothing}
    return int((await connection.execute(insert(groups).values(values).returning(groups.c.id))).scalar_one())


def _spelled(word: str) -> bool:
    return len(word) in _SPELLED and not word.endswith("다") and all(map(is_syllable, word))


def _array(values: Sequence[Any], kind: type[TypeEngine[Any]]) -> ColumnElement[Any]:
    return cast(list(values), ARRAY(kind))
