"""The gateway's block lists have entries."""

from __future__ import annotations

from alembic import op

from campaigns.store.migrations import lock_table

revision = "0006_9"
down_revision = "0006_8"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename in the catalog; no row is read or written."""
    lock_table("blocked")
    op.rename_table("blocked", "blocklist_entries", schema="sms")
    op.execute("ALTER TABLE sms.blocklist_entries RENAME CONSTRAINT blocked_pkey TO blocklist_entries_pkey")


def downgrade() -> None:
    """Give back the old names."""
    lock_table("blocklist_entries")
    op.rename_table("blocklist_entries", "blocked", schema="sms")
    op.execute("ALTER TABLE sms.blocked RENAME CONSTRAINT blocklist_entries_pkey TO blocked_pkey")
