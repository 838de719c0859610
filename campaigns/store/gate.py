"""The conditions under which batches are sent and resolved, part of every claim; and the settings of every session.

The account is not on hold (`installation.hold_account`), the database's clock has not leapt recently
(`database.DatabaseClock`), and no committed row is missing (`identity`). A condition of a claim takes effect at once:
no task, no process and no restart can bypass it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from kavenegar_campaigns.store import in_one_commit
from kavenegar_campaigns.store.identity import COMPARED, IS_HOME, IS_NO_COPY, Place, place_of

CLOCK_IS_TRUSTED: Final = "NOT EXISTS (SELECT FROM sms.installation WHERE clock_leapt_at IS NOT NULL)"
"""A condition: the database's clock is trusted, so leases and due times are right."""

MAY_SEND: Final = f"""
    NOT EXISTS (SELECT FROM sms.installation WHERE hold_code IS NOT NULL OR clock_leapt_at IS NOT NULL) AND {IS_HOME}
"""
"""A condition: the installation as a whole may send."""

MAY_END: Final = IS_HOME
"""A condition: messages may end here as not sent or uncertain. Where rows may be missing, we first ask the gateway."""

MAY_ACT: Final = IS_NO_COPY
"""A condition: this database may act on the outside (read an inbox, withdraw, block, deliver). A copy may not."""

LEFT_FROM_HERE: Final = """
    NOT EXISTS (SELECT FROM sms.epochs AS other
                 WHERE other.cause = 'copied' AND other.began_at >= coalesce(batch.first_sent_at, batch.accepted_at))
"""
"""A condition on a batch: it left from this database, and not from the original that this database is a copy of."""


@dataclass(frozen=True, slots=True)
class Leap:
    """A leap of the database's clock by `by`, noticed at `at` on the clock as it was trusted before."""

    at: datetime
    by: timedelta


@dataclass(frozen=True, slots=True)
class Gate:
    """The reasons why the installation does not send, besides a hold of the account."""

    place: Place
    alive_at: datetime
    leap: Leap | None

    @property
    def is_open(self) -> bool:
        """Return whether the database's place and its clock allow to send."""
        return self.place is Place.HOME and self.leap is None


# Which reasons keep the installation from sending?
_READ_GATE: Final = text(COMPARED)


@in_one_commit
def read_gate(connection: Connection) -> Gate:
    """Read the reasons that keep the installation from sending now."""
    row = connection.execute(_READ_GATE).one()
    leap = None if row.clock_leapt_at is None else Leap(row.clock_leapt_at, row.clock_leapt_by)
    return Gate(place_of(row), row.alive_at, leap)


def may_end(connection: Connection) -> bool:
    """Return whether messages may end here as cancelled, refused, suppressed or uncertain: see `MAY_END`."""
    return bool(connection.execute(text(f"SELECT {MAY_END}")).scalar_one())


# Is the check of our place and our key due? Set the next time at once, so that one process makes the check.
_IDENTITY_CHECK: Final = text("""
    UPDATE sms.installation SET identity_check_at = :next
     WHERE identity_check_at IS NULL OR identity_check_at <= :now RETURNING 1
""")


@in_one_commit
def claim_identity_check(connection: Connection, *, now: datetime, next_at: datetime) -> bool:
    """Claim the check of the installation's identity. Returns whether the caller makes it now."""
    return connection.execute(_IDENTITY_CHECK, {"now": now, "next": next_at}).one_or_none() is not None


# Each kind of due time has a limit ahead. A due time beyond the limit was written while the clock ran ahead, or the
# clock has been set back since. Uncorrected, it would stall a campaign for as long as the clock was wrong.


@in_one_commit
def note_leap(connection: Connection, *, by: timedelta, now: datetime) -> None:
    """Record a leap of the clock: from this commit on no batch is sent or resolved. A later leap replaces this one."""
    connection.execute(
        text("UPDATE sms.installation SET clock_leapt_at = :now, clock_leapt_by = :by"), {"now": now, "by": by}
    )


@in_one_commit
def clear_leap(connection: Connection, *, leapt_at: datetime) -> bool:
    """Trust the clock again, unless it has leapt once more since `leapt_at`. Returns whether this leap was cleared."""
    done = connection.execute(
        text("UPDATE sms.installation SET clock_leapt_at = NULL, clock_leapt_by = NULL WHERE clock_leapt_at = :at"),
        {"at": leapt_at},
    )
    return bool(done.rowcount)


