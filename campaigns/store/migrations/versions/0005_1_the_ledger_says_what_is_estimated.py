"""The ledger keeps how much of a day's cost is estimated; one-time passwords are found by the gateway's ids."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kavenegar_campaigns.store.migrations import Index, lock_table

revision = "0005_1"
down_revision = "0004"
branch_labels = None
depends_on = None

outside = (Index("otps_sent_idx", "otps", "gateway_id", where="gateway_id IS NOT NULL"),)


def upgrade() -> None:
    """Add the columns."""
    lock_table("days")
    op.add_column("days", sa.Column("unpriced", sa.Integer(), nullable=True), schema="sms")
    op.add_column("days", sa.Column("estimated_rial", sa.BigInteger(), nullable=True), schema="sms")
