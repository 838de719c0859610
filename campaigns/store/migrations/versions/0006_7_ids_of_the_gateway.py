"""The gateway's ids of our messages are no receipts."""

from __future__ import annotations

from alembic import op

from campaigns.store.migrations import lock_table

revision = "0006_7"
down_revision = "0006_6"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename in the catalog; no row is read or written."""
    lock_table("receipts")
    op.rename_table("receipts", "gateway_ids", schema="sms")
    op.execute("ALTER TABLE sms.gateway_ids RENAME CONSTRAINT receipts_pkey TO gateway_ids_pkey")
    op.execute("ALTER INDEX sms.receipts_closes_at_idx RENAME TO gateway_ids_closes_at_idx")


def downgrade() -> None:
    """Give back the old names."""
    lock_table("gateway_ids")
    op.rename_table("gateway_ids", "receipts", schema="sms")
    op.execute("ALTER TABLE sms.receipts RENAME CONSTRAINT gateway_ids_pkey TO receipts_pkey")
    op.execute("ALTER INDEX sms.gateway_ids_closes_at_idx RENAME TO receipts_closes_at_idx")
