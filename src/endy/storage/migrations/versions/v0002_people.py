"""People: owners, sign-in details, one-time password links and the audit log."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

MOMENT = sa.DateTime(timezone=True)
REFUSED = "audit rows cannot be changed"


def upgrade() -> None:
    # New columns are nullable or have a default, so that the release before this one can still write.
    op.add_column("users", sa.Column("owns", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("users", sa.Column("source", sa.String(8), nullable=False, server_default="file"))
    op.add_column("users", sa.Column("file_entry", sa.JSON()))
    op.add_column("users", sa.Column("sso_subject", sa.String(300)))
    op.add_column("users", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("users", sa.Column("removed_at", MOMENT))
    op.create_index("uq_users_sso_subject", "users", ["sso_subject"], unique=True)
    for name, length in (("method", 8), ("device", 100), ("address", 64)):
        op.add_column("sessions", sa.Column(name, sa.String(length), nullable=False, server_default=""))
    _create_password_links()
    _create_audit()


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_is_append_only ON audit")
        op.execute("DROP FUNCTION refuse_audit_change()")
    op.drop_table("audit")
    op.drop_table("password_links")
    for name in ("address", "device", "method"):
        op.drop_column("sessions", name)
    op.drop_index("uq_users_sso_subject", "users")
    for name in ("removed_at", "version", "sso_subject", "file_entry", "source", "owns"):
        op.drop_column("users", name)


def _create_password_links() -> None:
    op.create_table(
        "password_links",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("employee_id", sa.String(32), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_password_links"),
        sa.ForeignKeyConstraint(
            ["employee_id"],
            ["users.employee_id"],
            name="fk_password_links_employee_id_users",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_password_links_employee_id", "password_links", ["employee_id"])


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("target", sa.String(1000), nullable=False),
        sa.Column("before", sa.JSON()),
        sa.Column("after", sa.JSON()),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_actor", "audit", ["actor"])
    op.create_index("ix_audit_action", "audit", ["action"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_refuses_{change.lower()} BEFORE {change} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
        )
