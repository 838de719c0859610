"""What happens to a batch on its way out: claimed, accepted, released, doubted, halved, resolved.

A claim and its line in `attempts` are one commit, made before a byte leaves. Every decision after it is fenced by
`(lease_owner, attempt)`: who has lost the lease decides nothing any more, though the facts it learned still count.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from campaigns.rules.manner import Kind, Manner
from campaigns.rules.splitting import halves
from campaigns.rules.states import BatchState
from campaigns.store import messages, sparing
from campaigns.store.records import Claim, Fact, Outgoing

_BEGAN: Final = """
    INSERT INTO sms.attempts (batch_id, call_id, kind, event, attempt, asked, at)
    SELECT id, :call_id, '{kind}', 'began', attempt, pending, :now FROM claimed
"""

_CARRIED: Final = ", ".join(f"campaign.{name}" for name in ("sender", "template", "personal", *Manner.__slots__))

# Is this batch due, and may its campaign send? Then it is ours until the lease ends, and the attempt is on record.
_CLAIM_READY: Final = text(f"""
    WITH claimed AS (
        UPDATE sms.batches AS batch
           SET state = 'claimed', due_at = :lease_ends, lease_owner = :owner, attempt = batch.attempt + 1,
               rung_at = NULL, first_sent_at = coalesce(batch.first_sent_at, :now)
          FROM sms.campaigns AS campaign
         WHERE batch.id = :batch_id AND batch.state = 'ready' AND batch.due_at <= :now
           AND campaign.id = batch.campaign_id AND campaign.state = 'running'
           AND NOT EXISTS (SELECT FROM sms.installation WHERE hold_code IS NOT NULL)
     RETURNING batch.*, {_CARRIED}, false AS cancelled,
               CASE WHEN campaign.at_gateway AND campaign.start_at > :now THEN campaign.start_at END AS send_at
    ), began AS ({_BEGAN.format(kind="send")})
    SELECT * FROM claimed
""")

# Is this batch's outcome unknown, and is it time to ask? Then asking is ours until the lease ends.
_CLAIM_UNKNOWN: Final = text(f"""
    WITH claimed AS (
        UPDATE sms.batches AS batch
           SET due_at = :lease_ends, lease_owner = :owner, attempt = batch.attempt + 1, rung_at = NULL
          FROM sms.campaigns AS campaign
         WHERE batch.id = :batch_id AND batch.state = 'unknown' AND batch.due_at <= :now
           AND campaign.id = batch.campaign_id
     RETURNING batch.*, {_CARRIED},
               campaign.state = 'cancelled' AS cancelled,
               CASE WHEN campaign.at_gateway AND campaign.start_at > :now THEN campaign.start_at END AS send_at
    ), began AS ({_BEGAN.format(kind="resolve")})
    SELECT * FROM claimed
""")


# Does this batch wait to be claimed? Asked before a slot of the pace is spent: rings come late, and twice.
_WAITS: Final = text("""
    SELECT EXISTS (SELECT FROM sms.batches WHERE id = :batch_id AND state = :state AND due_at <= :now)
