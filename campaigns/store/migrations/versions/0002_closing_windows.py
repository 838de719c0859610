"""Closing windows are found."""

from __future__ import annotations

from kavenegar_campaigns.store.migrations import Index, Validate

revision = "0002"
down_revision = "0002_1"
branch_labels = None
depends_on = None

outside = (
    Validate("campaigns", "campaigns_paused_check"),
    # A poll finds what closes next.
    Index("batches_closing_idx", "batches", "closes_at, id", where="poll_at < closes_at"),
)


def upgrade() -> None:
    """Nothing that needs a transaction."""
