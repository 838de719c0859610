"""The gateway's block lists, a line at a time: their entries, missing entries, and the progress of each list's sync.

One worker works on a line at a time. Every page and every chunk is a commit of its own that also renews the lease; a
worker that has lost the lease writes no more rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from kavenegar_campaigns.rules.suppression import (
    NOT_WRITTEN_TO_GATEWAY,
    REMOVABLE_BLOCKREASONS,
    SERVICE_BLOCKREASON,
    SuppressionReason,
    reason_of_blockreason,
)
from kavenegar_campaigns.store import in_one_commit, suppressions
from kavenegar_campaigns.store.gate import MAY_ACT
from kavenegar_campaigns.store.suppressions import REFUSED_RETRY_AFTER, NewSuppression

FULL_PULL_EVERY: Final = timedelta(days=1)
"""How often a list is pulled whole; in between, only its new entries are pulled."""
OVERLAP: Final = timedelta(hours=6)
"""How far back a pull of new entries begins: the gateway's clock and time zone may differ from ours."""
STALE_AFTER: Final = timedelta(hours=1)
"""After this time a pull that stopped half-way begins anew: its pages have moved."""


@dataclass(frozen=True, slots=True)
class ListSync:
    """A claimed line, ours until its lease ends. Its pull continues at `page`, with entries blocked since `since`.

    `page` and `began_at` are None where the sync before pulled the list to its end, but did not finish itself.
    """

    line: str
    owner: UUID
    page: int | None
    began_at: datetime | None
    since: datetime | None  # None: the whole list


@dataclass(frozen=True, slots=True)
class ListedNumber:
    """A number on a line's list; `reason` is the gateway's, `blocked_at` None where the gateway gives no time."""

    number: str = field(repr=False)
    reason: int
    blocked_at: datetime | None


# ── claims ──

# Which lines do we know: the lines of the inbox, and the lines that campaigns were sent from?
_KNOWN_LINES: Final = text(
    "SELECT line FROM sms.lines UNION SELECT sender FROM sms.campaigns WHERE sender <> '' ORDER BY 1"
)


def known_lines(connection: Connection) -> list[str]:
    """Return every known line."""
    return list(connection.execute(_KNOWN_LINES).scalars())


# Add new lines, which are due at once.
_ADD_LINES: Final = text("""
    INSERT INTO sms.blocklists (line, due_at) SELECT line, :now FROM unnest(CAST(:lines AS text[])) AS line
  ORDER BY line ON CONFLICT (line) DO NOTHING
""")
# Which of these lines are due?
_DUE: Final = text(f"""
    SELECT line FROM sms.blocklists
     WHERE line = ANY (CAST(:lines AS text[])) AND due_at <= :now AND {MAY_ACT}
  ORDER BY due_at, line
""")


def due(connection: Connection, *, now: datetime) -> list[str]:
    """Return the lines whose lists are due to be synchronised; adds new lines first."""
    known = {"lines": known_lines(connection), "now": now}
    connection.execute(_ADD_LINES, known)
    return list(connection.execute(_DUE, known).scalars())


# Is this line due and not claimed? Claim it until the lease ends. Its pull continues, or begins anew; a pull that
# reached the end of the list in an unfinished sync is not repeated.
_CLAIM: Final = text(f"""
    WITH free AS (
        SELECT line, page IS NOT NULL AND began_at > :stale AS goes_on,
               page IS NULL AND complete_to > :stale AND (synced_at IS NULL OR synced_at < complete_to) AS pulled,
               CASE WHEN last_full_pull_at > :whole THEN complete_to - CAST(:overlap AS interval) END AS newest
          FROM sms.blocklists
         WHERE line = :line AND (due_at <= :now OR (lease_owner IS NULL AND :at_once)) AND {MAY_ACT}
           FOR UPDATE
    )
    UPDATE sms.blocklists AS mine
       SET lease_owner = :owner, due_at = :lease_ends,
           page = CASE WHEN goes_on OR pulled THEN page ELSE 1 END,
           began_at = CASE WHEN goes_on OR pulled THEN began_at ELSE :now END,
           since = CASE WHEN goes_on THEN since ELSE newest END
      FROM free WHERE mine.line = free.line
 RETURNING mine.line, mine.lease_owner AS owner, mine.page, mine.began_at, mine.since
""")


