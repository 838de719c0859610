"""The lines of the inbox: which lines are due, claims to pull one, and since when messages of a line may be lost.

A claim sets `needs_reconcile_since` in advance: its own commit records that from now on an answer may be lost. Only an
ending without a lost answer resets it, so it stays set when a worker dies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from kavenegar_campaigns.errors import NotFound
from kavenegar_campaigns.store import in_one_commit
from kavenegar_campaigns.store.gate import MAY_ACT


@dataclass(frozen=True, slots=True)
class Line:
    """A row of `sms.lines`.

    `needs_reconcile_since`: since then the gateway may have messages marked as read that are not stored here.
    `complete_to`: all messages that the gateway had handed out by then, or that were unread, are stored. `trouble` is
    the reason why the last pull ended early.
    """

    line: str
    every: timedelta
    enabled: bool
    from_settings: bool
    due_at: datetime
    leased_until: datetime | None
    needs_reconcile_since: datetime | None
    complete_to: datetime | None
    reconcile_at: datetime
    pulled_at: datetime | None
    reconciled_at: datetime | None
    trouble: str | None


@dataclass(frozen=True, slots=True)
class LineClaim:
    """A claimed line, ours to pull until the lease ends. `(owner, attempt)` is the fence.

    `needs_reconcile_since` is the value from before this claim, which an earlier worker left.
    """

    line: str
    owner: UUID
    attempt: int
    claimed_at: datetime
    lease_ends: datetime
    every: timedelta
    needs_reconcile_since: datetime | None
    complete_to: datetime | None
    reconcile_at: datetime
    reconciled_at: datetime | None
    reconcile_began_at: datetime | None
    reconciled_to: datetime | None
    full_reconcile_at: datetime | None


@dataclass(frozen=True, slots=True)
class LineEnding:
    """The end of a claim. Each of the last five fields that is None keeps its value in the row.

    `reconcile_began_at` and `reconciled_to` are None where no reconcile is under way.
    """

    due_at: datetime
    needs_reconcile_since: datetime | None
    trouble: str | None = None
    reconcile_began_at: datetime | None = None
    reconciled_to: datetime | None = None
    complete_to: datetime | None = None
    pulled_at: datetime | None = None
    reconciled_at: datetime | None = None
    reconcile_at: datetime | None = None
    full_reconcile_at: datetime | None = None


# Add or update the lines that the settings name, except lines that a person has changed.
_SYNC_SETTINGS: Final = text("""
    INSERT INTO sms.lines AS known (line, every, from_settings, due_at, reconcile_at)
    SELECT line, every, true, :now, :now
      FROM unnest(CAST(:lines AS text[]), CAST(:everies AS interval[])) AS wanted (line, every)
  ORDER BY line
        ON CONFLICT (line) DO UPDATE
       SET every = excluded.every, enabled = true, due_at = least(known.due_at, excluded.due_at)
     WHERE known.from_settings AND (known.every <> excluded.every OR NOT known.enabled)
""")
# Disable the lines that the settings no longer name.
_RETIRE: Final = text("""
    UPDATE sms.lines SET enabled = false
     WHERE from_settings AND enabled AND line <> ALL (CAST(:lines AS text[]))
""")


def sync_settings(connection: Connection, wanted: Mapping[str, timedelta], *, now: datetime) -> None:
    """Write the lines of the settings and their intervals. A line that a person has changed stays as it is."""
    parameters = {"lines": list(wanted), "everies": list(wanted.values()), "now": now}
    connection.execute(_SYNC_SETTINGS, parameters)
    connection.execute(_RETIRE, parameters)


_COLUMNS: Final = ", ".join(Line.__slots__)

# A person changes a line's interval, or enables or disables it. From now on the settings do not change this line.
_CHANGE: Final = text(f"""
    INSERT INTO sms.lines AS known (line, every, enabled, due_at, reconcile_at)
    VALUES (:line, coalesce(CAST(:every AS interval), :otherwise), coalesce(CAST(:enabled AS boolean), true),
            :now, :now)
        ON CONFLICT (line) DO UPDATE
       SET every = coalesce(CAST(:every AS interval), known.every),
           enabled = coalesce(CAST(:enabled AS boolean), known.enabled),
           from_settings = false, due_at = least(known.due_at, :now)
 RETURNING {_COLUMNS}
