"""The days are those of the ledger."""

from __future__ import annotations

from alembic import op

from campaigns.store.migrations import lock_table

revision = "0006_8"
down_revision = "0006_7"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename in the catalog; no row is read or written."""
    lock_table("days")
    op.rename_table("days", "ledger_days", schema="sms")
    op.execute("ALTER TABLE sms.ledger_days RENAME CONSTRAINT days_pkey TO ledger_days_pkey")


def downgrade() -> None:
    """Give back the old names."""
    lock_table("ledger_days")
    op.rename_table("ledger_days", "days", schema="sms")
    op.execute("ALTER TABLE sms.days RENAME CONSTRAINT ledger_days_pkey TO days_pkey")
