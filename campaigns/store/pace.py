"""What the gateway has taught the pace, kept where neither a flush nor a restart of Redis reaches.

Nobody waits for this: Redis keeps the pace, and comes here only once it knows nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Remembered:
    """The last good rate of an account.

    `rate` is the most calls a second that the gateway took, `refused` the least that it did not, None if it took all;
    `at` is when that was last confirmed, on the clock of the Redis server.
    """

    rate: float
    refused: float | None
    at: datetime


# What had the gateway taught this account, or else the one that called last from the same address? A label is the
# address's and, behind a hyphen, the key's; labels of before had the key's alone.
_RECALL: Final = text("""
    SELECT rate, refused, learnt_at FROM sms.pace
     WHERE split_part(label, '-', 1) = split_part(:label, '-', 1) OR label = split_part(:label, '-', 2)
  ORDER BY label = :label DESC, learnt_at DESC LIMIT 1
""")


def recall(connection: Connection, account: str) -> Remembered | None:
    """What is known of `account`, the label under which the pace keeps it; None where nothing is.

    Too many calls are counted by address: of a new key is known what the last one of the same address was taught.
    """
    row = connection.execute(_RECALL, {"label": account}).one_or_none()
    return None if row is None else Remembered(row.rate, row.refused, row.learnt_at)


# This is what it teaches now.
_REMEMBER: Final = text("""
    INSERT INTO sms.pace (label, rate, refused, learnt_at) VALUES (:label, :rate, :refused, :at)
        ON CONFLICT (label) DO UPDATE
       SET rate = excluded.rate, refused = excluded.refused, learnt_at = excluded.learnt_at
""")


def remember(connection: Connection, account: str, known: Remembered) -> None:
    """Replace what is known of `account`."""
    connection.execute(_REMEMBER, {"label": account, "rate": known.rate, "refused": known.refused, "at": known.at})
