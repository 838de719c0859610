"""The lines that people answer to: which are due, who pulls one, and since when something of it may be lost.

A claim sets `needs_reconcile_since` ahead: in its own commit it writes down that from now on an answer may be lost.
Only an ending in which none was takes that back, so a worker that dies leaves it behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from campaigns.errors import NotFound
from campaigns.store import in_one_commit
from campaigns.store.gate import MAY_ACT


@dataclass(frozen=True, slots=True)
class Line:
    """A line as its row stands.

    `needs_reconcile_since`: since then messages may be read at the gateway that are not stored here. `complete_to`:
    what had been handed out by then, or was unread, is stored. `trouble` is why the last pull ended early.
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
    """A line that is ours to pull until the lease ends. `(owner, attempt)` is the fence.

    `needs_reconcile_since` is as it stood before this claim: what an earlier worker left behind.
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
    """How a claim ended. What is None of the last five stays as it is in the row.

    `reconcile_began_at` and `reconciled_to` are None where no look back is under way.
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


# The lines that the settings name, but for those that a person has taken over.
_SYNC_SETTINGS: Final = text("""
    INSERT INTO sms.lines AS known (line, every, from_settings, due_at, reconcile_at)
    SELECT line, every, true, :now, :now
      FROM unnest(CAST(:lines AS text[]), CAST(:everies AS interval[])) AS wanted (line, every)
  ORDER BY line
        ON CONFLICT (line) DO UPDATE
       SET every = excluded.every, enabled = true, due_at = least(known.due_at, excluded.due_at)
     WHERE known.from_settings AND (known.every <> excluded.every OR NOT known.enabled)
""")
# The settings name these no longer.
_RETIRE: Final = text("""
    UPDATE sms.lines SET enabled = false
     WHERE from_settings AND enabled AND line <> ALL (CAST(:lines AS text[]))
""")


def sync_settings(connection: Connection, wanted: Mapping[str, timedelta], *, now: datetime) -> None:
    """Pull the lines of the settings, each as often as they say; a line that a person has changed stays as it is."""
    parameters = {"lines": list(wanted), "everies": list(wanted.values()), "now": now}
    connection.execute(_SYNC_SETTINGS, parameters)
    connection.execute(_RETIRE, parameters)


_COLUMNS: Final = ", ".join(Line.__slots__)

# A person says how often a line is pulled, and whether; from now on the settings say nothing about it any more.
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
    """Change a line, or add one; what is None stays. A new line without an interval is pulled every `otherwise`."""
    parameters = {"line": line, "every": every, "enabled": enabled, "otherwise": otherwise, "now": now}
    return _line(connection.execute(_CHANGE, parameters).mappings().one())


# How do all lines stand?
_ALL: Final = text(f"SELECT {_COLUMNS} FROM sms.lines ORDER BY line")
# How does this line stand?
_ONE: Final = text(f"SELECT {_COLUMNS} FROM sms.lines WHERE line = :line")


def listed(connection: Connection) -> list[Line]:
    """Every line, the disabled ones too."""
    return [_line(row) for row in connection.execute(_ALL).mappings()]


def read(connection: Connection, line: str) -> Line:
    """A line's row. Raises: NotFound."""
    row = connection.execute(_ONE, {"line": line}).mappings().one_or_none()
    if row is None:
        raise NotFound(f"{line} is no line that is pulled: add it with `campaigns inbox line {line} --every 1m`")
    return _line(row)


def _line(row: RowMapping) -> Line:
    return Line(**{name: row[name] for name in Line.__slots__})


# Somebody whose lease has just run out may still be waiting for an answer: the line is left alone until that is over.
# In a copy of a database nothing is pulled: what it reads, the other does not get.
_FREE: Final = f"enabled AND due_at <= :now AND (leased_until IS NULL OR leased_until <= :settled) AND {MAY_ACT}"

