"""Inbound messages are delivered to the user's code, which acknowledges them."""

from __future__ import annotations

from alembic import op

from campaigns.store.migrations import lock_table

revision = "0006_3"
down_revision = "0006_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename in the catalog; no row is read or written."""
    lock_table("inbound")
    op.alter_column("inbound", "hand_at", new_column_name="next_delivery_at", schema="sms")
    op.alter_column("inbound", "hands", new_column_name="delivery_attempts", schema="sms")
    op.alter_column("inbound", "taken_at", new_column_name="acknowledged_at", schema="sms")
    op.execute("ALTER TABLE sms.inbound RENAME CONSTRAINT inbound_handed_check TO inbound_delivery_check")
    op.execute("ALTER INDEX sms.inbound_hand_idx RENAME TO inbound_delivery_idx")


def downgrade() -> None:
    """Give back the old names."""
    lock_table("inbound")
    op.alter_column("inbound", "next_delivery_at", new_column_name="hand_at", schema="sms")
    op.alter_column("inbound", "delivery_attempts", new_column_name="hands", schema="sms")
    op.alter_column("inbound", "acknowledged_at", new_column_name="taken_at", schema="sms")
    op.execute("ALTER TABLE sms.inbound RENAME CONSTRAINT inbound_delivery_check TO inbound_handed_check")
    op.execute("ALTER INDEX sms.inbound_delivery_idx RENAME TO inbound_hand_idx")
