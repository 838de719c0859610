"""Find the one-time passwords that are due: to be enqueued, to expire, to be polled, to be followed by a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from kavenegar_campaigns.rules.batches import POLL_SIZE
from kavenegar_campaigns.rules.states import OtpState
from kavenegar_campaigns.store import in_one_commit
from kavenegar_campaigns.store.gate import MAY_SEND
from kavenegar_campaigns.store.otps import CALL_AT

UNDELIVERED: Final = ("undelivered", "failed", "blocked", "cancelled")
"""States in which an SMS has surely not arrived. `cancelled` is a problem in sending: we never withdraw a password."""


@dataclass(frozen=True, slots=True)
class OtpFact:
    """The state of a one-time password at the gateway, and the time of its next poll; None when the state is final."""

    otp_id: int
    state: OtpState
    status: int | None
    poll_at: datetime | None


@dataclass(frozen=True, slots=True)
class OtpPoll:
    """A one-time password that is due for a poll. `call_at` as in `OtpClaim`; None once no call can follow."""

    otp_id: int
    gateway_id: int
    sent_at: datetime
    expires_at: datetime
    call_at: datetime | None


# ── due ──

# Which one-time passwords may leave now? Mark them as enqueued. One that was enqueued after `since` is left to its
# task, or to the thread that ordered it.
_ENQUEUE: Final = text(f"""
    WITH ready AS (
        SELECT id FROM sms.otps
         WHERE state IN ('waiting', 'claimed') AND due_at <= :now AND state = 'waiting' AND expires_at > :now
           AND (enqueued_at IS NULL OR enqueued_at <= :since) AND {MAY_SEND}
      ORDER BY due_at LIMIT :most FOR UPDATE OF otps SKIP LOCKED
    )
    UPDATE sms.otps AS otp SET enqueued_at = :now FROM ready WHERE otp.id = ready.id
 RETURNING otp.id, otp.due_at
""")


def enqueue_ready(connection: Connection, *, now: datetime, since: datetime, most: int) -> list[int]:
    """Mark due one-time passwords as enqueued, and return their ids, the oldest first.

    One that was enqueued after `since` is left out: a task that is lost costs that time.
    """
    rows = connection.execute(_ENQUEUE, {"now": now, "since": since, "most": most})
    return [row.id for row in sorted(rows, key=lambda row: (row.due_at, row.id))]


# Which claims have an expired lease? Their requests may have left, so they become unknown.
_EXPIRE_LEASES: Final = text("""
    WITH ended AS (
        SELECT id FROM sms.otps WHERE state IN ('waiting', 'claimed') AND due_at <= :now AND state = 'claimed'
      ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED
    )
    UPDATE sms.otps AS otp SET state = 'unknown', lease_owner = NULL, tokens = NULL, settled_at = :now
      FROM ended WHERE otp.id = ended.id
 RETURNING otp.id
""")
# Which unsent one-time passwords are no longer valid?
_EXPIRE_UNSENT: Final = text("""
    WITH late AS (
        SELECT id FROM sms.otps
         WHERE state IN ('waiting', 'claimed') AND due_at <= :now AND state = 'waiting' AND expires_at <= :now
      ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED
    )
    UPDATE sms.otps AS otp SET state = 'expired', tokens = NULL, settled_at = :now
      FROM late WHERE otp.id = late.id
 RETURNING otp.id
""")


def expire_unsent(connection: Connection, *, now: datetime) -> int:
    """Expire unsent one-time passwords that are no longer valid, at most 500. Returns how many."""
    return len(connection.execute(_EXPIRE_UNSENT, {"now": now}).all())


def expire_leases(connection: Connection, *, now: datetime) -> list[int]:
    """Mark one-time passwords with expired leases unknown, at most 500. Returns their ids."""
    return [row.id for row in connection.execute(_EXPIRE_LEASES, {"now": now})]


# ── verdicts ──

# Is any one-time password due for a poll?
_ANY_POLL_DUE: Final = text("SELECT EXISTS (SELECT FROM sms.otps WHERE poll_at <= :now)")


def any_poll_due(connection: Connection, *, now: datetime) -> bool:
    """Return whether any one-time password is due for a poll."""
    return bool(connection.execute(_ANY_POLL_DUE, {"now": now}).scalar_one())


# Which one-time passwords are due for a poll? The caller has them until `lease_ends`; then they are due again.
_CLAIM_POLLS: Final = text(f"""
    WITH due AS (
        SELECT id FROM sms.otps WHERE poll_at <= :now ORDER BY poll_at LIMIT {POLL_SIZE} FOR UPDATE SKIP LOCKED
    )
    UPDATE sms.otps AS otp SET poll_at = :lease_ends FROM due WHERE otp.id = due.id
 RETURNING otp.id AS otp_id, gateway_id, sent_at, expires_at,
           CASE WHEN tokens IS NOT NULL THEN {CALL_AT} END AS call_at