""")


def change(
    connection: Connection,
    line: str,
    *,
    every: timedelta | None,
    enabled: bool | None,
    otherwise: timedelta,
    now: datetime,
) -> Line:
    """Change a line, or add one. An argument that is None changes nothing; a new line without an interval is pulled
    every `otherwise`. Returns the line.
    """
    parameters = {"line": line, "every": every, "enabled": enabled, "otherwise": otherwise, "now": now}
    return _line(connection.execute(_CHANGE, parameters).mappings().one())


# Which lines are there?
_ALL: Final = text(f"SELECT {_COLUMNS} FROM sms.lines ORDER BY line")
# Which row does this line have?
_ONE: Final = text(f"SELECT {_COLUMNS} FROM sms.lines WHERE line = :line")


def listed(connection: Connection) -> list[Line]:
    """Return every line, disabled ones included."""
    return [_line(row) for row in connection.execute(_ALL).mappings()]


def read(connection: Connection, line: str) -> Line:
    """Return a line's row. Raises: NotFound."""
    row = connection.execute(_ONE, {"line": line}).mappings().one_or_none()
    if row is None:
        raise NotFound(f"{line} is no line that is pulled: add it with `campaigns inbox line {line} --every 1m`")
    return _line(row)


def _line(row: RowMapping) -> Line:
    return Line(**{name: row[name] for name in Line.__slots__})


# A worker whose lease has just expired may still wait for an answer: the line is skipped until then. A copy of a
# database pulls no line: the original would not get the messages that the copy reads.
_FREE: Final = f"enabled AND due_at <= :now AND (leased_until IS NULL OR leased_until <= :settled) AND {MAY_ACT}"

# Which lines are due? So few that, with the claimed lines, only a few threads of the workers are busy with pulls.
_DUE: Final = text(f"""
    SELECT line FROM sms.lines WHERE {_FREE}
  ORDER BY due_at, line
     LIMIT greatest(0, :most - (SELECT count(*) FROM sms.lines WHERE leased_until > :now))
""")
# Can this line be claimed? The check comes before a slot of the pace is spent: tasks come late, and twice.
_IS_DUE: Final = text(f"SELECT EXISTS (SELECT FROM sms.lines WHERE line = :line AND {_FREE})")


def due(connection: Connection, *, now: datetime, unknown_grace: timedelta, most: int) -> list[str]:
    """Return the lines to pull, the longest due first, so that at most `most` are pulled at once."""
    return [row.line for row in connection.execute(_DUE, {"now": now, "settled": now - unknown_grace, "most": most})]


@in_one_commit
def is_due(connection: Connection, line: str, *, now: datetime, unknown_grace: timedelta) -> bool:
    """Return whether a line is due and not claimed. Only a claim decides."""
    return bool(connection.execute(_IS_DUE, {"line": line, "now": now, "settled": now - unknown_grace}).scalar_one())


def make_due(connection: Connection, line: str, *, now: datetime) -> None:
    """Make a line due now, whatever its interval. Raises: NotFound."""
    read(connection, line)
    connection.execute(
        text("UPDATE sms.lines SET due_at = least(due_at, :now) WHERE line = :line"), {"line": line, "now": now}
    )


@in_one_commit
def postpone(connection: Connection, line: str, *, due_at: datetime) -> None:
    """Make an unclaimed line due at `due_at`, because the pace has no slot before."""
    connection.execute(
        text("UPDATE sms.lines SET due_at = greatest(due_at, :due_at) WHERE line = :line AND lease_owner IS NULL"),
        {"line": line, "due_at": due_at},
    )


# Is this line due and not claimed? Claim it; from this commit on it needs a reconcile.
_CLAIM: Final = text(f"""
    WITH before AS (
        SELECT line, needs_reconcile_since FROM sms.lines WHERE line = :line AND {_FREE} FOR UPDATE SKIP LOCKED
    )
    UPDATE sms.lines AS line
       SET lease_owner = :owner, leased_until = :lease_ends, attempt = line.attempt + 1,
           needs_reconcile_since = coalesce(line.needs_reconcile_since, :now)
      FROM before WHERE line.line = before.line
 RETURNING line.line, line.lease_owner AS owner, line.attempt, line.leased_until AS lease_ends, line.every,
           before.needs_reconcile_since, line.complete_to, line.reconcile_at, line.reconciled_at,
           line.reconcile_began_at, line.reconciled_to, line.full_reconcile_at
""")


