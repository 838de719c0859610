"""Batches say when they were enqueued. From here on workers of the version before claim nothing: start the new one."""

from __future__ import annotations

from alembic import op

from campaigns.store.migrations import lock_table

revision = "0006_1"
down_revision = "0005_3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename in the catalog; no row is read or written."""
    lock_table("batches")
    op.alter_column("batches", "rung_at", new_column_name="enqueued_at", schema="sms")
    op.alter_column("batches", "poll_from", new_column_name="poll_resume_id", schema="sms")
    op.execute("ALTER INDEX sms.batches_rung_idx RENAME TO batches_enqueued_idx")


def downgrade() -> None:
    """Give back the old names."""
    lock_table("batches")
    op.alter_column("batches", "enqueued_at", new_column_name="rung_at", schema="sms")
    op.alter_column("batches", "poll_resume_id", new_column_name="poll_from", schema="sms")
    op.execute("ALTER INDEX sms.batches_enqueued_idx RENAME TO batches_rung_idx")
