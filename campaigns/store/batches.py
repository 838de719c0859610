"""Claim batches, record their facts, release them, mark them unknown, resolve them.

A claim and its line in `attempts` are one commit, made before a byte leaves. Every decision after it is fenced by
`(lease_owner, attempt)`. The owner of a lease is one call, named by its id: after a lost commit, two threads of one
process may hold the same attempt. A call that has lost its lease decides nothing any more, but its facts still count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, RowMapping, TextClause, text

from kavenegar_campaigns.rules.message_options import CampaignKind, MessageOptions
from kavenegar_campaigns.rules.states import BatchState
from kavenegar_campaigns.store import in_one_commit, messages
from kavenegar_campaigns.store.gate import CLOCK_IS_TRUSTED, DURABLE, MAY_SEND
from kavenegar_campaigns.store.identity import FIRST_ACCOUNT
from kavenegar_campaigns.store.loading import LINE_OF_BATCH
from kavenegar_campaigns.store.records import Claim, Fact, MovedMessage, Outgoing

_BEGAN: Final = """
    INSERT INTO sms.attempts (batch_id, call_id, kind, event, attempt, messages, at)
    SELECT id, :call_id, '{kind}', 'began', attempt, pending, :now FROM claimed
"""

_CARRIED: Final = ", ".join(f"campaign.{name}" for name in ("template", "personal", *MessageOptions.__slots__))

# Columns are named, never `*`: a prepared statement fails once its result has other columns than before.
_COLUMNS: Final = ", ".join(
    f"batch.{name}"
    for name in (
        *("id", "campaign_id", "first_id", "last_id", "attempt", "pending"),
        *("lease_owner", "due_at", "first_sent_at", "trouble"),
    )
)

_CLAIMED: Final = f"""{_COLUMNS}, {_CARRIED}, {LINE_OF_BATCH} AS sender, campaign.state = 'cancelled' AS cancelled,
               CASE WHEN campaign.at_gateway AND campaign.start_at > :now THEN campaign.start_at END AS send_at"""

# Is this batch due, and may its campaign and our account send? Claim it until the lease ends, and record the attempt.
# No batch leaves under a key whose account is not known yet.
_CLAIM_READY: Final = text(f"""
    WITH claimed AS (
        UPDATE sms.batches AS batch
           SET state = 'claimed', due_at = :lease_ends, lease_owner = :call_id, attempt = batch.attempt + 1,
               enqueued_at = NULL, first_sent_at = coalesce(batch.first_sent_at, :now), account = own.account
          FROM sms.campaigns AS campaign, sms.accounts AS own
         WHERE batch.id = :batch_id AND batch.state = 'ready' AND batch.due_at <= :now
           AND campaign.id = batch.campaign_id AND campaign.state = 'running'
           AND own.label = :account AND {MAY_SEND}
     RETURNING {_CLAIMED}, false AS of_another_account
    ), began AS ({_BEGAN.format(kind="send")})
    SELECT claimed.*, {DURABLE} FROM claimed
""")

OURS_OR_FORGOTTEN: Final = f"""
    (coalesce(batch.account, {FIRST_ACCOUNT}) = own.account OR batch.first_sent_at <= :localid_cutoff)
"""
"""A condition: only the account that a batch left under can resolve it. After `localid_cutoff` the gateway no longer
answers, and any account may record that."""

# Is this batch unknown and due? Claim it until the lease ends, to ask the gateway about it.
_CLAIM_UNKNOWN: Final = text(f"""
    WITH claimed AS (
        UPDATE sms.batches AS batch
           SET due_at = :lease_ends, lease_owner = :call_id, attempt = batch.attempt + 1, enqueued_at = NULL
          FROM sms.campaigns AS campaign, sms.accounts AS own
         WHERE batch.id = :batch_id AND batch.state = 'unknown' AND batch.due_at <= :now
           AND campaign.id = batch.campaign_id
           AND own.label = :account AND {OURS_OR_FORGOTTEN} AND {CLOCK_IS_TRUSTED}
     RETURNING {_CLAIMED}, coalesce(batch.account, {FIRST_ACCOUNT}) <> own.account AS of_another_account
    ), began AS ({_BEGAN.format(kind="resolve")})
    SELECT claimed.*, {DURABLE} FROM claimed
