"""A leap of the database's clock is noted, and the last sign of life in the place where the database is at home."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kavenegar_campaigns.store.migrations import lock_table

revision = "0004_3"
down_revision = "0004_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, to a table of one row."""
    lock_table("installation")
    op.add_column("installation", sa.Column("clock_leapt_at", sa.DateTime(timezone=True), nullable=True), schema="sms")
    op.add_column("installation", sa.Column("clock_leapt_by", sa.Interval(), nullable=True), schema="sms")
    op.add_column("installation", sa.Column("alive_at", sa.DateTime(timezone=True), nullable=True), schema="sms")
    op.add_column("installation", sa.Column("check_at", sa.DateTime(timezone=True), nullable=True), schema="sms")
    op.create_check_constraint(
        op.f("installation_leap_check"),
        "installation",
        "(clock_leapt_at IS NULL) = (clock_leapt_by IS NULL)",
        schema="sms",
    )
