"""Every table, in one place; migrations are generated against this metadata."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# One row (id 1). `version` rises with every committed content change; replicas follow it.
knowledge_state = Table(
    "knowledge_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

# One row per file in KNOWLEDGE_DIR plus one for FAQ_FILE. `problems`: [{"line": 3, "message": "..."}].
documents = Table(
    "documents",
    metadata,
    Column("name", String(400), primary_key=True),
    Column("title", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("problems", JSON, nullable=False),
    Column("modified_at", DateTime(timezone=True), nullable=False),
    Column("synced_at", DateTime(timezone=True), nullable=False),
)

sections = Table(
    "sections",
    metadata,
    Column("id", String(1000), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("document", String(400), ForeignKey("documents.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("document_title", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("heading_path", JSON, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("category", String(200), nullable=False, index=True),
    Column("department", String(200), nullable=False),
    Column("contact", String(400), nullable=False),
    Column("link", Text, nullable=False),
    Column("keywords", JSON, nullable=False),
    Column("audience", JSON, nullable=False),
    Column("effective_from", Date),
    Column("review_by", Date),
    Column("updated_at", String(32), nullable=False),
    Column("content_hash", String(64), nullable=False, index=True),
)

# `vectors` is a C-ordered float16 matrix (pieces, dimensions); pieces are derived from the section's text.
embeddings = Table(
    "embeddings",
    metadata,
    Column("content_hash", String(64), primary_key=True),
    Column("model", String(100), primary_key=True),
    Column("dimensions", Integer, nullable=False),
    Column("vectors", LargeBinary, nullable=False),
)

# What a model thought employees would ask about a section, once per content. `kept`: texts; `rejected`:
# [{"question": "...", "reason": "..."}]. The vectors of kept questions are in `embeddings` under their own hash.
generated_questions = Table(
    "generated_questions",
    metadata,
    Column("content_hash", String(64), primary_key=True),
    Column("kept", JSON, nullable=False),
    Column("rejected", JSON, nullable=False),
    Column("model", String(200), nullable=False),
    Column("prompt_version", Integer, nullable=False),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("cost_krw", Float, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("employee_id", String(32), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("department", String(100), nullable=False),
    Column("email", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(300)),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    # Categories and departments whose content a knowledge owner looks after.
    Column("owns", JSON, nullable=False, server_default="[]"),
    # Where the row came from: file, admin or sso. `file_entry` is what USERS_FILE last said about it.
    Column("source", String(8), nullable=False, server_default="file"),
    Column("file_entry", JSON),
    Column("sso_subject", String(300)),
    # Rises with every change; a change names the version it was made from.
    Column("version", Integer, nullable=False, server_default="1"),
    # Set for somebody removed here whom USERS_FILE still names.
    Column("removed_at", DateTime(timezone=True)),
    Index("uq_users_sso_subject", "sso_subject", unique=True),
)

# `token_hash` is SHA-256 of the opaque token; the token itself is never stored.
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("employee_id", String(32), ForeignKey("users.employee_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_seen_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    # How and from where somebody signed in, for the list of own sessions.
    Column("method", String(8), nullable=False, server_default=""),
    Column("device", String(100), nullable=False, server_default=""),
    Column("address", String(64), nullable=False, server_default=""),
)

# One-time links that set a password; `token_hash` as for sessions.
password_links = Table(
    "password_links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("employee_id", String(32), ForeignKey("users.employee_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_by", String(64), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("asker", String(64), nullable=False, index=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

# One row per answered question; `question` is masked before it is stored.
questions = Table(
    "questions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("conversation_id", String(64), ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("asker", String(64), nullable=False, index=True),
    Column("question", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("category", String(200), nullable=False),
    Column("department", String(200), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("source_ids", JSON, nullable=False),
    Column("response_seconds", Float, nullable=False),
    Column("knowledge_version", BigInteger, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    # What a model's call for this answer used; nothing for cached and quoted answers.
    Column("model", String(200), nullable=False, server_default=""),
    Column("tokens_in", Integer, nullable=False, server_default="0"),
    Column("tokens_out", Integer, nullable=False, server_default="0"),
    Column("cost_krw", Float, nullable=False, server_default="0"),
    Index("ix_questions_conversation_id_asked_at", "conversation_id", "asked_at"),
    Index("ix_questions_asked_at", "asked_at"),
)

# One opinion per answer and asker: a second one replaces the first.
feedback = Table(
    "feedback",
    metadata,
    Column("question_id", String(64), ForeignKey("questions.id", ondelete="CASCADE"), primary_key=True),
    Column("asker", String(64), primary_key=True),
    Column("is_helpful", Boolean),
    Column("reasons", JSON, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, index=True),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

# Background work that one process does at a time. Whoever is `holder` says so again before `lease_until`;
# `outcome`: done, failed or interrupted. `progress`: {"done": 3, "total": 9}.
jobs = Table(
    "jobs",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(200), nullable=False, server_default=""),
    Column("lease_until", DateTime(timezone=True)),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("succeeded_at", DateTime(timezone=True)),
    Column("outcome", String(16), nullable=False, server_default=""),
    Column("progress", JSON),
    Column("problem", Text, nullable=False, server_default=""),
)

# Append-only: triggers refuse changes, and each row's `hash` covers the row and the hash before it.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", String(64), nullable=False, index=True),
    Column("action", String(64), nullable=False, index=True),
    Column("target", String(1000), nullable=False),
    Column("before", JSON),
    Column("after", JSON),
    Column("address", String(64), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
