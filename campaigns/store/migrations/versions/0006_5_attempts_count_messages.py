"""Attempts count their messages."""

from __future__ import annotations

from alembic import op

from campaigns.store.migrations import lock_table

revision = "0006_5"
down_revision = "0006_4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename in the catalog; no row is read or written."""
    lock_table("attempts")
    op.alter_column("attempts", "asked", new_column_name="messages", schema="sms")


def downgrade() -> None:
    """Give back the old names."""
    lock_table("attempts")
    op.alter_column("attempts", "messages", new_column_name="asked", schema="sms")
