"""Which gateway account a key belongs to, as far as it was found out, and what of each account is still open.

A batch belongs to the account it left under: only there does "never seen" prove that it was not sent. Keys change, so
what is compared is an account's number here, which the keys of one account share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

FIRST_ACCOUNT: Final = 1
"""The account of the key that was used first, and of batches of before accounts were told apart."""


IN_USE: Final = f"""
    (SELECT account
       FROM (SELECT account, recognised_at AS at FROM sms.accounts
          UNION ALL SELECT coalesce(account, {FIRST_ACCOUNT}), first_sent_at FROM sms.batches) AS used
      WHERE used.at <= {{at}} ORDER BY used.at DESC LIMIT 1)
"""
"""The account under which a batch would have left at the moment `at`: of the last claim, or of a key new since then.

Read once after a restore: it looks through all batches."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Messages that the gateway accepted under an account not long ago: message ids, and the gateway's ids of them."""

    account: int
    gateway_ids: dict[int, int]


def of_key(connection: Connection, label: str) -> int | None:
    """The account of a key, by the key's label; None where that is not known yet."""
    found = connection.execute(text("SELECT account FROM sms.accounts WHERE label = :label"), {"label": label})
    account: int | None = found.scalar_one_or_none()
    return account


# Which messages were accepted last, under each account, within the time in which their ids can be asked about?
_EVIDENCE: Final = text(f"""
    WITH known AS (
        SELECT account FROM sms.accounts UNION SELECT {FIRST_ACCOUNT}
    ), newest AS (
        SELECT known.account, batch.first_id, batch.last_id
          FROM known
         CROSS JOIN LATERAL (SELECT first_id, last_id FROM sms.batches
                              WHERE coalesce(account, {FIRST_ACCOUNT}) = known.account
                                AND accepted_at IS NOT NULL AND first_sent_at > :since
                           ORDER BY id DESC LIMIT 1) AS batch
    )
    SELECT newest.account, message.id, message.gateway_id
      FROM newest
     CROSS JOIN LATERAL (SELECT id, gateway_id FROM sms.messages
                          WHERE id BETWEEN newest.first_id AND newest.last_id AND gateway_id IS NOT NULL
                       ORDER BY id LIMIT :most) AS message
  ORDER BY newest.account DESC, message.id
""")


def evidence(connection: Connection, *, since: datetime, most: int) -> Sequence[Evidence]:
    """For each account at most `most` messages that left under it after `since`, the newest account first.

    Read once for a new key: it may look through all batches.
    """
    found: dict[int, dict[int, int]] = {}
    for row in connection.execute(_EVIDENCE, {"since": since, "most": most}):
        found.setdefault(row.account, {})[row.id] = row.gateway_id
    return [Evidence(account, ids) for account, ids in found.items()]


# One key is recognised at a time, so that two new ones do not get the number of one account.
_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtext('sms.accounts'))")
# This key belongs to this account, or to one that was never used before.
_RECOGNISE: Final = text(f"""
    INSERT INTO sms.accounts (label, account, recognised_at)
    SELECT :label, coalesce(CAST(:account AS smallint), max(account) + 1, {FIRST_ACCOUNT}), :now
      FROM (SELECT account FROM sms.accounts UNION SELECT {FIRST_ACCOUNT} WHERE :contradicted) AS known
        ON CONFLICT (label) DO NOTHING
""")


def recognise(connection: Connection, label: str, *, account: int | None, contradicted: bool, now: datetime) -> int:
    """Write down whose key this is, and return the account's number; `account` None: nobody's so far.

    `contradicted`: messages of the first account are not known under this key, though no key of it was written down.
    """
    connection.execute(_TURN)
    values = {"label": label, "account": account, "contradicted": contradicted, "now": now}
    connection.execute(_RECOGNISE, values)
    number = of_key(connection, label)
    assert number is not None  # noqa: S101 - it was just inserted, or stood there
    return number


@dataclass(frozen=True, slots=True)
class Stranded:
    """Unanswered batches that left under another account than that of our key; the first left at `since`."""

    batches: int
    messages: int
    since: datetime


# What can be asked about only with another account's key?
_STRANDED: Final = text(f"""
    SELECT count(*) AS batches, coalesce(sum(batch.pending), 0) AS messages, min(batch.first_sent_at) AS since
      FROM sms.batches AS batch, sms.accounts AS own
     WHERE batch.state = 'unknown' AND own.label = :label AND coalesce(batch.account, {FIRST_ACCOUNT}) <> own.account
""")


def stranded(connection: Connection, label: str) -> Stranded | None:
    """What left under another account and has no answer yet; None where nothing does."""
    row = connection.execute(_STRANDED, {"label": label}).one()
    return None if not row.batches else Stranded(row.batches, int(row.messages), row.since)