# Which lines are to be pulled? So many that, with those being pulled, no more than a few hold threads of a worker.
_DUE: Final = text(f"""
    SELECT line FROM sms.lines WHERE {_FREE}
  ORDER BY due_at, line
     LIMIT greatest(0, :most - (SELECT count(*) FROM sms.lines WHERE leased_until > :now))
""")
# Is this line to be pulled? Asked before a slot of the pace is spent: tasks come late, and twice.
_IS_DUE: Final = text(f"SELECT EXISTS (SELECT FROM sms.lines WHERE line = :line AND {_FREE})")


def due(connection: Connection, *, now: datetime, unknown_grace: timedelta, most: int) -> list[str]:
    """Lines to pull, the longest due first, so that at most `most` are pulled at once."""
    return [row.line for row in connection.execute(_DUE, {"now": now, "settled": now - unknown_grace, "most": most})]


@in_one_commit
def is_due(connection: Connection, line: str, *, now: datetime, unknown_grace: timedelta) -> bool:
    """Whether a line is due and nobody's. Only a claim decides."""
    return bool(connection.execute(_IS_DUE, {"line": line, "now": now, "settled": now - unknown_grace}).scalar_one())


def make_due(connection: Connection, line: str, *, now: datetime) -> None:
    """Somebody wants the line pulled now, whatever its interval. Raises: NotFound."""
    read(connection, line)
    connection.execute(
        text("UPDATE sms.lines SET due_at = least(due_at, :now) WHERE line = :line"), {"line": line, "now": now}
    )


@in_one_commit
def postpone(connection: Connection, line: str, *, due_at: datetime) -> None:
    """The pace has no room soon: a line that nobody holds waits until `due_at`."""
    connection.execute(
        text("UPDATE sms.lines SET due_at = greatest(due_at, :due_at) WHERE line = :line AND lease_owner IS NULL"),
        {"line": line, "due_at": due_at},
    )


# Is this line due and nobody's? Then it is ours, and in doubt from this commit on.
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
    """The line, to be pulled now; None when it is not due, disabled, or somebody else's."""
    parameters = {"line": line, "owner": owner, "now": now, "lease_ends": now + lease, "settled": now - unknown_grace}
    row = connection.execute(_CLAIM, parameters).mappings().one_or_none()
    return None if row is None else LineClaim(claimed_at=now, **row)


_FENCE: Final = "line = :line AND lease_owner = :owner AND attempt = :attempt"

# Something was stored: the lease begins anew, and what is complete by now is written down.
_RENEW: Final = text(f"""
    UPDATE sms.lines SET leased_until = :lease_ends, complete_to = greatest(complete_to, CAST(:to AS timestamptz))
     WHERE {_FENCE}
""")


@in_one_commit
def renew(
    connection: Connection, claim: LineClaim, *, lease_ends: datetime, complete_to: datetime | None = None
) -> bool:
    """Hold the line for longer. False when the claim no longer holds: whoever finds that asks for nothing more."""
    return bool(connection.execute(_RENEW, {**_fence(claim), "lease_ends": lease_ends, "to": complete_to}).rowcount)


# The worker has come to an end, and says what that means for the line.
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
    """Give the line back, to be due again. False when the claim no longer held."""
    values = {name: getattr(ending, name) for name in LineEnding.__slots__}
    return bool(connection.execute(_RELEASE, {**_fence(claim), **values}).rowcount)


# An answer was lost on the way. That is a fact, whoever holds the line now: their own claim ends with it, because what
# they take for complete may not be. Of the lease so much stays that nobody has the line before the request has settled.
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
    """Leave the line in doubt, with nothing taken for complete that was not before `complete_to`.

    Whatever makes it due before: nobody has it before `unknown_grace` is over.
    """
    values = {"since": claim.claimed_at, "complete_to": complete_to, "due_at": now + unknown_grace, "trouble": trouble}
    connection.execute(_LOST_ANSWER, {**_fence(claim), **values, "now": now})


def _fence(claim: LineClaim) -> dict[str, object]:
    return {"line": claim.line, "owner": claim.owner, "attempt": claim.attempt}
