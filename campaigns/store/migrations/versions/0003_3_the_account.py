"""The account's settings as last seen, and callbacks that are leaned on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kavenegar_campaigns.store.migrations import lock_table

revision = "0003_3"
down_revision = "0003_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their columns."""
    lock_table("installation")
    op.add_column("installation", sa.Column("debug_mode", sa.Boolean(), nullable=True), schema="sms")
    op.add_column("installation", sa.Column("min_credit_alarm_rial", sa.BigInteger(), nullable=True), schema="sms")
    op.add_column("installation", sa.Column("config_seen_at", sa.DateTime(timezone=True), nullable=True), schema="sms")
    op.add_column("installation", sa.Column("watch_at", sa.DateTime(timezone=True), nullable=True), schema="sms")
    op.add_column("installation", sa.Column("ledger_at", sa.DateTime(timezone=True), nullable=True), schema="sms")
    op.add_column("installation", sa.Column("called_back_at", sa.DateTime(timezone=True), nullable=True), schema="sms")
    op.add_column("installation", sa.Column("leans_on_callbacks", sa.Boolean(), nullable=True), schema="sms")