""")


def waits(connection: Connection, batch_id: int, state: BatchState, *, now: datetime) -> bool:
    """Whether a batch stands in `state` and is due. Only a claim decides; this keeps most of the vain ones away."""
    return bool(connection.execute(_WAITS, {"batch_id": batch_id, "state": state, "now": now}).scalar_one())


def claim_ready(
    connection: Connection, batch_id: int, *, owner: UUID, call_id: UUID, now: datetime, lease: timedelta
) -> Claim | None:
    """The batch, to be sent now, without those who are suppressed by now.

    None when it is not due, not ready, paused, on hold, or somebody else's, and when nobody is left in it.
    """
    sparing.spare(connection, batch_id, now=now)
    return _claim(connection, _CLAIM_READY, batch_id, owner=owner, call_id=call_id, now=now, lease=lease)


def claim_unknown(
    connection: Connection, batch_id: int, *, owner: UUID, call_id: UUID, now: datetime, lease: timedelta
) -> Claim | None:
    """The batch, to be asked about now; its messages are those we know nothing of."""
    return _claim(connection, _CLAIM_UNKNOWN, batch_id, owner=owner, call_id=call_id, now=now, lease=lease)


def _claim(
    connection: Connection,
    statement: object,
    batch_id: int,
    *,
    owner: UUID,
    call_id: UUID,
    now: datetime,
    lease: timedelta,
) -> Claim | None:
    row = (
        connection.execute(
            statement,  # type: ignore[call-overload]
            {"batch_id": batch_id, "owner": owner, "call_id": call_id, "now": now, "lease_ends": now + lease},
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else _claimed(connection, row, call_id=call_id, now=now)


def _claimed(connection: Connection, row: RowMapping, *, call_id: UUID, now: datetime) -> Claim:
    pending = connection.execute(messages.PENDING, {"first_id": row["first_id"], "last_id": row["last_id"]})
    common = row["template"]
    return Claim(
        batch_id=row["id"],
        campaign_id=row["campaign_id"],
        owner=row["lease_owner"],
        attempt=row["attempt"],
        call_id=call_id,
        claimed_at=now,
        lease_ends=row["due_at"],
        first_sent_at=row["first_sent_at"],
        sender=row["sender"],
        personal=row["personal"],
        manner=Manner(**{name: row[name] for name in Manner.__slots__} | {"kind": Kind(row["kind"])}),
        cancelled=row["cancelled"],
        send_at=row["send_at"],
        messages=[Outgoing(id_, number, common if own is None else own) for id_, number, own in pending],
    )


def learn(
    connection: Connection,
    claim: Claim,
    facts: Sequence[Fact],
    *,
    now: datetime,
    poll_at: datetime,
    closes_at: datetime,
    leaves_at: datetime | None = None,
    suppress_after: int = 0,
) -> None:
    """Merge what was learned about the messages of a claim, whether or not the claim still holds.

    What is news is polled first at `poll_at` and given up at `closes_at`; it leaves the gateway at `leaves_at`, or now.
    """
    ids = messages.lock(connection, [claim.batch_id])
    messages.merge(connection, facts, now=now, suppress_after=suppress_after)
    if any(fact.gateway_id is not None for fact in facts):
        accepted_at = leaves_at or now
        messages.recount(connection, ids, now=now, accepted_at=accepted_at, poll_at=poll_at, closes_at=closes_at)
    else:
        messages.recount(connection, ids, now=now)


_FENCE: Final = "id = :batch_id AND lease_owner = :owner AND attempt = :attempt AND state IN ('claimed', 'unknown')"

# Is this claim still the one that decides? Nobody else claims the batch until the transaction ends.
_HOLDS: Final = text(f"SELECT id FROM sms.batches WHERE {_FENCE} FOR UPDATE")


def holds(connection: Connection, claim: Claim) -> bool:
    """Whether a claim still decides about its batch; asked before whatever is a decision and no fact."""
    return (
        connection.execute(
            _HOLDS, {"batch_id": claim.batch_id, "owner": claim.owner, "attempt": claim.attempt}
        ).one_or_none()
        is not None
    )


# Nothing left this machine: the batch is ready again at `due_at`, as if it had never been claimed.
_RELEASE: Final = text(f"""
    UPDATE sms.batches
       SET state = 'ready', due_at = :due_at, trouble = :trouble, lease_owner = NULL,
           first_sent_at = CASE WHEN first_sent_at < :claimed_at THEN first_sent_at END
     WHERE {_FENCE} AND pending > 0
""")

# Nobody knows what became of it: it is asked about at `due_at`.
_DOUBT: Final = text(f"""
    UPDATE sms.batches SET state = 'unknown', due_at = :due_at, trouble = :trouble, lease_owner = NULL
     WHERE {_FENCE} AND pending > 0
""")

# The gateway never saw what is still pending: that, and only that, may leave again under the same ids. What was sent
# before is proven not to exist, so the time in which the gateway can be asked begins anew.
_RETURN: Final = text(f"""
    UPDATE sms.batches
       SET state = 'ready', due_at = :due_at, trouble = :trouble, lease_owner = NULL, first_sent_at = NULL
     WHERE {_FENCE} AND pending > 0