@dataclass(frozen=True, slots=True)
class FurthestAhead:
    """How far ahead the times of each kind may lie at most."""

    put_off: timedelta  # of work that waits for the pace, or for a gateway that is down
    lease: timedelta
    unknown_grace: timedelta  # of an unknown batch, until it may be resolved
    status_window: timedelta
    probe: timedelta
    watch: timedelta
    ledger: timedelta
    block_lists: timedelta
    reconcile: timedelta
    deliver: timedelta


# Each statement moves the times of one kind that lie too far ahead; none of them reads more than it moves.
_PULL_BACK: Final = {
    "batches to send": """
        UPDATE sms.batches AS batch SET due_at = :now
          FROM sms.campaigns AS campaign
         CROSS JOIN LATERAL (SELECT id FROM sms.batches
                              WHERE campaign_id = campaign.id AND state = 'ready' AND due_at > :now + :put_off
                           ORDER BY due_at DESC LIMIT 1000) AS late
         WHERE campaign.finished_at IS NULL AND batch.id = late.id AND batch.state = 'ready'
           AND NOT (campaign.at_gateway AND campaign.start_at > :now)
    """,
    "claims": """
        UPDATE sms.batches SET due_at = :now + :lease WHERE state = 'claimed' AND due_at > :now + :lease
    """,
    "questions": """
        UPDATE sms.batches SET due_at = :now + :unknown_grace
         WHERE state = 'unknown' AND due_at > :now + greatest(:put_off, :lease + :unknown_grace)
    """,
    "enqueued batches": """
        UPDATE sms.batches SET enqueued_at = NULL WHERE state IN ('ready', 'unknown') AND enqueued_at > :now
    """,
    "first sends": """
        UPDATE sms.batches SET first_sent_at = :now
         WHERE state IN ('claimed', 'unknown') AND first_sent_at > :now + interval '1 second'
    """,
    # Batches accepted in the future: their polls and the ends of their windows are too late by as much.
    "polls": """
        UPDATE sms.batches AS batch
           SET accepted_at = :now, closes_at = batch.closes_at - (batch.accepted_at - :now),
               poll_at = greatest(batch.poll_at - (batch.accepted_at - :now), :now)
          FROM sms.campaigns AS campaign
         WHERE batch.poll_at IS NOT NULL AND batch.closes_at > :now + :status_window + interval '1 second'
           AND batch.accepted_at > :now AND campaign.id = batch.campaign_id
           AND NOT (campaign.at_gateway AND campaign.start_at > :now)
    """,
    "one-time passwords": """
        UPDATE sms.otps
           SET created_at = :now, expires_at = expires_at - (created_at - :now), due_at = due_at - (created_at - :now)
         WHERE state IN ('waiting', 'claimed') AND created_at > :now + interval '1 second'
    """,
    "inbox lines": """
        UPDATE sms.lines
           SET due_at = least(due_at, :now + greatest(every, CAST(:put_off AS interval))),
               leased_until = CASE WHEN leased_until > :now + :lease THEN :now + :lease ELSE leased_until END,
               reconcile_at = least(reconcile_at, :now + :reconcile)
         WHERE due_at > :now + greatest(every, CAST(:put_off AS interval)) OR leased_until > :now + :lease
            OR reconcile_at > :now + :reconcile
    """,
    # Complete up to the future: a message that comes in until then would be missed. The last day is reconciled again.
    "complete lines": """
        UPDATE sms.lines
           SET complete_to = :now - interval '1 day', reconcile_began_at = NULL, reconciled_to = NULL,
               reconcile_at = :now,
               needs_reconcile_since = least(needs_reconcile_since, :now - interval '1 day')
         WHERE complete_to > :now + interval '1 second' OR needs_reconcile_since > :now + interval '1 second'
    """,
    "looks at the account": """
        UPDATE sms.installation SET hold_recheck_at = :now WHERE hold_recheck_at > :now + :probe
    """,
    "chores": """
        UPDATE sms.installation
           SET account_check_at = least(account_check_at, :now + :watch),
               ledger_count_at = least(ledger_count_at, :now + :ledger),
               identity_check_at = least(identity_check_at, :now + :put_off), ticked_at = least(ticked_at, :now),
               alive_at = least(alive_at, :now)
         WHERE account_check_at > :now + :watch OR ledger_count_at > :now + :ledger
            OR identity_check_at > :now + :put_off
            OR ticked_at > :now + interval '1 minute' OR alive_at > :now + interval '1 minute'
    """,
    "block lists": """
        UPDATE sms.blocklists SET due_at = :now + :block_lists WHERE due_at > :now + greatest(:block_lists, :lease)
    """,
    "messages to hand over": """
        UPDATE sms.inbound SET next_delivery_at = :now WHERE next_delivery_at > :now + :deliver
    """,
}
_PULL_BACK_STATEMENTS: Final = {kind: text(statement) for kind, statement in _PULL_BACK.items()}


