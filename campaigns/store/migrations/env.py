"""Alembic's entry point: runs on the connection that `kavenegar_campaigns.store.migrate` passes."""

from __future__ import annotations

from alembic import context

from kavenegar_campaigns.store.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()
