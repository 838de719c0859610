"""The gateway's block lists, a line at a time: what they say, what they lack, and how far each is synchronised.

One worker works on a line at a time. Every page and every chunk is a commit of its own that also moves the lease on;
who has lost the lease writes nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from campaigns.rules.suppression import BLOCKED_BY_SERVICE, NOT_WRITTEN, Reason, of_blockreason
from campaigns.store import suppressions
from campaigns.store.gate import MAY_ACT
from campaigns.store.suppressions import New

WHOLE_EVERY: Final = timedelta(days=1)
"""How often a list is gone through from its beginning; in between, only what is new is asked for."""
OVERLAP: Final = timedelta(hours=6)
"""How far back what is new begins: the gateway's clock is not ours, and its time zone may not be what it says."""
STALE_AFTER: Final = timedelta(hours=1)
"""When a pull that stopped half-way begins anew: its pages have moved."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A line that is ours until its lease ends. Its pull goes on at `page`, of what was blocked since `since`.

    Where the turn before came to the end of the list, and to no end of its own, `page` and `began_at` are None.
    """

    line: str
    owner: UUID
    page: int | None
    began_at: datetime | None
    since: datetime | None  # None: the whole list


@dataclass(frozen=True, slots=True)
class Blocked:
    """A number on a line's list; `reason` is the gateway's, `blocked_at` None where it does not tell when."""

    number: str = field(repr=False)
    reason: int
    blocked_at: datetime | None


# ── whose turn it is ──

# Which lines do we know: those that are pulled, and those that campaigns were sent from?
_LINES: Final = text("SELECT line FROM sms.lines UNION SELECT sender FROM sms.campaigns WHERE sender <> '' ORDER BY 1")


def lines(connection: Connection) -> list[str]:
    """Every line that we know of."""
    return list(connection.execute(_LINES).scalars())


