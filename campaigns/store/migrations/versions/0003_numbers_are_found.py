"""A number is found among messages, a suppression by its time."""

from __future__ import annotations

from kavenegar_campaigns.store.migrations import Index, Validate

revision = "0003"
down_revision = "0003_4"
branch_labels = None
depends_on = None

outside = (
    Validate("campaigns", "campaigns_kind_check"),
    Validate("campaigns", "campaigns_repeat_check"),
    Validate("campaigns", "campaigns_message_type_check"),
    Index("messages_number_idx", "messages", "number"),
    Index("suppressions_created_at_idx", "suppressions", "created_at"),
    Index("suppressions_refused_at_idx", "suppressions", "refused_at", where="refused_at IS NOT NULL"),
)


def upgrade() -> None:
    """Nothing that needs a transaction."""