@in_one_commit
def claim(
    connection: Connection, line: str, *, owner: UUID, now: datetime, lease: timedelta, unknown_grace: timedelta
) -> LineClaim | None:
    """Claim a line, to pull it now. Returns None when it is not due, disabled, or claimed by another call."""
    parameters = {"line": line, "owner": owner, "now": now, "lease_ends": now + lease, "settled": now - unknown_grace}
    row = connection.execute(_CLAIM, parameters).mappings().one_or_none()
    return None if row is None else LineClaim(claimed_at=now, **row)


_FENCE: Final = "line = :line AND lease_owner = :owner AND attempt = :attempt"

# Messages were stored: the lease begins anew, and `complete_to` is updated.
_RENEW: Final = text(f"""
    UPDATE sms.lines SET leased_until = :lease_ends, complete_to = greatest(complete_to, CAST(:to AS timestamptz))
     WHERE {_FENCE}
""")


@in_one_commit
def renew(
    connection: Connection, claim: LineClaim, *, lease_ends: datetime, complete_to: datetime | None = None
) -> bool:
    """Renew the lease of a line. Returns False when the lease is lost: the caller then sends no more requests."""
    return bool(connection.execute(_RENEW, {**_fence(claim), "lease_ends": lease_ends, "to": complete_to}).rowcount)


# The pull is over: write how it ended.
_RELEASE: Final = text(f"""
    UPDATE sms.lines
       SET lease_owner = NULL, leased_until = NULL, due_at = :due_at, needs_reconcile_since = :needs_reconcile_since,
           trouble = :trouble, complete_to = greatest(complete_to, CAST(:complete_to AS timestamptz)),
           pulled_at = coalesce(:pulled_at, pulled_at), reconciled_at = coalesce(:reconciled_at, reconciled_at),
           reconcile_at = coalesce(:reconcile_at, reconcile_at), reconcile_began_at = :reconcile_began_at,
           reconciled_to = :reconciled_to, full_reconcile_at = coalesce(:full_reconcile_at, full_reconcile_at)
     WHERE {_FENCE}
""")


@in_one_commit
def release(connection: Connection, claim: LineClaim, ending: LineEnding) -> bool:
    """Release a line, to be due again. Returns False when the lease is lost."""
    values = {name: getattr(ending, name) for name in LineEnding.__slots__}
    return bool(connection.execute(_RELEASE, {**_fence(claim), **values}).rowcount)


# An answer was lost. This is a fact, whichever worker has the line now: it ends the claim of that worker, whose
# `complete_to` may be wrong. The lease stays so long that no worker claims the line before the lost request settles.
_LOST_ANSWER: Final = text("""
    UPDATE sms.lines
       SET needs_reconcile_since = least(needs_reconcile_since, CAST(:since AS timestamptz)), trouble = :trouble,
           complete_to = CASE WHEN complete_to <= CAST(:complete_to AS timestamptz) THEN complete_to
                              WHEN complete_to IS NOT NULL THEN CAST(:complete_to AS timestamptz) END,
           due_at = greatest(due_at, :due_at), attempt = attempt + 1, lease_owner = coalesce(lease_owner, :owner),
           leased_until = CASE WHEN lease_owner = :owner AND attempt = :attempt THEN :now
                               ELSE greatest(leased_until, :now) END
     WHERE line = :line
""")


@in_one_commit
def record_lost_answer(
    connection: Connection,
    claim: LineClaim,
    *,
    complete_to: datetime | None,
    now: datetime,
    unknown_grace: timedelta,
    trouble: str,
) -> None:
    """Mark a line as needing a reconcile: it counts as complete up to `complete_to` at most.

    No worker claims the line before `unknown_grace` is over, whatever makes it due earlier.
    """
    values = {"since": claim.claimed_at, "complete_to": complete_to, "due_at": now + unknown_grace, "trouble": trouble}
    connection.execute(_LOST_ANSWER, {**_fence(claim), **values, "now": now})


def _fence(claim: LineClaim) -> dict[str, object]:
    return {"line": claim.line, "owner": claim.owner, "attempt": claim.attempt}