""")


def release(connection: Connection, claim: Claim, *, due_at: datetime, trouble: str) -> bool:
    """Nothing left us. False when the claim no longer held."""
    return _decide(connection, _RELEASE, claim, due_at=due_at, trouble=trouble)


def doubt(connection: Connection, claim: Claim, *, due_at: datetime, trouble: str) -> bool:
    """It may have left. False when the claim no longer held, or nothing of the batch is pending any more."""
    return _decide(connection, _DOUBT, claim, due_at=due_at, trouble=trouble)


def send_again(connection: Connection, claim: Claim, *, due_at: datetime, trouble: str) -> bool:
    """What the gateway never saw is ready. False when the claim no longer held, or nothing is pending any more."""
    return _decide(connection, _RETURN, claim, due_at=due_at, trouble=trouble)


def _decide(connection: Connection, decision: object, claim: Claim, *, due_at: datetime, trouble: str) -> bool:
    done = connection.execute(
        decision,  # type: ignore[call-overload]
        {
            "batch_id": claim.batch_id,
            "owner": claim.owner,
            "attempt": claim.attempt,
            "claimed_at": claim.claimed_at,
            "due_at": due_at,
            "trouble": trouble,
        },
    )
    return bool(done.rowcount)


# The batch gives way to its two halves, which take over its polls and its place in time.
_SPLIT: Final = text(f"""
    UPDATE sms.batches SET state = 'split', lease_owner = NULL, poll_at = NULL, trouble = :trouble
     WHERE {_FENCE} AND last_id > first_id
 RETURNING first_id, last_id
""")
# One half, ready to leave; it has the window of the whole for what was accepted of it.
_HALF: Final = text("""
    INSERT INTO sms.batches (campaign_id, parent_id, first_id, last_id, state, due_at, trouble, first_sent_at,
                             accepted_at, closes_at, pending)
    SELECT campaign_id, id, :first_id, :last_id, 'ready', :due_at, trouble,
           CASE WHEN first_sent_at < :claimed_at THEN first_sent_at END,
           accepted_at, closes_at, :last_id - CAST(:first_id AS bigint) + 1
      FROM sms.batches WHERE id = :batch_id
 RETURNING id
""")


def halve(connection: Connection, claim: Claim, *, now: datetime, trouble: str) -> list[int]:
    """Replace a refused batch by its halves; their ids, or nothing when the claim no longer held."""
    whole = connection.execute(
        _SPLIT,
        {"batch_id": claim.batch_id, "owner": claim.owner, "attempt": claim.attempt, "trouble": trouble},
    ).one_or_none()
    if whole is None:
        return []
    spans = halves(whole.first_id, whole.last_id)
    born = [
        connection.execute(
            _HALF,
            {
                "batch_id": claim.batch_id,
                "first_id": first_id,
                "last_id": last_id,
                "due_at": now,
                "claimed_at": claim.claimed_at,
            },
        ).scalar_one()
        for first_id, last_id in spans
    ]
    messages.recount(connection, born, now=now)
    return born


COLLISION: Final = "localid collision"


def set_apart(connection: Connection, claim: Claim, *, now: datetime) -> None:
    """Mark a batch whose ids collided, so that only `epochs` touches what is uncertain in it."""
    connection.execute(
        text("UPDATE sms.batches SET trouble = :trouble, lease_owner = NULL, due_at = :now WHERE id = :id"),
        {"id": claim.batch_id, "trouble": COLLISION, "now": now},
    )


def postpone(connection: Connection, batch_id: int, *, due_at: datetime) -> None:
    """The pace has no room soon: a batch that nobody holds waits until `due_at` without costing an attempt."""
    connection.execute(
        text("""
            UPDATE sms.batches SET due_at = :due_at, rung_at = NULL
             WHERE id = :batch_id AND state IN ('ready', 'unknown') AND due_at < :due_at
        """),
        {"batch_id": batch_id, "due_at": due_at},
    )