@in_one_commit
def claim(
    connection: Connection, line: str, *, owner: UUID, now: datetime, lease: timedelta, at_once: bool = False
) -> ListSync | None:
    """Claim a line, to synchronise its list now. Returns None while it is claimed, or not due unless `at_once`."""
    connection.execute(_ADD_LINES, {"lines": [line], "now": now})
    mine = {"line": line, "owner": owner, "now": now, "lease_ends": now + lease, "at_once": at_once}
    times = {"stale": now - STALE_AFTER, "whole": now - FULL_PULL_EVERY, "overlap": OVERLAP}
    row = connection.execute(_CLAIM, {**mine, **times}).one_or_none()
    return None if row is None else ListSync(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public way to a row's names


# Does this claim still own the lease? Renew it.
_RENEW: Final = text("UPDATE sms.blocklists SET due_at = :lease_ends WHERE line = :line AND lease_owner = :owner")


def renew(connection: Connection, sync: ListSync, *, lease_ends: datetime) -> bool:
    """Renew the lease. Returns False when the lease is lost."""
    holder = {"line": sync.line, "owner": sync.owner}
    return bool(connection.execute(_RENEW, {**holder, "lease_ends": lease_ends}).rowcount)


# Release the line; if no work is left, it is synchronised.
_RELEASE: Final = text("""
    UPDATE sms.blocklists
       SET lease_owner = NULL, due_at = :due_at, trouble = :trouble,
           synced_at = CASE WHEN :whole THEN :now ELSE synced_at END
     WHERE line = :line AND lease_owner = :owner
""")


def release(
    connection: Connection, sync: ListSync, *, due_at: datetime, trouble: str | None, whole: bool, now: datetime
) -> None:
    """Release a line, due again at `due_at`; with `whole`, no work was left and the line is synchronised."""
    ending = {"due_at": due_at, "trouble": trouble, "whole": whole, "now": now}
    connection.execute(_RELEASE, {"line": sync.line, "owner": sync.owner, **ending})


# ── from the gateway to us ──

_NOT_OURS: Final = ", ".join(f"'{reason}'" for reason in NOT_WRITTEN_TO_GATEWAY)
_LISTED: Final = """
    unnest(CAST(:numbers AS text[]), CAST(:reasons AS smallint[]), CAST(:blocked_ats AS timestamptz[]))
        AS listed (number, reason, blocked_at)
"""

# Which numbers on this page are not suppressed, and when was each entry made? For a lifted number, only a new entry
# counts. An entry was made after the last pull that would have shown it: this time, by our clock, overrules an older
# date. Where only the gateway's date exists, an entry of the web service counts as our own: we wrote it before the
# lifting, and its answer was lost.
_NEWS: Final = text(f"""
    SELECT listed.number, listed.reason,
           least(:now, greatest(
               CASE WHEN listed.blocked_at >= looked.complete_to - CAST(:overlap AS interval) THEN looked.complete_to
                    ELSE looked.last_full_pull_at END,
               CASE WHEN seen.number IS NOT NULL OR looked.complete_to IS NULL
                         OR listed.reason <> {SERVICE_BLOCKREASON} OR known.reason IN ({_NOT_OURS})
                    THEN coalesce(listed.blocked_at, :now) END)) AS made_at
      FROM {_LISTED}
      JOIN sms.blocklists AS looked ON looked.line = :line
      LEFT JOIN sms.suppressions AS known ON known.number = listed.number
      LEFT JOIN sms.blocklist_entries AS seen ON seen.line = :line AND seen.number = listed.number
     WHERE known.number IS NULL OR (known.lifted_at IS NULL AND known.reason = '{SuppressionReason.UNREACHABLE}')
        OR (known.lifted_at IS NOT NULL
            AND (seen.number IS NULL OR seen.reason <> listed.reason OR listed.blocked_at > seen.blocked_at
                 OR (seen.removed_at IS NOT NULL AND (listed.blocked_at IS NULL OR seen.blocked_at IS NULL))))
""")
# Record the entries of this page.
_RECORD_PAGE: Final = text(f"""
    INSERT INTO sms.blocklist_entries AS known (line, number, reason, blocked_at, seen_at)
    SELECT :line, number, reason, blocked_at, :now FROM {_LISTED} ORDER BY number
        ON CONFLICT (line, number) DO UPDATE
       SET reason = excluded.reason, blocked_at = coalesce(excluded.blocked_at, known.blocked_at), seen_at = :now,
           removed_at = NULL
""")


def record_page(connection: Connection, sync: ListSync, page: Sequence[ListedNumber], *, now: datetime) -> int:
    """Record a page of a line's list, and suppress its numbers. Returns how many numbers are newly suppressed."""
    found = {each.number: each for each in page}.values()
    listed = {
        "line": sync.line,
        "numbers": [each.number for each in found],
        "reasons": [each.reason for each in found],
        "blocked_ats": [each.blocked_at for each in found],
        "overlap": OVERLAP,
        "now": now,
    }
    source = f"the list of line {sync.line}"
    rows = connection.execute(_NEWS, listed)
    news = [NewSuppression(row.number, reason_of_blockreason(row.reason), source, row.made_at) for row in rows]
    connection.execute(_RECORD_PAGE, listed)
    return suppressions.add_dated(connection, news, now=now)


def next_page(connection: Connection, sync: ListSync, *, page: int) -> None:
    """Continue the pull at `page`: the page before is recorded."""
    connection.execute(text("UPDATE sms.blocklists SET page = :page WHERE line = :line"), {**_of(sync), "page": page})


# Delete entries that a whole pull of the list did not show.
_DROP_UNSEEN: Final = text("DELETE FROM sms.blocklist_entries WHERE line = :line AND seen_at < :began_at")
# The pull of the list is complete.
_COMPLETE: Final = text("""
    UPDATE sms.blocklists
       SET page = NULL, began_at = NULL, since = NULL, complete_to = :began_at,
           last_full_pull_at = CASE WHEN :whole THEN :began_at ELSE last_full_pull_at END
     WHERE line = :line
""")


def complete(connection: Connection, sync: ListSync) -> None:
    """Complete the pull after its last page. A number that left the list stays suppressed until a person lifts it."""
    whole = sync.since is None
    if whole:
        connection.execute(_DROP_UNSEEN, {**_of(sync), "began_at": sync.began_at})
    connection.execute(_COMPLETE, {**_of(sync), "began_at": sync.began_at, "whole": whole})


def _of(sync: ListSync) -> dict[str, str]:
    return {"line": sync.line}


# ── from us to the gateway ──

# Which suppressed numbers does the line's list lack? A number that the gateway refused is tried again after a while.
_TO_BLOCK: Final = text(f"""
    SELECT number FROM sms.suppressions AS ours
     WHERE lifted_at IS NULL AND reason NOT IN ({_NOT_OURS}) AND number > :after AND number ~ '^09[0-9]{{9}}$'
       AND (refused_at IS NULL OR refused_at <= :refused)
       AND NOT EXISTS (SELECT FROM sms.blocklist_entries
                        WHERE line = :line AND blocklist_entries.number = ours.number AND removed_at IS NULL)
  ORDER BY number LIMIT :most
""")
# Record numbers that the gateway has added. An entry already on the list keeps its reason until the next whole pull.
_RECORD_BLOCKED: Final = text("""
    INSERT INTO sms.blocklist_entries (line, number, reason, blocked_at, seen_at)
    SELECT :line, number, :reason, NULL, CAST(:now AS timestamptz) FROM unnest(CAST(:numbers AS text[])) AS number
  ORDER BY number ON CONFLICT (line, number) DO UPDATE
       SET reason = excluded.reason, blocked_at = NULL, seen_at = :now, removed_at = NULL
     WHERE blocklist_entries.removed_at IS NOT NULL
""")


def numbers_to_block(connection: Connection, line: str, *, after: str, most: int, now: datetime) -> list[str]:
    """Return the next suppressed numbers that a line's list lacks, in order, after the number `after`."""
    return _next_numbers(connection, _TO_BLOCK, line, after=after, most=most, now=now)


def _next_numbers(
    connection: Connection, which: TextClause, line: str, *, after: str, most: int, now: datetime
) -> list[str]:
    place = {"line": line, "after": after, "most": most, "refused": now - REFUSED_RETRY_AFTER}
    return list(connection.execute(which, place).scalars())


def record_blocked(connection: Connection, line: str, numbers: Sequence[str], *, now: datetime) -> None:
    """Record that these numbers are on the line's list now."""
    written = {"line": line, "numbers": list(numbers), "reason": SERVICE_BLOCKREASON, "now": now}
    connection.execute(_RECORD_BLOCKED, written)


# Which lifted numbers are still on the list, for a reason that may be removed?
_TO_UNBLOCK: Final = text(f"""
    SELECT held.number
      FROM sms.blocklist_entries AS held JOIN sms.suppressions AS ours ON ours.number = held.number
     WHERE held.line = :line AND held.number > :after AND ours.lifted_at IS NOT NULL AND held.removed_at IS NULL
       AND (ours.refused_at IS NULL OR ours.refused_at <= :refused)
       AND held.reason IN ({", ".join(map(str, REMOVABLE_BLOCKREASONS))})
  ORDER BY held.number LIMIT :most
""")


# Mark these entries removed. The rows stay: the gateway may be slow, and show the old entry again.
_RECORD_UNBLOCKED: Final = text("""
    UPDATE sms.blocklist_entries SET removed_at = :now WHERE line = :line AND number = ANY (CAST(:numbers AS text[]))
""")


def numbers_to_unblock(connection: Connection, line: str, *, after: str, most: int, now: datetime) -> list[str]:
    """Return the next lifted numbers that are on a line's list, in order, after the number `after`."""
    return _next_numbers(connection, _TO_UNBLOCK, line, after=after, most=most, now=now)


def record_unblocked(connection: Connection, line: str, numbers: Sequence[str], *, now: datetime) -> None:
    """Record that these numbers are off the line's list now."""
    connection.execute(_RECORD_UNBLOCKED, {"line": line, "numbers": list(numbers), "now": now})
