"""The tables of the search index: derived from the knowledge, outside migrations, backups and moves.

They lie in a schema of their own, named by everything that they were made with (`schema_name`): a release that reads
words differently makes another one beside it, and the replicas of the former release go on with theirs.
"""

import hashlib
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

from endy.retrieval import analysed, analysis, hangul, packed, passages
from endy.retrieval.packed import FORMAT

PREFIX = "endy_search_"
PLACE = "search"
"""What stands for the schema's name in these tables; see `named`."""

LAYOUT = 1
"""Rises with every change of these tables."""

WORDS, GRAMS, NAMES = range(3)
"""Kinds of tokens that are counted."""

NOTHING = -1

metadata = MetaData(schema=PLACE)

state = Table(
    "state",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    # The knowledge version that is wholly in the index; NOTHING while it is being filled for the first time.
    Column("version", BigInteger, nullable=False),
    Column("used_at", DateTime(timezone=True), nullable=False),
)

# Sections for the same audience: what somebody may see is a sum of groups, also for every figure.
groups = Table(
    "groups",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("audience", ARRAY(Text), nullable=False, unique=True),
    Column("sections", BigInteger, nullable=False),
    Column("embedded", BigInteger, nullable=False),
    # Summed lengths of the searched fields.
    Column("word_lengths", ARRAY(BigInteger), nullable=False),
    Column("gram_lengths", ARRAY(BigInteger), nullable=False),
)

entries = Table(
    "entries",
    metadata,
    Column("number", BigInteger, Identity(), primary_key=True),
    Column("section_id", String(1000), nullable=False, unique=True),
    # Of everything that the entry was made from.
    Column("stamp", String(64), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("group_id", Integer, nullable=False),
    Column("category", String(200), nullable=False),
    Column("is_faq", Boolean, nullable=False),
    Column("embedded", Boolean, nullable=False),
    # Without order, the same in every index: the first ones are a random sample.
    Column("chance", Integer, nullable=False),
    # What somebody who types is helped by, in letters; see `ask.catalog`.
    Column("letters", Text, nullable=False),
    # Words of headings and keywords as they are written, which typos may be put right towards.
    Column("names", ARRAY(Text), nullable=False),
    # See `retrieval.packed`.
    Column("words", LargeBinary, nullable=False),
)

# Our morphemes: A in the title, B in keywords, C in headings above, D in the text.
word_lexemes = Table(
    "word_lexemes",
    metadata,
    Column("number", BigInteger, ForeignKey(entries.c.number, ondelete="CASCADE"), primary_key=True),
    Column("group_id", Integer, nullable=False),
    Column("category", String(200), nullable=False),
    Column("lexemes", TSVECTOR, nullable=False),
)

# Character pairs: A in headings, D in the text.
gram_lexemes = Table(
    "gram_lexemes",
    metadata,
    Column("number", BigInteger, ForeignKey(entries.c.number, ondelete="CASCADE"), primary_key=True),
    Column("group_id", Integer, nullable=False),
    Column("category", String(200), nullable=False),
    Column("lexemes", TSVECTOR, nullable=False),
)

nearest = Table(
    "nearest",
    metadata,
    Column("number", BigInteger, ForeignKey(entries.c.number, ondelete="CASCADE"), primary_key=True),
    Column("group_id", Integer, nullable=False),
    Column("category", String(200), nullable=False),
    Column("whole", HALFVEC, nullable=False),
    Column("title", HALFVEC, nullable=False),
)

counts = Table(
    "counts",
    metadata,
    Column("kind", SmallInteger, primary_key=True),
    Column("token", BigInteger, primary_key=True, autoincrement=False),
    Column("group_id", Integer, primary_key=True, autoincrement=False),
    Column("sections", BigInteger, nullable=False),
    # Of words that typos may be put right towards.
    Column("word", Text),
)


_TABLES = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE SCHEMA {schema}
"""

_STORAGE = """
ALTER TABLE {schema}.word_lexemes ALTER lexemes SET STORAGE MAIN;
ALTER TABLE {schema}.gram_lexemes ALTER lexemes SET STORAGE MAIN
"""
"""What every search reads of many rows lies in them."""

_INDEXES = """
CREATE INDEX ix_word_lexemes ON {schema}.word_lexemes USING gin (lexemes);
CREATE INDEX ix_gram_lexemes ON {schema}.gram_lexemes USING gin (lexemes);
CREATE INDEX ix_entries_chance ON {schema}.entries (chance);
CREATE INDEX ix_entries_group_id_category ON {schema}.entries (group_id, category);
CREATE INDEX ix_entries_letters ON {schema}.entries USING gin (letters gin_trgm_ops);
CREATE INDEX ix_counts_sections ON {schema}.counts (sections) WHERE word IS NOT NULL
"""

_VECTOR_INDEXES = """
ALTER TABLE {schema}.nearest ALTER whole TYPE halfvec({dimensions}), ALTER title TYPE halfvec({dimensions});
CREATE INDEX ix_nearest_whole ON {schema}.nearest USING hnsw (whole halfvec_cosine_ops);
CREATE INDEX ix_nearest_title ON {schema}.nearest USING hnsw (title halfvec_cosine_ops)
"""


def before_tables(schema: str) -> list[str]:
    """Statements that make room for the tables."""
    return _statements(_TABLES, schema, 0)


def after_tables(schema: str) -> list[str]:
    """Statements about the tables once they are there."""
    return _statements(_STORAGE, schema, 0)


def indexes(schema: str, dimensions: int) -> list[str]:
    """Statements for what searches need, run after the first filling: keeping it up meanwhile is many times slower."""
    return _statements(_INDEXES + (f";{_VECTOR_INDEXES}" if dimensions else ""), schema, dimensions)


def schema_name(model: str, dimensions: int, whole_words: frozenset[str]) -> str:
    """Of the index of this reading of words; `model` is the embedder's name, empty without one."""
    made_with = (str(LAYOUT), str(FORMAT), model, str(dimensions), _reading(), *sorted(whole_words))
    return PREFIX + hashlib.sha256("\n".join(made_with).encode()).hexdigest()[:12]


@lru_cache
def _reading() -> str:
    """Of the code that makes words of texts."""
    digest = hashlib.sha256(version("python-mecab-ko").encode())
    for module in (analysed, analysis, hangul, packed, passages):
        digest.update(Path(module.__file__ or "").read_bytes())
    return digest.hexdigest()


def _statements(template: str, schema: str, dimensions: int) -> list[str]:
    return [statement.strip() for statement in template.format(schema=schema, dimensions=dimensions).split(";")]
