"""A block list says when it was last pulled from its beginning."""

from __future__ import annotations

from kavenegar_campaigns.store.migrations import Renames

revision = "0006"
down_revision = "0006_9"
branch_labels = None
depends_on = None

RENAMES = Renames("blocklists", columns={"whole_at": "last_full_pull_at"})


def upgrade() -> None:
    """Give the new names."""
    RENAMES.apply()


def downgrade() -> None:
    """Give back the old names."""
    RENAMES.take_back()
