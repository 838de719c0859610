"""Questions to the gateway, or to our record of it: account, ledger, sent messages, block lists, pace.

Each function that takes a `Context` calls the gateway behind the shared pace, and raises what a call can end in:
`GatewayError`, which is `Postpone` (try again after `retry_after_s`) or `Refused` (the `code` says why). The others
read a table, or the database.

account      fetch_credit, fetch_settings, configure, low_credit
ledger       recount_days, newest_days: days of Tehran, money in rial
sent         sent_between, latest_sent, count_sent, sent_to_number; messages_to_number, messages_from_number
campaign     verify_campaign
block lists  check_number, sync_lines
inbox        pull_line, count_days, export_inbound
pace         PaceView, code_advice; status_meaning
"""

from __future__ import annotations

from collections.abc import Sequence

from kavenegar_campaigns.api import Bind, connection_of
from kavenegar_campaigns.api.boundary import public
from kavenegar_campaigns.kavenegar.account import AccountConfig
from kavenegar_campaigns.kavenegar.codes import CREDIT_TOO_LOW, KEY_NOT_VALID, STATUSES, return_code
from kavenegar_campaigns.kavenegar.sent_messages import ReceptorStatus
from kavenegar_campaigns.rules.pace import LaneView, LearntRate, PaceView
from kavenegar_campaigns.stages.account import configure, fetch_credit, fetch_settings, low_credit
from kavenegar_campaigns.stages.inbox.deliver import export_inbound
from kavenegar_campaigns.stages.inbox.pull import DayCount, Pulled, count_days, pull_line
from kavenegar_campaigns.stages.sent_at_gateway import (
    LONGEST_LOOKBACK,
    MAX_LATEST,
    PAGE_SIZE,
    OutboxMessage,
    Unlisted,
    count_sent,
    latest_sent,
    recount_days,
    sent_between,
    sent_to_number,
)
from kavenegar_campaigns.stages.suppression import BlockStatus, Synced, check_number, sync_lines
from kavenegar_campaigns.stages.verify import Check, Verified, verify_campaign
from kavenegar_campaigns.store import ledger, lookups
from kavenegar_campaigns.store.ledger import Counted, Day, Estimated
from kavenegar_campaigns.store.lookups import SentByNumber, SentToNumber

__all__ = [
    "CREDIT_TOO_LOW",
    "KEY_NOT_VALID",
    "LONGEST_LOOKBACK",
    "MAX_LATEST",
    "PAGE_SIZE",
    "AccountConfig",
    "BlockStatus",
    "Check",
    "Counted",
    "Day",
    "DayCount",
    "Estimated",
    "LaneView",
    "LearntRate",
    "OutboxMessage",
    "PaceView",
    "Pulled",
    "ReceptorStatus",
    "SentByNumber",
    "SentToNumber",
    "Synced",
    "Unlisted",
    "Verified",
    "check_number",
    "code_advice",
    "configure",
    "count_days",
    "count_sent",
    "export_inbound",
    "fetch_credit",
    "fetch_settings",
    "latest_sent",
    "low_credit",
    "messages_from_number",
    "messages_to_number",
    "newest_days",
    "pull_line",
    "recount_days",
    "sent_between",
    "sent_to_number",
    "status_meaning",
    "sync_lines",
    "verify_campaign",
]


@public
def newest_days(bind: Bind, *, limit: int) -> Sequence[Day]:
    """Read the ledger's last days that were counted, at most `limit`, the newest first."""
    return ledger.newest_days(connection_of(bind), limit=limit)


@public
def messages_to_number(bind: Bind, number: str, *, limit: int) -> Sequence[SentToNumber]:
    """Read our newest messages to a mobile number, which is spelled as 09121234567."""
    return lookups.sent_to_number(connection_of(bind), number, limit=limit)


@public
def messages_from_number(bind: Bind, number: str, *, limit: int) -> Sequence[SentByNumber]:
    """Read the newest messages that a mobile number, which is spelled as 09121234567, sent to our lines."""
    return lookups.sent_by_number(connection_of(bind), number, limit=limit)


def code_advice(code: int) -> str:
    """Return the meaning of a return code of the gateway and what to do about it, as a sentence."""
    return return_code(code).advice


def status_meaning(status: int) -> str:
    """Return the meaning of a message status of the gateway; "undocumented" if its documentation gives none."""
    return STATUSES[status].meaning if status in STATUSES else "undocumented"
