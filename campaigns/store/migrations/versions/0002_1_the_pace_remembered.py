"""What the gateway taught the pace outlives Redis, and a pause has a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kavenegar_campaigns.store.migrations import add_check, lock_table

revision = "0002_1"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the pace's memory, and when a campaign was paused."""
    op.create_table(
        "pace",
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=False),
        sa.Column("refused", sa.Double(), nullable=True),
        sa.Column("learnt_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("rate > 0", name=op.f("pace_rate_check")),
        sa.CheckConstraint("refused > 0", name=op.f("pace_refused_check")),
        sa.PrimaryKeyConstraint("label", name=op.f("pace_pkey")),
        schema="sms",
    )
    lock_table("campaigns")
    op.add_column("campaigns", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True), schema="sms")
    add_check("campaigns", "campaigns_paused_check", "paused_at IS NULL OR state = 'paused'")
