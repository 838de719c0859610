"""What a line's block list lacks and what it holds too much, and what the gateway took of that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, TextClause, text

from campaigns.rules.suppression import NOT_WRITTEN_TO_GATEWAY, REMOVABLE_BLOCKREASONS, SERVICE_BLOCKREASON
from campaigns.store import in_one_commit

REFUSED_RETRY_AFTER: Final = timedelta(days=7)
"""When a number is tried again that the gateway refused."""

_NOT_OURS: Final = ", ".join(f"'{reason}'" for reason in NOT_WRITTEN_TO_GATEWAY)

# Whom does the line's list lack? A number that the gateway refused is tried again after a while.
_TO_BLOCK: Final = text(f"""
    SELECT number FROM sms.suppressions AS ours
     WHERE lifted_at IS NULL AND reason NOT IN ({_NOT_OURS}) AND number > :after AND number ~ '^09[0-9]{{9}}$'
       AND (refused_at IS NULL OR refused_at <= :refused)
       AND NOT EXISTS (SELECT FROM sms.blocklist_entries
                        WHERE line = :line AND blocklist_entries.number = ours.number AND removed_at IS NULL)
  ORDER BY number LIMIT :most
""")
# What the gateway has taken is on the list since now. Why those stood there that did before, the whole list tells.
_RECORD_BLOCKED: Final = text("""
    INSERT INTO sms.blocklist_entries (line, number, reason, blocked_at, seen_at)
    SELECT :line, number, :reason, NULL, CAST(:now AS timestamptz) FROM unnest(CAST(:numbers AS text[])) AS number
  ORDER BY number ON CONFLICT (line, number) DO UPDATE
       SET reason = excluded.reason, blocked_at = NULL, seen_at = :now, removed_at = NULL
     WHERE blocklist_entries.removed_at IS NOT NULL
""")


def numbers_to_block(connection: Connection, line: str, *, after: str, most: int, now: datetime) -> list[str]:
    """The next numbers that we suppressed and that a line's list has not, in order, from behind `after`."""
    return _next_numbers(connection, _TO_BLOCK, line, after=after, most=most, now=now)


def _next_numbers(
    connection: Connection, which: TextClause, line: str, *, after: str, most: int, now: datetime
) -> list[str]:
    place = {"line": line, "after": after, "most": most, "refused": now - REFUSED_RETRY_AFTER}
    return list(connection.execute(which, place).scalars())


def record_blocked(connection: Connection, line: str, numbers: Sequence[str], *, now: datetime) -> None:
    """These stand on the line's list now."""
    written = {"line": line, "numbers": list(numbers), "reason": SERVICE_BLOCKREASON, "now": now}
    connection.execute(_RECORD_BLOCKED, written)


# Whom has a person lifted, whom the list still holds for a reason that may be removed?
_TO_UNBLOCK: Final = text(f"""
    SELECT held.number
      FROM sms.blocklist_entries AS held JOIN sms.suppressions AS ours ON ours.number = held.number
     WHERE held.line = :line AND held.number > :after AND ours.lifted_at IS NOT NULL AND held.removed_at IS NULL
       AND (ours.refused_at IS NULL OR ours.refused_at <= :refused)
       AND held.reason IN ({", ".join(map(str, REMOVABLE_BLOCKREASONS))})
  ORDER BY held.number LIMIT :most
""")


# These are off the list. What stood there is still known: the gateway may take its time, and show the same entry again.
_RECORD_UNBLOCKED: Final = text("""
    UPDATE sms.blocklist_entries SET removed_at = :now WHERE line = :line AND number = ANY (CAST(:numbers AS text[]))
""")
# The gateway takes this for no number.
_RECORD_REFUSED: Final = text("UPDATE sms.suppressions SET refused_at = :now WHERE number = :number")
# How many numbers has it refused of late?
_COUNT_REFUSED: Final = text("SELECT count(*) FROM sms.suppressions WHERE refused_at > :refused")


def numbers_to_unblock(connection: Connection, line: str, *, after: str, most: int, now: datetime) -> list[str]:
    """The next numbers that were lifted and that a line's list holds, in order, from behind `after`."""
    return _next_numbers(connection, _TO_UNBLOCK, line, after=after, most=most, now=now)


def record_unblocked(connection: Connection, line: str, numbers: Sequence[str], *, now: datetime) -> None:
    """These are off the line's list now."""
    connection.execute(_RECORD_UNBLOCKED, {"line": line, "numbers": list(numbers), "now": now})


def record_refused(connection: Connection, number: str, *, now: datetime) -> None:
    """The gateway refused this number itself: it is left as it is on all lists until it is tried again."""
    connection.execute(_RECORD_REFUSED, {"number": number, "now": now})


@in_one_commit
def count_refused(connection: Connection, *, now: datetime) -> int:
    """How many numbers are left as they are, because the gateway refused them."""
    return int(connection.execute(_COUNT_REFUSED, {"refused": now - REFUSED_RETRY_AFTER}).scalar_one())
