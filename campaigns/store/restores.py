"""After a restore or lost commits: mark batches unknown that may have left since, to be resolved by their old ids.

This takes place in one transaction with the new place of the database, so that no batch is sent before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from kavenegar_campaigns.rules.batches import BATCH_SIZE, EPOCH_SHIFT
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.store import epochs, identity, in_one_commit
from kavenegar_campaigns.store.identity import ACCOUNT_IN_USE


class Cause(StrEnum):
    """Why commits may be missing, as `sms.epochs` keeps it."""

    RESTORED = "restored"  # from a dump, and the original database is gone
    COPIED = "copied"  # and the original database goes on
    FAILED_OVER = "failed over"
    LOST_COMMITS = "lost commits"  # a restart after which the gateway knew messages that were unsent here


@dataclass(frozen=True, slots=True)
class Restored:
    """The result for a restored database: batches to resolve from `ask_at` on, and the new epoch."""

    cause: Cause
    lost_since: datetime
    ask_at: datetime
    epoch: int
    batches: int
    otps: int  # one-time passwords that may have been sent, and are not sent again
    lines: int  # lines of the inbox to reconcile; in a copy, lines that are no longer pulled
    campaigns: Sequence[int]  # open campaigns; in a copy, campaigns that were cancelled here


# One transaction at a time decides about the place of the database.
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtext('sms.identity'))")


def lock_place(connection: Connection) -> None:
    """Lock the decision about the database's place until the transaction ends."""
    connection.execute(_ONE_AT_A_TIME)


# Which batches may have left without an attempt here? Batches of campaigns from before the restore: ids of epochs that
# are not recorded belong to later campaigns. A ready batch would have left under the account in use. All claims end.
_MARK_UNKNOWN: Final = text(f"""
    WITH open AS (
        SELECT batch.id
          FROM sms.campaigns AS campaign JOIN sms.batches AS batch ON batch.campaign_id = campaign.id
         WHERE campaign.finished_at IS NULL AND batch.state IN ('ready', 'claimed', 'unknown')
           AND (batch.first_id >> :shift) IN (SELECT number FROM sms.epochs)
      ORDER BY batch.id
           FOR UPDATE OF batch
    ), in_use AS MATERIALIZED (
        SELECT {ACCOUNT_IN_USE.format(at=":now")} AS account
    ), asked AS (
        UPDATE sms.batches AS batch
           SET state = 'unknown', due_at = :ask_at, lease_owner = NULL, enqueued_at = NULL, trouble = :trouble,
               account = CASE WHEN batch.state = 'ready' THEN coalesce(in_use.account, batch.account)
                              ELSE batch.account END,
               first_sent_at = least(batch.first_sent_at, :lost_since)
          FROM open, in_use WHERE batch.id = open.id
     RETURNING batch.id, batch.attempt, batch.pending
    )
    INSERT INTO sms.attempts (batch_id, call_id, kind, event, attempt, messages, at)
    SELECT id, :call_id, 'send', 'may have left', attempt, pending, :now FROM asked
""")
# The gateway cannot be asked about a one-time password: one that may have been sent is not sent again.
_GIVE_UP_OTPS: Final = text("""
    UPDATE sms.otps SET state = 'unknown', lease_owner = NULL, tokens = NULL, settled_at = :now
     WHERE state IN ('waiting', 'claimed')
""")
# No call follows an SMS that was sent before: the call may have been made since.
_GIVE_UP_CALLS: Final = text("UPDATE sms.otps SET tokens = NULL WHERE tokens IS NOT NULL")
# Inbound messages may have been marked read at the gateway since, and stored by commits that are lost.
_RECONCILE_LINES: Final = text("""
    UPDATE sms.lines
       SET needs_reconcile_since = least(needs_reconcile_since, :lost_since),
           complete_to = CASE WHEN complete_to > :lost_since THEN :lost_since ELSE complete_to END,
           lease_owner = NULL, leased_until = NULL, attempt = attempt + 1, reconcile_began_at = NULL,
           reconciled_to = NULL, due_at = greatest(due_at, :ask_at), reconcile_at = least(reconcile_at, :now)
     WHERE enabled
""")
# The original does not get the messages that a copy reads: a copy pulls a line only when a person enables it.
_DISABLE_LINES: Final = text("""
    UPDATE sms.lines
       SET enabled = false, from_settings = false, lease_owner = NULL, leased_until = NULL, attempt = attempt + 1
     WHERE enabled
""")
# Which campaigns are open?
_OPEN: Final = text("SELECT id FROM sms.campaigns WHERE finished_at IS NULL AND state <> 'draft' ORDER BY id")
# Which campaigns were started before the copy was made? They belong to the original.
_CANCEL: Final = text("""
    UPDATE sms.campaigns SET state = 'cancelled', hold_code = NULL, paused_at = NULL, hold_reason = :reason
     WHERE finished_at IS NULL AND state IN ('scheduled', 'running', 'paused')
       AND (lower(message_ids) >> :shift) IN (SELECT number FROM sms.epochs)
 RETURNING id
""")

