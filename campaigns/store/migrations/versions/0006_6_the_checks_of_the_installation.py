"""The installation says what is checked at each of its times, and how callbacks stand."""

from __future__ import annotations

from alembic import op

from campaigns.store.migrations import lock_table

revision = "0006_6"
down_revision = "0006_5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename in the catalog; no row is read or written."""
    lock_table("installation")
    op.alter_column("installation", "probe_at", new_column_name="hold_recheck_at", schema="sms")
    op.alter_column("installation", "let_go_credit_rial", new_column_name="released_credit_rial", schema="sms")
    op.alter_column("installation", "let_go_at", new_column_name="released_at", schema="sms")
    op.alter_column("installation", "watch_at", new_column_name="account_check_at", schema="sms")
    op.alter_column("installation", "ledger_at", new_column_name="ledger_count_at", schema="sms")
    op.alter_column("installation", "check_at", new_column_name="identity_check_at", schema="sms")
    op.alter_column("installation", "called_back_at", new_column_name="last_callback_at", schema="sms")
    op.alter_column("installation", "leans_on_callbacks", new_column_name="callbacks_active", schema="sms")
    op.execute(
        "ALTER TABLE sms.installation RENAME CONSTRAINT installation_probe_check TO installation_hold_recheck_check"
    )


def downgrade() -> None:
    """Give back the old names."""
    lock_table("installation")
    op.alter_column("installation", "hold_recheck_at", new_column_name="probe_at", schema="sms")
    op.alter_column("installation", "released_credit_rial", new_column_name="let_go_credit_rial", schema="sms")
    op.alter_column("installation", "released_at", new_column_name="let_go_at", schema="sms")
    op.alter_column("installation", "account_check_at", new_column_name="watch_at", schema="sms")
    op.alter_column("installation", "ledger_count_at", new_column_name="ledger_at", schema="sms")
    op.alter_column("installation", "identity_check_at", new_column_name="check_at", schema="sms")
    op.alter_column("installation", "last_callback_at", new_column_name="called_back_at", schema="sms")
    op.alter_column("installation", "callbacks_active", new_column_name="leans_on_callbacks", schema="sms")
    op.execute(
        "ALTER TABLE sms.installation RENAME CONSTRAINT installation_hold_recheck_check TO installation_probe_check"
    )
