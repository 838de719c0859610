"""Attempts count their messages."""

from __future__ import annotations

from kavenegar_campaigns.store.migrations import Renames

revision = "0006_5"
down_revision = "0006_4"
branch_labels = None
depends_on = None

RENAMES = Renames("attempts", columns={"asked": "messages"})


def upgrade() -> None:
    """Give the new names."""
    RENAMES.apply()


def downgrade() -> None:
    """Give back the old names."""
    RENAMES.take_back()
