"""One-time passwords keep the code of a refusal under the name that messages use."""

from __future__ import annotations

from alembic import op

from campaigns.store.migrations import lock_table

revision = "0006_4"
down_revision = "0006_3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename in the catalog; no row is read or written."""
    lock_table("otps")
    op.alter_column("otps", "code", new_column_name="refused_code", schema="sms")


def downgrade() -> None:
    """Give back the old names."""
    lock_table("otps")
    op.alter_column("otps", "refused_code", new_column_name="code", schema="sms")
