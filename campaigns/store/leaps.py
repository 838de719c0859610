"""What a leap of the database's clock leaves behind: a flag that stops sends, and times too far ahead, pulled back.

Nothing of ours is planned further ahead than it has a reason for. A due time beyond that was written while the clock
ran ahead, or the clock has been set back since. Left alone, it would stall a campaign as long as the clock was wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from campaigns.store.gate import CLOCK_IS_TRUSTED


def note(connection: Connection, *, by: timedelta, now: datetime) -> None:
    """The database's clock has leapt: from this commit on nothing is sent or resolved. A later leap begins anew."""
    connection.execute(
        text("UPDATE sms.installation SET clock_leapt_at = :now, clock_leapt_by = :by"), {"now": now, "by": by}
    )


def clear(connection: Connection, *, leapt_at: datetime) -> bool:
    """The clock is trusted again, unless it has leapt once more since `leapt_at`; whether it was this leap."""
    done = connection.execute(
        text("""
            UPDATE sms.installation SET clock_leapt_at = NULL, clock_leapt_by = NULL WHERE clock_leapt_at = :leapt_at
        """),
        {"leapt_at": leapt_at},
    )
    return bool(done.rowcount)


@dataclass(frozen=True, slots=True)
class Furthest:
    """How far ahead the times of each kind may lie at most."""

    put_off: timedelta  # what waits for the pace, or for a gateway that is down
    lease: timedelta
    settle: timedelta  # what is unknown, until it may be asked about
    status_window: timedelta
    probe: timedelta
    watch: timedelta
    ledger: timedelta
    block_lists: timedelta
    reconcile: timedelta
    hand_over: timedelta


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
        UPDATE sms.batches SET due_at = :now + :settle
         WHERE state = 'unknown' AND due_at > :now + greatest(:put_off, :lease + :settle)
    """,
    "enqueued batches": """
        UPDATE sms.batches SET rung_at = NULL WHERE state IN ('ready', 'unknown') AND rung_at > :now
    """,
    "first sends": """
        UPDATE sms.batches SET first_sent_at = :now
         WHERE state IN ('claimed', 'unknown') AND first_sent_at > :now + interval '1 second'
    """,
    # Accepted in the future: its polls and the end of its window lie as much too late.
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
    # Complete up to the future: what comes in until then would never be looked for. The last day is gone through again.
    "complete lines": """
        UPDATE sms.lines
           SET complete_to = :now - interval '1 day', looked_to = NULL, look_began = NULL, reconcile_at = :now,
               doubtful_since = least(doubtful_since, :now - interval '1 day')
         WHERE complete_to > :now + interval '1 second' OR doubtful_since > :now + interval '1 second'
    """,
    "looks at the account": """
        UPDATE sms.installation SET probe_at = :now WHERE probe_at > :now + :probe
    """,
    "chores": """
        UPDATE sms.installation
           SET watch_at = least(watch_at, :now + :watch), ledger_at = least(ledger_at, :now + :ledger),
               check_at = least(check_at, :now + :put_off), ticked_at = least(ticked_at, :now),
               alive_at = least(alive_at, :now)
         WHERE watch_at > :now + :watch OR ledger_at > :now + :ledger OR check_at > :now + :put_off
            OR ticked_at > :now + interval '1 minute' OR alive_at > :now + interval '1 minute'
    """,
    "block lists": """
        UPDATE sms.blocklists SET due_at = :now + :block_lists WHERE due_at > :now + greatest(:block_lists, :lease)
    """,
    "messages to hand over": """
        UPDATE sms.inbound SET hand_at = :now WHERE hand_at > :now + :hand_over
    """,
}
_STATEMENTS: Final = {kind: text(statement) for kind, statement in _PULL_BACK.items()}


def pull_back(connection: Connection, furthest: Furthest, *, now: datetime) -> dict[str, int]:
    """Bring back what is due further ahead than anything of ours is planned; how many rows of which kind."""
    values = {**asdict(furthest), "now": now}
    moved = {kind: connection.execute(statement, values).rowcount for kind, statement in _STATEMENTS.items()}
    return {kind: rows for kind, rows in moved.items() if rows}


# Whose next poll lies behind the next age of the schedule by more than `allowed`? The clock ran ahead when it was
# planned, or the schedule ended earlier then. What was put off for longer is asked about once more than needed.
_PLAN_POLLS: Final = text(f"""
    UPDATE sms.batches AS batch SET poll_at = planned.at
      FROM sms.batches AS late
     CROSS JOIN LATERAL (SELECT least(min(late.accepted_at + age), late.closes_at) AS at
                           FROM unnest(CASE WHEN (SELECT leans_on_callbacks FROM sms.installation)
                                            THEN CAST(:ages_leaning AS interval[])
                                            ELSE CAST(:ages AS interval[]) END) AS age
                          WHERE late.accepted_at + age > :now) AS planned
     WHERE late.poll_at IS NOT NULL AND batch.id = late.id AND batch.poll_at > planned.at + :allowed
       AND (:in_doubt OR {CLOCK_IS_TRUSTED})
""")
# The same of one-time passwords.
_PLAN_LOOKS: Final = text("UPDATE sms.otps SET poll_at = :now WHERE poll_at > :now + :put_off")


@dataclass(frozen=True, slots=True)
class Schedule:
    """The ages at which a batch is asked about, and those while callbacks bring the verdicts."""

    ages: Sequence[timedelta]
    ages_leaning: Sequence[timedelta]


def plan_polls(
    connection: Connection,
    schedule: Schedule,
    *,
    put_off: timedelta,
    now: datetime,
    allowed: timedelta = timedelta(0),
    in_doubt: bool = False,
) -> dict[str, int]:
    """Plan the polls anew that are later than the schedule says, by more than `allowed`; how many of which kind.

    `in_doubt`: also while the database's clock is in doubt. It reads every batch that waits for verdicts: it is for
    once after a leap, and for once in some minutes.
    """
    ages = {"ages": list(schedule.ages), "ages_leaning": list(schedule.ages_leaning)}
    values = {**ages, "now": now, "allowed": allowed, "in_doubt": in_doubt}
    batches = connection.execute(_PLAN_POLLS, values).rowcount
    otps = connection.execute(_PLAN_LOOKS, {"put_off": put_off, "now": now}).rowcount
    return {kind: rows for kind, rows in (("polls", batches), ("looks at one-time passwords", otps)) if rows}
