"""The gateway's block lists have entries."""

from __future__ import annotations

from kavenegar_campaigns.store.migrations import Renames

revision = "0006_9"
down_revision = "0006_8"
branch_labels = None
depends_on = None

RENAMES = Renames("blocked", new_table="blocklist_entries", constraints={"blocked_pkey": "blocklist_entries_pkey"})


def upgrade() -> None:
    """Give the new names."""
    RENAMES.apply()


def downgrade() -> None:
    """Give back the old names."""
    RENAMES.take_back()
