"""Lines say what is to be reconciled."""

from __future__ import annotations

from alembic import op

from campaigns.store.migrations import lock_table

revision = "0006_2"
down_revision = "0006_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename in the catalog; no row is read or written."""
    lock_table("lines")
    op.alter_column("lines", "doubtful_since", new_column_name="needs_reconcile_since", schema="sms")
    op.alter_column("lines", "look_began", new_column_name="reconcile_began_at", schema="sms")
    op.alter_column("lines", "looked_to", new_column_name="reconciled_to", schema="sms")
    op.alter_column("lines", "thorough_at", new_column_name="full_reconcile_at", schema="sms")
    op.execute("ALTER TABLE sms.lines RENAME CONSTRAINT lines_look_check TO lines_reconcile_check")


def downgrade() -> None:
    """Give back the old names."""
    lock_table("lines")
    op.alter_column("lines", "needs_reconcile_since", new_column_name="doubtful_since", schema="sms")
    op.alter_column("lines", "reconcile_began_at", new_column_name="look_began", schema="sms")
    op.alter_column("lines", "reconciled_to", new_column_name="looked_to", schema="sms")
    op.alter_column("lines", "full_reconcile_at", new_column_name="thorough_at", schema="sms")
    op.execute("ALTER TABLE sms.lines RENAME CONSTRAINT lines_reconcile_check TO lines_look_check")
