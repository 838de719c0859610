"""A suppression can be lifted, and a refused number is remembered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kavenegar_campaigns.store.migrations import lock_table

revision = "0003_4"
down_revision = "0003_3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their columns."""
    lock_table("suppressions")
    op.add_column("suppressions", sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True), schema="sms")
    op.add_column("suppressions", sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True), schema="sms")