""")


# Can this batch be claimed? The check comes before a slot of the pace is spent: tasks come late, and twice.
_IS_DUE: Final = {
    BatchState.READY: text(f"""
        SELECT EXISTS (SELECT FROM sms.batches WHERE id = :batch_id AND state = 'ready' AND due_at <= :now)
           AND {MAY_SEND}
    """),
    BatchState.UNKNOWN: text(f"""
        SELECT EXISTS (SELECT FROM sms.batches WHERE id = :batch_id AND state = 'unknown' AND due_at <= :now)
           AND {CLOCK_IS_TRUSTED}
    """),
}


@in_one_commit
def is_due(connection: Connection, batch_id: int, state: BatchState, *, now: datetime) -> bool:
    """Return whether a batch is in `state`, ready or unknown, and due.

    Only a claim decides; this check saves most of the slots that claims would waste.
    """
    return bool(connection.execute(_IS_DUE[state], {"batch_id": batch_id, "now": now}).scalar_one())


@in_one_commit
def claim_ready(
    connection: Connection, batch_id: int, *, account: str, call_id: UUID, now: datetime, lease: timedelta
) -> Claim | None:
    """Claim a ready batch for the call `call_id`, without the messages to suppressed numbers.

    `account` is the label of the key that the batch leaves under. Returns None when the batch is not due, not ready,
    paused, on hold, or claimed by another call, when no message is left in it, and while `gate` forbids to send.
    """
    messages.drop_suppressed(connection, batch_id, now=now)
    values = {"batch_id": batch_id, "call_id": call_id, "account": account, "now": now, "lease_ends": now + lease}
    return _claim(connection, _CLAIM_READY, values, now=now)


@in_one_commit
def claim_unknown(
    connection: Connection,
    batch_id: int,
    *,
    account: str,
    call_id: UUID,
    now: datetime,
    lease: timedelta,
    localid_cutoff: datetime,
) -> Claim | None:
    """Claim an unknown batch, to ask the gateway about it now; the claim holds its pending messages.

    A batch that left under another account is claimed only if it first left before `localid_cutoff`. Returns None when
    the batch is not due, not unknown, or claimed by another call, and while the clock is not trusted.
    """
    values = {"batch_id": batch_id, "call_id": call_id, "account": account, "now": now, "lease_ends": now + lease}
    return _claim(connection, _CLAIM_UNKNOWN, {**values, "localid_cutoff": localid_cutoff}, now=now)


def _claim(
    connection: Connection, statement: TextClause, values: Mapping[str, object], *, now: datetime
) -> Claim | None:
    row = connection.execute(statement, values).mappings().one_or_none()
    return None if row is None else _claimed(connection, row, now=now)


def _claimed(connection: Connection, row: RowMapping, *, now: datetime) -> Claim:
    pending = connection.execute(messages.PENDING, {"first_id": row["first_id"], "last_id": row["last_id"]})
    common = row["template"]
    return Claim(
        batch_id=row["id"],
        campaign_id=row["campaign_id"],
        attempt=row["attempt"],
        call_id=row["lease_owner"],
        claimed_at=now,
        lease_ends=row["due_at"],
        first_sent_at=row["first_sent_at"],
        sender=row["sender"],
        personal=row["personal"],
        options=MessageOptions(
            **{name: row[name] for name in MessageOptions.__slots__} | {"kind": CampaignKind(row["kind"])}
        ),
        cancelled=row["cancelled"],
        send_at=row["send_at"],
        of_another_account=row["of_another_account"],
        ids_in_doubt=row["trouble"] == IDS_IN_DOUBT,
        messages=[Outgoing(id_, number, common if own is None else own) for id_, number, own in pending],
    )


def record_facts(
    connection: Connection,
    claim: Claim,
    facts: Sequence[Fact],
    *,
    now: datetime,
    poll_at: datetime,
    closes_at: datetime,
    leaves_at: datetime | None = None,
) -> list[MovedMessage]:
    """Merge facts about the messages of a claim, whether or not the lease is lost. Returns the messages that moved.

    Newly accepted messages are first polled at `poll_at`; their window ends at `closes_at`. The gateway sends them at
    `leaves_at`, or now.
    """
    ids = messages.lock_batches(connection, [claim.batch_id], [fact.message_id for fact in facts])
    moved = messages.merge_facts(connection, facts, now=now)
    if any(fact.gateway_id is not None for fact in facts):
        accepted_at = leaves_at or now
        messages.recount(connection, ids, now=now, accepted_at=accepted_at, poll_at=poll_at, closes_at=closes_at)
    else:
        messages.recount(connection, ids, now=now)
    return moved


FENCE: Final = "id = :batch_id AND lease_owner = :call_id AND attempt = :attempt AND state IN ('claimed', 'unknown')"

# Does this claim still own the lease? The row lock keeps other claims away until the transaction ends.
_OWNS_LEASE: Final = text(f"SELECT id FROM sms.batches WHERE {FENCE} FOR UPDATE")


def owns_lease(connection: Connection, claim: Claim) -> bool:
    """Return whether a claim still owns the lease of its batch: checked before decisions, not before facts merge."""
    return connection.execute(_OWNS_LEASE, _fence(claim)).one_or_none() is not None


def _fence(claim: Claim) -> dict[str, object]:
    return {"batch_id": claim.batch_id, "call_id": claim.call_id, "attempt": claim.attempt}


# No request left this machine: the batch is ready again at `due_at`, as if it had never been claimed.
_RELEASE: Final = text(f"""
    UPDATE sms.batches
       SET state = 'ready', due_at = :due_at, trouble = :trouble, lease_owner = NULL,
           first_sent_at = CASE WHEN first_sent_at < :claimed_at THEN first_sent_at END
     WHERE {FENCE} AND pending > 0
