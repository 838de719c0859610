"""A batch belongs to the account that it left under."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kavenegar_campaigns.store.migrations import lock_table

revision = "0004_2"
down_revision = "0004_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add its column. Batches that left before are of the first account."""
    lock_table("batches")
    op.add_column("batches", sa.Column("account", sa.SmallInteger(), nullable=True), schema="sms")
