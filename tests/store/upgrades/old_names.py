"""What the revisions 0006_1 to 0006 rename: tables, and columns by the new name of their table."""

from __future__ import annotations

from typing import Final

BEFORE: Final = "0005_3"
"""The revision at which everything has its old name."""

TABLES: Final = {"receipts": "gateway_ids", "days": "ledger_days", "blocked": "blocklist_entries"}

COLUMNS: Final = {
    "batches": {"rung_at": "enqueued_at", "poll_from": "poll_resume_id"},
    "lines": {
        "doubtful_since": "needs_reconcile_since",
        "look_began": "reconcile_began_at",
        "looked_to": "reconciled_to",
        "thorough_at": "full_reconcile_at",
    },
    "inbound": {"hand_at": "next_delivery_at", "hands": "delivery_attempts", "taken_at": "acknowledged_at"},
    "otps": {"code": "refused_code"},
    "attempts": {"asked": "messages"},
    "installation": {
        "probe_at": "hold_recheck_at",
        "let_go_credit_rial": "released_credit_rial",
        "let_go_at": "released_at",
        "watch_at": "account_check_at",
        "ledger_at": "ledger_count_at",
        "check_at": "identity_check_at",
        "called_back_at": "last_callback_at",
        "leans_on_callbacks": "callbacks_active",
    },
    "blocklists": {"whole_at": "last_full_pull_at"},
}
