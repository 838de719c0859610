"""What a campaign may carry beside text and sender, and voice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kavenegar_campaigns.store.migrations import add_check, lock_table

revision = "0003_2"
down_revision = "0003_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their columns."""
    lock_table("campaigns")
    op.add_column("campaigns", sa.Column("kind", sa.Text(), server_default="sms", nullable=False), schema="sms")
    op.add_column("campaigns", sa.Column("repeat", sa.SmallInteger(), nullable=True), schema="sms")
    op.add_column("campaigns", sa.Column("tag", sa.Text(), nullable=True), schema="sms")
    op.add_column("campaigns", sa.Column("policy", sa.Text(), nullable=True), schema="sms")
    op.add_column(
        "campaigns", sa.Column("hide", sa.Boolean(), server_default=sa.text("false"), nullable=False), schema="sms"
    )
    op.add_column("campaigns", sa.Column("message_type", sa.SmallInteger(), nullable=True), schema="sms")
    add_check("campaigns", "campaigns_kind_check", "kind IN ('sms', 'voice')")
    add_check("campaigns", "campaigns_repeat_check", "repeat IS NULL OR (repeat BETWEEN 0 AND 5 AND kind = 'voice')")
    add_check("campaigns", "campaigns_message_type_check", "message_type BETWEEN 0 AND 3")
