"""A one-time password keeps the time at which its task was published last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kavenegar_campaigns.store.migrations import lock_table

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    lock_table("otps")
    op.add_column("otps", sa.Column("enqueued_at", sa.DateTime(timezone=True), nullable=True), schema="sms")


def downgrade() -> None:
    """Remove the column."""
    lock_table("otps")
    op.drop_column("otps", "enqueued_at", schema="sms")
