"""A block list says when it was last pulled from its beginning."""

from __future__ import annotations

from alembic import op

from campaigns.store.migrations import lock_table

revision = "0006"
down_revision = "0006_9"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename in the catalog; no row is read or written."""
    lock_table("blocklists")
    op.alter_column("blocklists", "whole_at", new_column_name="last_full_pull_at", schema="sms")


def downgrade() -> None:
    """Give back the old names."""
    lock_table("blocklists")
    op.alter_column("blocklists", "last_full_pull_at", new_column_name="whole_at", schema="sms")
