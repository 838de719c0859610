"""The tables, as they stand after the newest migration.

Everything lives in the schema `sms`, so that the tables can share a database with a web app's own.

    account        the installation, its identity and epochs, its gateway account, the pace, the daily ledger
    sending        campaigns, messages, rejects, batches, attempts, one-time passwords
    incoming       inbox lines and messages, callbacks, the gateway's ids, suppressions, block lists
"""

from campaigns.store.tables.account import (
    SCHEMA,
    accounts,
    epochs,
    identity,
    installation,
    ledger_days,
    metadata,
    pace,
)
from campaigns.store.tables.incoming import (
    blocklist_entries,
    blocklists,
    callbacks,
    gateway_ids,
    inbound,
    lines,
    suppressions,
)
from campaigns.store.tables.sending import attempts, batches, campaigns, message_id_blocks, messages, otps, rejects

__all__ = [
    "SCHEMA",
    "accounts",
    "attempts",
    "batches",
    "blocklist_entries",
    "blocklists",
    "callbacks",
    "campaigns",
    "epochs",
    "gateway_ids",
    "identity",
    "inbound",
    "installation",
    "ledger_days",
    "lines",
    "message_id_blocks",
    "messages",
    "metadata",
    "otps",
    "pace",
    "rejects",
    "suppressions",
]
