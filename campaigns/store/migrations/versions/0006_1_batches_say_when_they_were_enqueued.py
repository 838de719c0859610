"""Batches say when they were enqueued. From here on workers of the version before claim nothing: start the new one."""

from __future__ import annotations

from kavenegar_campaigns.store.migrations import Renames

revision = "0006_1"
down_revision = "0005_3"
branch_labels = None
depends_on = None

RENAMES = Renames(
    "batches",
    columns={"rung_at": "enqueued_at", "poll_from": "poll_resume_id"},
    indexes={"batches_rung_idx": "batches_enqueued_idx"},
)


def upgrade() -> None:
    """Give the new names."""
    RENAMES.apply()


def downgrade() -> None:
    """Give back the old names."""
    RENAMES.take_back()
