"""Lines say what is to be reconciled."""

from __future__ import annotations

from kavenegar_campaigns.store.migrations import Renames

revision = "0006_2"
down_revision = "0006_1"
branch_labels = None
depends_on = None

RENAMES = Renames(
    "lines",
    columns={
        "doubtful_since": "needs_reconcile_since",
        "look_began": "reconcile_began_at",
        "looked_to": "reconciled_to",
        "thorough_at": "full_reconcile_at",
    },
    constraints={"lines_look_check": "lines_reconcile_check"},
)


def upgrade() -> None:
    """Give the new names."""
    RENAMES.apply()


def downgrade() -> None:
    """Give back the old names."""
    RENAMES.take_back()
