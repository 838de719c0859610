"""A restored database knows itself, epochs have a history, and keys belong to accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_1"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their tables, and write down the epochs that ids were handed out in so far."""
    op.create_table(
        "identity",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("database_oid", sa.BigInteger(), nullable=False),
        sa.Column("system_id", sa.BigInteger(), nullable=False),
        sa.Column("timeline", sa.Integer(), nullable=False),
        sa.Column("server_started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_by", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("identity_single_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("identity_pkey")),
        schema="sms",
    )
    op.create_table(
        "epochs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("lost_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ask_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("number BETWEEN 1 AND 1048575", name=op.f("epochs_number_check")),
        sa.CheckConstraint("(lost_since IS NULL) = (ask_at IS NULL)", name=op.f("epochs_lost_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("epochs_pkey")),
        sa.UniqueConstraint("number", name=op.f("epochs_number_key")),
        schema="sms",
    )
    op.create_table(
        "accounts",
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("account", sa.SmallInteger(), nullable=False),
        sa.Column("recognised_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("label", name=op.f("accounts_pkey")),
        schema="sms",
    )
    op.execute("""
        INSERT INTO sms.epochs (number, began_at, cause)
        SELECT number, now(), 'installed'
          FROM (SELECT DISTINCT lower(span) >> 33 AS number FROM sms.campaigns, unnest(message_ids) AS span
                UNION SELECT epoch FROM sms.installation) AS used
      ORDER BY number = (SELECT epoch FROM sms.installation)
    """)
