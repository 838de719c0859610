"""The ledger keeps how many messages of a day cannot be explained."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kavenegar_campaigns.store.migrations import lock_table

revision = "0004"
down_revision = "0004_3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    lock_table("days")
    op.add_column("days", sa.Column("unexplained", sa.Integer(), nullable=True), schema="sms")
