"""The ground truth: which messages were really sent, and whether a receptor got the same text twice.

A message counts as sent unless it was withdrawn before its start (cancelled while scheduled, or debug mode).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby, islice
from typing import Any

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.columns import parse_localid, text_digest
from kavenegar_sandbox.ledger import Ledger
from kavenegar_sandbox.outcomes import WITHDRAWN
from kavenegar_sandbox.parameters import format_number, is_integer, split_list


def totals(account: Account) -> dict[str, Any]:
    """Return the totals that cost the same however many messages there are."""
    ledger, credit, now = account.ledger, account.credit, account.clock.now()
    return {
        "messages": len(ledger),
        "kinds": dict(ledger.kinds),
        "distinct_localids": ledger.localids.distinct,
        "localids_sent_twice": len(ledger.localids.repeated),
        "charged_rial": credit.charged_rial,
        "refunded_rial": credit.refunded(now),
        "granted_rial": credit.granted_rial,
        "credit_rial": credit.balance(now),
        "now": now,
        **account.counters.summary(),
    }


def repeated_texts(ledger: Ledger, rows: int) -> dict[str, int]:
    """Count receptors that got the same text more than once, among the first `rows` messages.

    Reads every message (about two seconds a million). May run in a thread while messages are added.
    """
    sent = sorted(_key(ledger, row) for row in range(rows) if ledger.outcomes[row] != WITHDRAWN)
    sizes = [size for _, group in groupby(sent) if (size := sum(1 for _ in group)) > 1]
    return {
        "physical_messages": len(sent),
        "receptor_texts_sent_twice": len(sizes),
        "most_copies_to_one_receptor": max(sizes, default=1 if sent else 0),
    }


def duplicates(ledger: Ledger, rows: int, limit: int) -> dict[str, Any]:
    """At most `limit` localids that were sent more than once, and as many texts that a receptor got more than once."""
    by_localid = [
        {"localid": each, "messageids": [ledger.messageid(row) for row in repeated]}
        for each, repeated in islice(ledger.localids.repeated.items(), limit)
    ]
    sent = sorted((_key(ledger, row), row) for row in range(rows) if ledger.outcomes[row] != WITHDRAWN)
    groups = ([row for _, row in group] for _, group in groupby(sent, key=lambda pair: pair[0]))
    by_receptor = [
        {
            "receptor": format_number(ledger.receptors[same[0]]),
            "text_digest": text_digest(ledger.raw_text(same[0])),
            "messageids": [ledger.messageid(row) for row in same],
        }
        for same in islice((same for same in groups if len(same) > 1), limit)
    ]
    return {"localids": by_localid, "receptor_texts": by_receptor}


def _key(ledger: Ledger, row: int) -> int:
    """One 64-bit number for a receptor, a text and a kind. A collision among a million messages is unlikely."""
    return hash((ledger.receptors[row], ledger.raw_text(row), ledger.options(row).kind))


def message_row(account: Account, row: int, now: float) -> dict[str, Any]:
    """One message for checkers: with a digest instead of its text."""
    ledger = account.ledger
    return {
        "localid": ledger.localids[row],
        "messageid": ledger.messageid(row),
        "receptor": format_number(ledger.receptors[row]),
        "text_digest": text_digest(ledger.raw_text(row)),
        "status": account.true_status(row, now),
        "kind": ledger.options(row).kind,
        "account": account.number,
    }


def find_messages(account: Account, *, localids: str, messageids: str) -> Iterator[dict[str, Any]]:
    """Yield the messages with these localids or message ids (comma-separated): options, outcome, times, cost."""
    ledger, now = account.ledger, account.clock.now()
    known = (ledger.row(int(each)) for each in split_list(messageids) if is_integer(each))
    rows = [row for each in split_list(localids) for row in ledger.localids.rows(parse_localid(each))]
    for row in [*rows, *(row for row in known if row is not None)]:
        message = ledger.message(row)
        yield {
            **message_row(account, row, now),
            **asdict(message.options),
            "sender": message.sender,
            "starts_at": message.starts_at,
            "outcome": message.outcome,
            "fate": message.outcome,  # its old name
            "verdict_at": message.verdict_at,
            "parts": message.parts,
            "cost_rial": message.cost_rial,
        }
