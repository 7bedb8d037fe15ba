"""Alembic's entry: runs the revisions on the connection that `endy.storage.migrations` hands over."""

from alembic import context

from endy.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
