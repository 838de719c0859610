"""Inbound messages are delivered to the user's code, which acknowledges them."""

from __future__ import annotations

from kavenegar_campaigns.store.migrations import Renames

revision = "0006_3"
down_revision = "0006_2"
branch_labels = None
depends_on = None

RENAMES = Renames(
    "inbound",
    columns={
        "hand_at": "next_delivery_at",
        "hands": "delivery_attempts",
        "taken_at": "acknowledged_at",
    },
    constraints={"inbound_handed_check": "inbound_delivery_check"},
    indexes={"inbound_hand_idx": "inbound_delivery_idx"},
)


def upgrade() -> None:
    """Give the new names."""
    RENAMES.apply()


def downgrade() -> None:
    """Give back the old names."""
    RENAMES.take_back()