@in_one_commit
def pull_back_due_times(connection: Connection, furthest: FurthestAhead, *, now: datetime) -> dict[str, int]:
    """Move times that lie too far ahead back to their limits. Returns how many rows of each kind moved."""
    values = {**asdict(furthest), "now": now}
    moved = {kind: connection.execute(statement, values).rowcount for kind, statement in _PULL_BACK_STATEMENTS.items()}
    return {kind: rows for kind, rows in moved.items() if rows}


# Which batches have a next poll that is later than the schedule by more than `allowed`? The clock ran ahead when it was
# planned, or the schedule ended earlier then. A batch that was postponed for longer gets one poll more than it needs.
_PLAN_POLLS: Final = text(f"""
    UPDATE sms.batches AS batch SET poll_at = planned.at
      FROM sms.batches AS late
     CROSS JOIN LATERAL (SELECT least(min(late.accepted_at + age), late.closes_at) AS at
                           FROM unnest(CASE WHEN (SELECT callbacks_active FROM sms.installation)
                                            THEN CAST(:reduced_ages AS interval[])
                                            ELSE CAST(:ages AS interval[]) END) AS age
                          WHERE late.accepted_at + age > :now) AS planned
     WHERE late.poll_at IS NOT NULL AND batch.id = late.id AND batch.poll_at > planned.at + :allowed
       AND (:in_doubt OR {CLOCK_IS_TRUSTED})
""")
# Which one-time passwords have a next poll that is later than `put_off` from now? Make it due now.
_PLAN_OTP_POLLS: Final = text("UPDATE sms.otps SET poll_at = :now WHERE poll_at > :now + :put_off")


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """The ages at which a batch is polled: the full schedule, and the reduced one while callbacks bring verdicts."""

    ages: Sequence[timedelta]
    reduced_ages: Sequence[timedelta]


@in_one_commit
def plan_polls(
    connection: Connection,
    schedule: PollSchedule,
    *,
    put_off: timedelta,
    now: datetime,
    allowed: timedelta = timedelta(0),
    in_doubt: bool = False,
) -> dict[str, int]:
    """Move forward polls that are later than the schedule by more than `allowed`. Returns how many of each kind moved.

    `in_doubt`: also while the database's clock is not trusted. It reads every batch that waits for verdicts: call it
    once after a leap, or once in some minutes.
    """
    ages = {"ages": list(schedule.ages), "reduced_ages": list(schedule.reduced_ages)}
    values = {**ages, "now": now, "allowed": allowed, "in_doubt": in_doubt}
    batches = connection.execute(_PLAN_POLLS, values).rowcount
    otps = connection.execute(_PLAN_OTP_POLLS, {"put_off": put_off, "now": now}).rowcount
    return {kind: rows for kind, rows in (("polls", batches), ("looks at one-time passwords", otps)) if rows}


# A shared database may be set to confirm commits before they are on disk, or to another isolation of transactions. A
# batch whose confirmed claim is lost in a crash is sent twice, so no setting here is left to a default.

PINNED_SETTINGS: Final = {
    "synchronous_commit": "on",  # a confirmed commit is on disk, and on that of a synchronous standby
    "default_transaction_isolation": r"read\ committed",  # our statements see new commits, and wait for locks
    "default_transaction_deferrable": "off",
    "transform_null_equals": "off",
    "timezone": "UTC",
}
"""Settings that override those of the database and the role. A setting that not every role may change would keep roles
from connecting."""

SESSION_LIMITS: Final = {
    "statement_timeout": "60s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "15s",  # a frozen worker keeps its locks no longer
    "jit": "off",  # our statements are short; compiling one would take longer than running it
}

CONNECTION_OPTIONS: Final = " ".join(f"-c {name}={value}" for name, value in (PINNED_SETTINGS | SESSION_LIMITS).items())
"""The `options` of a connection."""

WEAK_COMMITS: Final = ("off", "local", "remote_write")
"""Values of synchronous_commit that may lose a confirmed commit in a crash or a failover."""

DURABLE: Final = f"""
    CASE WHEN current_setting('synchronous_commit') IN ({", ".join(f"'{value}'" for value in WEAK_COMMITS)})
         THEN set_config('synchronous_commit', 'on', true) END AS durable
"""
"""A column for a statement whose commit must not be lost. It lasts until the transaction ends; no extra round trip."""