""")


@in_one_commit
def claim_polls(connection: Connection, *, now: datetime, lease: timedelta) -> list[OtpPoll]:
    """Claim the next 500 one-time passwords to poll, for the length of `lease`."""
    rows = connection.execute(_CLAIM_POLLS, {"now": now, "lease_ends": now + lease}).mappings()
    return [OtpPoll(**row) for row in rows]


# Record the gateway's statuses of these one-time passwords. A verdict stays, except that undelivered may become
# delivered.
_RECORD_FACTS: Final = text("""
    UPDATE sms.otps AS otp
       SET state = CASE WHEN moves THEN fact.state ELSE otp.state END,
           status = CASE WHEN moves OR otp.state = fact.state THEN coalesce(fact.status, otp.status)
                         ELSE otp.status END,
           settled_at = CASE WHEN moves THEN :now ELSE otp.settled_at END,
           tokens = CASE WHEN moves AND fact.state IN ('delivered', 'expired') THEN NULL ELSE otp.tokens END,
           poll_at = CASE WHEN otp.poll_at IS NULL THEN NULL ELSE fact.poll_at END
      FROM (SELECT fact.*, otp.state = 'accepted' AND fact.state <> 'accepted'
                   OR otp.state = 'undelivered' AND fact.state = 'delivered' AS moves
              FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:statuses AS integer[]),
                          CAST(:poll_ats AS timestamptz[])) AS fact (id, state, status, poll_at)
              JOIN sms.otps AS otp USING (id)
          ORDER BY id FOR UPDATE OF otp) AS fact
     WHERE otp.id = fact.id
 RETURNING moves
""")


def record_facts(connection: Connection, facts: Sequence[OtpFact], *, now: datetime) -> int:
    """Record the gateway's statuses, in whatever order they come. Returns how many one-time passwords changed state."""
    values = {
        "ids": [fact.otp_id for fact in facts],
        "states": [fact.state.value for fact in facts],
        "statuses": [fact.status for fact in facts],
        "poll_ats": [fact.poll_at for fact in facts],
    }
    return sum(row.moves for row in connection.execute(_RECORD_FACTS, {**values, "now": now}))


# Which SMS were not delivered in time, or not at all? One call with the same tokens follows each SMS, and the SMS loses
# its tokens. No call follows where the password is no longer valid.
_CALL: Final = text(f"""
    WITH silent AS (
        SELECT id, number, template, tokens, tag, expires_at FROM sms.otps
         WHERE id = ANY (CAST(:ids AS bigint[])) AND tokens IS NOT NULL AND call_after_s IS NOT NULL
           AND (state IN ({", ".join(f"'{state}'" for state in UNDELIVERED)})
                OR state = 'accepted' AND least({CALL_AT}, expires_at) <= :now)
      ORDER BY id FOR UPDATE
    ), called AS (
        INSERT INTO sms.otps (parent_id, kind, number, template, tokens, tag, state, created_at, due_at, expires_at,
                              enqueued_at)
        SELECT id, 'call', number, template, tokens, tag, 'waiting', :now, :now, expires_at, :now
          FROM silent WHERE expires_at > :now
            ON CONFLICT (parent_id) DO NOTHING
     RETURNING id
    ), erased AS (
        UPDATE sms.otps AS otp SET tokens = NULL FROM silent WHERE otp.id = silent.id
    )
    SELECT id FROM called
""")


def create_calls(connection: Connection, otp_ids: Sequence[int], *, now: datetime) -> list[int]:
    """Create the calls that follow these SMS now. Returns their ids: the caller enqueues them, and later the tick."""
    return [row.id for row in connection.execute(_CALL, {"ids": list(otp_ids), "now": now})]
