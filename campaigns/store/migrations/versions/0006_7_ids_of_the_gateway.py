"""The gateway's ids of our messages are no receipts."""

from __future__ import annotations

from kavenegar_campaigns.store.migrations import Renames

revision = "0006_7"
down_revision = "0006_6"
branch_labels = None
depends_on = None

RENAMES = Renames(
    "receipts",
    new_table="gateway_ids",
    constraints={"receipts_pkey": "gateway_ids_pkey"},
    indexes={"receipts_closes_at_idx": "gateway_ids_closes_at_idx"},
)


def upgrade() -> None:
    """Give the new names."""
    RENAMES.apply()


def downgrade() -> None:
    """Give back the old names."""
    RENAMES.take_back()
