"""Rejects keep the cells of their row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kavenegar_campaigns.store.migrations import lock_table

revision = "0005_2"
down_revision = "0005_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    lock_table("rejects")
    op.add_column("rejects", sa.Column("cells", sa.JSON(), nullable=True), schema="sms")
