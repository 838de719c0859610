"""The installation says what is checked at each of its times, and how callbacks stand."""

from __future__ import annotations

from kavenegar_campaigns.store.migrations import Renames

revision = "0006_6"
down_revision = "0006_5"
branch_labels = None
depends_on = None

RENAMES = Renames(
    "installation",
    columns={
        "probe_at": "hold_recheck_at",
        "let_go_credit_rial": "released_credit_rial",
        "let_go_at": "released_at",
        "watch_at": "account_check_at",
        "ledger_at": "ledger_count_at",
        "check_at": "identity_check_at",
        "called_back_at": "last_callback_at",
        "leans_on_callbacks": "callbacks_active",
    },
    constraints={"installation_probe_check": "installation_hold_recheck_check"},
)


def upgrade() -> None:
    """Give the new names."""
    RENAMES.apply()


def downgrade() -> None:
    """Give back the old names."""
    RENAMES.take_back()
