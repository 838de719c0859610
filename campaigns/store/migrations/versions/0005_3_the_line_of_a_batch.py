"""A batch keeps the line that it left from, where its campaign goes on from another one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kavenegar_campaigns.store.migrations import lock_table

revision = "0005_3"
down_revision = "0005_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    lock_table("batches")
    op.add_column("batches", sa.Column("sender", sa.Text(), nullable=True), schema="sms")