# A line that is new here is due at once.
_NOTE: Final = text("""
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
    """The lines whose lists are to be synchronised now."""
    known = {"lines": lines(connection), "now": now}
    connection.execute(_NOTE, known)
    return list(connection.execute(_DUE, known).scalars())


# Does nobody work on this line? Then it is ours until the lease ends. Its pull goes on, or begins anew; one that came
# to its end in a turn that did not is not made again.
_CLAIM: Final = text(f"""
    WITH free AS (
        SELECT line, page IS NOT NULL AND began_at > :stale AS goes_on,
               page IS NULL AND complete_to > :stale AND (synced_at IS NULL OR synced_at < complete_to) AS pulled,
               CASE WHEN whole_at > :whole THEN complete_to - CAST(:overlap AS interval) END AS newest
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


def claim(
    connection: Connection, line: str, *, owner: UUID, now: datetime, lease: timedelta, at_once: bool = False
) -> Turn | None:
    """The line, to be synchronised now; None while somebody else does, or, unless `at_once`, before it is due."""
    connection.execute(_NOTE, {"lines": [line], "now": now})
    row = connection.execute(
        _CLAIM,
        {
            "line": line,
            "owner": owner,
            "now": now,
            "lease_ends": now + lease,
            "stale": now - STALE_AFTER,
            "whole": now - WHOLE_EVERY,
            "overlap": OVERLAP,
            "at_once": at_once,
        },
    ).one_or_none()
    return None if row is None else Turn(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public way to a row's names


# Is it still our turn? Then it lasts longer.
_STAY: Final = text("UPDATE sms.blocklists SET due_at = :lease_ends WHERE line = :line AND lease_owner = :owner")


def stay(connection: Connection, turn: Turn, *, lease_ends: datetime) -> bool:
    """Move the lease on; False when it is somebody else's turn by now."""
    holder = {"line": turn.line, "owner": turn.owner}
    return bool(connection.execute(_STAY, {**holder, "lease_ends": lease_ends}).rowcount)


# Our turn is over; with nothing left to do, the line is synchronised.
_LEAVE: Final = text("""
    UPDATE sms.blocklists
       SET lease_owner = NULL, due_at = :due_at, trouble = :trouble,
           synced_at = CASE WHEN :whole THEN :now ELSE synced_at END
     WHERE line = :line AND lease_owner = :owner
""")


def leave(
    connection: Connection, turn: Turn, *, due_at: datetime, trouble: str | None, whole: bool, now: datetime
) -> None:
    """The turn is over, and `whole` if nothing was left to do; the next is at `due_at`."""
    ending = {"due_at": due_at, "trouble": trouble, "whole": whole, "now": now}
    connection.execute(_LEAVE, {"line": turn.line, "owner": turn.owner, **ending})


# ── from the gateway to us ──

_NOT_OURS: Final = ", ".join(f"'{reason}'" for reason in NOT_WRITTEN)
_LISTED: Final = """
    unnest(CAST(:numbers AS text[]), CAST(:reasons AS smallint[]), CAST(:blocked_ats AS timestamptz[]))
        AS listed (number, reason, blocked_at)
"""

# Who on this page is not suppressed yet, and when was the entry made? That of a number which a person lifted is news
# only where it is not the one that stood there already. It was made after the last look that would have shown it: our
# clock tells that, and overrules an older date. Where nothing but the gateway's date can tell, an entry of the web
# service counts as our own: written for what the person lifted since, and its answer was lost.
_NEWS: Final = text(f"""
    SELECT listed.number, listed.reason,
           least(:now, greatest(
               CASE WHEN listed.blocked_at >= looked.complete_to - CAST(:overlap AS interval) THEN looked.complete_to
                    ELSE looked.whole_at END,
               CASE WHEN seen.number IS NOT NULL OR looked.complete_to IS NULL
                         OR listed.reason <> {BLOCKED_BY_SERVICE} OR known.reason IN ({_NOT_OURS})
                    THEN coalesce(listed.blocked_at, :now) END)) AS made_at
      FROM {_LISTED}
      JOIN sms.blocklists AS looked ON looked.line = :line
      LEFT JOIN sms.suppressions AS known ON known.number = listed.number
      LEFT JOIN sms.blocked AS seen ON seen.line = :line AND seen.number = listed.number
     WHERE known.number IS NULL OR (known.lifted_at IS NULL AND known.reason = '{Reason.UNREACHABLE}')
        OR (known.lifted_at IS NOT NULL
            AND (seen.number IS NULL OR seen.reason <> listed.reason OR listed.blocked_at > seen.blocked_at
                 OR (seen.removed_at IS NOT NULL AND (listed.blocked_at IS NULL OR seen.blocked_at IS NULL))))
""")
# What does the list say of them now?
_SEE: Final = text(f"""
    INSERT INTO sms.blocked AS known (line, number, reason, blocked_at, seen_at)
    SELECT :line, number, reason, blocked_at, :now FROM {_LISTED} ORDER BY number
        ON CONFLICT (line, number) DO UPDATE
       SET reason = excluded.reason, blocked_at = coalesce(excluded.blocked_at, known.blocked_at), seen_at = :now,
           removed_at = NULL
""")


def see(connection: Connection, turn: Turn, page: Sequence[Blocked], *, now: datetime) -> int:
    """Keep what a page of a line's list says, and suppress who stands on it; how many numbers are new to us."""
    found = {each.number: each for each in page}.values()
    listed = {
        "line": turn.line,
        "numbers": [each.number for each in found],
        "reasons": [each.reason for each in found],
        "blocked_ats": [each.blocked_at for each in found],
        "overlap": OVERLAP,
        "now": now,
    }
    source = f"the list of line {turn.line}"
    rows = connection.execute(_NEWS, listed)
    news = [New(row.number, of_blockreason(row.reason), source, row.made_at) for row in rows]
    connection.execute(_SEE, listed)
    return suppressions.add_each(connection, news, now=now)


def turn_page(connection: Connection, turn: Turn, *, page: int) -> None:
    """The page before is kept; the pull goes on at this one."""
    connection.execute(text("UPDATE sms.blocklists SET page = :page WHERE line = :line"), {**_of(turn), "page": page})


# What a whole list did not show any more is off it.
_FORGET: Final = text("DELETE FROM sms.blocked WHERE line = :line AND seen_at < :began_at")
# The list is gone through.
_DONE: Final = text("""
    UPDATE sms.blocklists
       SET page = NULL, began_at = NULL, since = NULL, complete_to = :began_at,
           whole_at = CASE WHEN :whole THEN :began_at ELSE whole_at END
     WHERE line = :line
""")


def complete(connection: Connection, turn: Turn) -> None:
    """The last page is kept. Who is no longer on the list stays suppressed here until a person lifts it."""
    whole = turn.since is None
    if whole:
        connection.execute(_FORGET, {**_of(turn), "began_at": turn.began_at})
    connection.execute(_DONE, {**_of(turn), "began_at": turn.began_at, "whole": whole})


def _of(turn: Turn) -> dict[str, str]:
    return {"line": turn.line}
