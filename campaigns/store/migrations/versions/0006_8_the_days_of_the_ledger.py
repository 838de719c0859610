"""The days are those of the ledger."""

from __future__ import annotations

from kavenegar_campaigns.store.migrations import Renames

revision = "0006_8"
down_revision = "0006_7"
branch_labels = None
depends_on = None

RENAMES = Renames("days", new_table="ledger_days", constraints={"days_pkey": "ledger_days_pkey"})


def upgrade() -> None:
    """Give the new names."""
    RENAMES.apply()


def downgrade() -> None:
    """Give back the old names."""
    RENAMES.take_back()
