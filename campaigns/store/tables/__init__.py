"""The tables, as they stand after the newest migration.

Everything lives in the schema `sms`, so that the tables can share a database with a web app's own.

    account     the installation, its place and epochs, the keys it used, what taught the pace, the daily ledger
    sending     campaigns, messages, rejects, batches, attempts
    people      whom we must not write to
    inbox       lines that are pulled, and what came in
    otp         one-time passwords
    callbacks   what the gateway tells by itself
"""

from campaigns.store.tables.account import accounts, days, epochs, identity, installation, pace
from campaigns.store.tables.base import SCHEMA, metadata
from campaigns.store.tables.callbacks import callbacks, receipts
from campaigns.store.tables.inbox import inbound, lines
from campaigns.store.tables.otp import otps
from campaigns.store.tables.people import blocked, blocklists, suppressions
from campaigns.store.tables.sending import attempts, batches, campaigns, message_id_blocks, messages, rejects

__all__ = [
    "SCHEMA",
    "accounts",
    "attempts",
    "batches",
    "blocked",
    "blocklists",
    "callbacks",
    "campaigns",
    "days",
    "epochs",
    "identity",
    "inbound",
    "installation",
    "lines",
    "message_id_blocks",
    "messages",
    "metadata",
    "otps",
    "pace",
    "receipts",
    "rejects",
    "suppressions",
]
