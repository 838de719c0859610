"""What the gateway has taught the pace outlives Redis, closing windows are found, and a pause has a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the pace's memory, the index by which a poll finds what closes next, and when a campaign was paused."""
    op.add_column("campaigns", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True), schema="sms")
    op.create_check_constraint(
        op.f("campaigns_paused_check"), "campaigns", "paused_at IS NULL OR state = 'paused'", schema="sms"
    )
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
    op.create_index(
        "batches_closing_idx",
        "batches",
        ["closes_at", "id"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("poll_at < closes_at"),
    )
