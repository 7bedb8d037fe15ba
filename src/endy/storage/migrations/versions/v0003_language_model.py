"""The language model: what each answer used, and questions that it writes for sections."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # New columns have a default, so that the release before this one can still write.
    op.add_column("questions", sa.Column("model", sa.String(200), nullable=False, server_default=""))
    op.add_column("questions", sa.Column("tokens_in", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("questions", sa.Column("tokens_out", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("questions", sa.Column("cost_krw", sa.Float(), nullable=False, server_default="0"))
    op.create_table(
        "generated_questions",
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("kept", sa.JSON(), nullable=False),
        sa.Column("rejected", sa.JSON(), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("prompt_version", sa.Integer(), nullable=False),
        sa.Column("tokens_in", sa.Integer(), nullable=False),
        sa.Column("tokens_out", sa.Integer(), nullable=False),
        sa.Column("cost_krw", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("content_hash", name="pk_generated_questions"),
    )


def downgrade() -> None:
    op.drop_table("generated_questions")
    for name in ("cost_krw", "tokens_out", "tokens_in", "model"):
        op.drop_column("questions", name)