CANCELLED_COPY: Final = "cancelled in a copy: the database that it was copied from sends it"


def mark_everything_unknown(
    connection: Connection,
    cause: Cause,
    *,
    lost_since: datetime,
    ask_at: datetime,
    call_id: UUID,
    now: datetime,
) -> Restored:
    """Mark all batches unknown that may have left since `lost_since`, to be resolved from `ask_at` on by their old ids.

    From the commit on this database is at its recorded place, and new ids belong to a new epoch. In a copy, every
    campaign that was started before is cancelled, and no line is pulled: the original sends the unsent messages and
    receives the inbound ones.
    """
    values = {
        "lost_since": lost_since,
        "ask_at": ask_at,
        "now": now,
        "call_id": call_id,
        "shift": EPOCH_SHIFT,
        "trouble": epochs.MAY_HAVE_LEFT,
    }
    asked = connection.execute(_MARK_UNKNOWN, values).rowcount
    otps = connection.execute(_GIVE_UP_OTPS, values).rowcount
    connection.execute(_GIVE_UP_CALLS)
    if cause is Cause.COPIED:
        lines = connection.execute(_DISABLE_LINES).rowcount
        found = connection.execute(_CANCEL, {"shift": EPOCH_SHIFT, "reason": CANCELLED_COPY})
    else:
        lines = connection.execute(_RECONCILE_LINES, values).rowcount
        found = connection.execute(_OPEN)
    campaigns = [row.id for row in found]
    epoch = epochs.begin_epoch(connection, cause=cause.value, now=now, lost_since=lost_since, ask_at=ask_at)
    epochs.record_stray_epochs(connection, now=now)
    identity.record_place(connection)
    return Restored(cause, lost_since, ask_at, epoch, asked, otps, lines, campaigns)


# Which messages would leave next? One of each request, with all campaigns in turn.
_NEXT: Final = text("""
    SELECT (SELECT min(message.id) FROM sms.messages AS message
             WHERE message.id BETWEEN waiting.first_id AND waiting.last_id AND message.state = 'pending') AS id
      FROM sms.campaigns AS campaign
     CROSS JOIN LATERAL (
           SELECT first_id, last_id, row_number() OVER (ORDER BY due_at, id) AS place
             FROM (SELECT id, due_at, first_id, last_id FROM sms.batches
                    WHERE campaign_id = campaign.id AND state = 'ready'
                 ORDER BY due_at, id LIMIT :most) AS first) AS waiting
     WHERE campaign.finished_at IS NULL
  ORDER BY waiting.place, campaign.id LIMIT :most
""")


@in_one_commit
def sample_next_messages(connection: Connection, *, most: int = BATCH_SIZE) -> list[int]:
    """Return one message of each request that would leave next: if commits were lost, these messages left first."""
    return [row.id for row in connection.execute(_NEXT, {"most": most}) if row.id is not None]


# Which open campaigns would this database still send?
_UNFINISHED: Final = text("""
    SELECT id, name, state FROM sms.campaigns WHERE finished_at IS NULL AND state <> 'draft' ORDER BY id
""")


def unfinished_campaigns(connection: Connection) -> list[tuple[int, str, CampaignState]]:
    """Return the open campaigns: id, name and state."""
    return [(row.id, row.name, CampaignState(row.state)) for row in connection.execute(_UNFINISHED)]