""")

# The request may have left: the batch is unknown, and is resolved at `due_at`.
_MARK_UNKNOWN: Final = text(f"""
    UPDATE sms.batches SET state = 'unknown', due_at = :due_at, trouble = :trouble, lease_owner = NULL
     WHERE {FENCE} AND pending > 0
""")

# The gateway never saw the messages that are still pending: only these may leave again, under the same ids. The earlier
# request is proven not to exist, so the localid window begins anew.
_RETURN: Final = text(f"""
    UPDATE sms.batches
       SET state = 'ready', due_at = :due_at, trouble = :trouble, lease_owner = NULL, first_sent_at = NULL
     WHERE {FENCE} AND pending > 0
""")


def release(connection: Connection, claim: Claim, *, due_at: datetime, trouble: str) -> bool:
    """Make a batch ready again: no request left this machine. Returns False when the lease is lost."""
    return _decide(connection, _RELEASE, claim, due_at=due_at, trouble=trouble)


def mark_unknown(connection: Connection, claim: Claim, *, due_at: datetime, trouble: str) -> bool:
    """Mark a batch unknown: its request may have left. Returns False when the lease is lost, or no message is pending
    any more.
    """
    return _decide(connection, _MARK_UNKNOWN, claim, due_at=due_at, trouble=trouble)


def send_again(connection: Connection, claim: Claim, *, due_at: datetime, trouble: str) -> bool:
    """Make the pending messages ready to be sent again: the gateway never saw them.

    Returns False when the lease is lost, or no message is pending any more.
    """
    return _decide(connection, _RETURN, claim, due_at=due_at, trouble=trouble)


def _decide(connection: Connection, decision: TextClause, claim: Claim, *, due_at: datetime, trouble: str) -> bool:
    decided = {"claimed_at": claim.claimed_at, "due_at": due_at, "trouble": trouble}
    return bool(connection.execute(decision, {**_fence(claim), **decided}).rowcount)


def record_attempt(
    connection: Connection, claim: Claim, *, kind: str, event: str, now: datetime, code: int | None = None
) -> None:
    """Append an event of an attempt, with the gateway's `code` if there is one."""
    connection.execute(
        text("""
            INSERT INTO sms.attempts (batch_id, call_id, kind, event, attempt, messages, code, at)
            VALUES (:batch_id, :call_id, :kind, :event, :attempt, :asked, :code, :now)
        """),
        {**_fence(claim), "kind": kind, "event": event, "asked": len(claim.messages), "code": code, "now": now},
    )


COLLISION: Final = "localid collision"
IDS_IN_DOUBT: Final = "ids in doubt"
"""The trouble of an unknown batch: the gateway has foreign messages under some of its ids, so each one is checked."""


def quarantine(connection: Connection, claim: Claim, *, now: datetime) -> None:
    """Mark a batch whose ids collided, so that only `epochs` touches its uncertain messages."""
    connection.execute(
        text("UPDATE sms.batches SET trouble = :trouble, lease_owner = NULL, due_at = :now WHERE id = :id"),
        {"id": claim.batch_id, "trouble": COLLISION, "now": now},
    )


@in_one_commit
def postpone(connection: Connection, batch_id: int, *, due_at: datetime) -> None:
    """Make an unclaimed batch due at `due_at`, because the pace has no slot before. No attempt is counted."""
    connection.execute(
        text("""
            UPDATE sms.batches SET due_at = :due_at, enqueued_at = NULL
             WHERE id = :batch_id AND state IN ('ready', 'unknown') AND due_at < :due_at
        """),
        {"batch_id": batch_id, "due_at": due_at},
    )
