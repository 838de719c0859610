"""Find due work, for the one-second tick. No statement reads more rows than it enqueues."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, TextClause, text

from kavenegar_campaigns.rules.states import OPEN_BATCH_STATES
from kavenegar_campaigns.store import in_one_commit, messages
from kavenegar_campaigns.store.batches import OURS_OR_FORGOTTEN
from kavenegar_campaigns.store.gate import CLOCK_IS_TRUSTED, LEFT_FROM_HERE, MAY_ACT, MAY_END, MAY_SEND
from kavenegar_campaigns.store.identity import IS_HOME

# Does another dispatcher run a tick at this moment? Then this one has nothing to do.
_TICK_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(hashtext('sms.tick'))")


def try_tick_lock(connection: Connection) -> bool:
    """Try to take the lock of the tick, until the commit. Returns True for one dispatcher at a time."""
    return bool(connection.execute(_TICK_LOCK).scalar_one())


# Was there a tick just now? The clock of another process may be slightly ahead.
_JUST_TICKED: Final = text("""
    SELECT coalesce(ticked_at BETWEEN :now - :apart AND :now + :apart, false) FROM sms.installation
""")


@in_one_commit
def just_ticked(connection: Connection, *, now: datetime, apart: timedelta) -> bool:
    """Return whether a tick ran within `apart` of now, so that another tick finds nothing to do.

    This check only saves work: `try_tick_lock` keeps two simultaneous ticks apart.
    """
    return bool(connection.execute(_JUST_TICKED, {"now": now, "apart": apart}).scalar_one())


# Which claimed batches have an expired lease? Their requests may have left, so they become unknown.
_EXPIRE_LEASES: Final = text("""
    WITH ended AS (
        SELECT id FROM sms.batches WHERE state = 'claimed' AND due_at <= :now ORDER BY due_at LIMIT 500
           FOR UPDATE SKIP LOCKED
    )
    UPDATE sms.batches AS batch SET state = 'unknown', due_at = :ask_at, lease_owner = NULL, trouble = 'lease lapsed'
      FROM ended WHERE batch.id = ended.id
 RETURNING batch.id
""")


def expire_leases(connection: Connection, *, now: datetime, unknown_grace: timedelta) -> list[int]:
    """Mark batches with expired leases unknown, to be resolved after `unknown_grace`. Returns their ids."""
    return [row.id for row in connection.execute(_EXPIRE_LEASES, {"now": now, "ask_at": now + unknown_grace})]


# How many tasks for ready batches are still on their way to a worker? A task of a paused campaign finds no batch to
# claim, and does not count.
_READY_ENQUEUED: Final = text("""
    SELECT count(*) FROM sms.batches AS batch JOIN sms.campaigns AS campaign ON campaign.id = batch.campaign_id
     WHERE batch.state IN ('ready', 'unknown') AND batch.enqueued_at > :since AND batch.state = 'ready'
       AND campaign.state = 'running'
""")

# Which batches leave next? Running campaigns take turns, each with its oldest due batch. An enqueued or claimed batch
# counts as a turn of its campaign. Among campaigns with equally many turns, the first one changes at each tick.
_READY: Final = text(f"""
    WITH on_their_way AS (
        SELECT campaign_id, count(*) AS batches
          FROM (SELECT campaign_id FROM sms.batches
                 WHERE state IN ('ready', 'unknown') AND enqueued_at > :since AND state = 'ready'
             UNION ALL SELECT campaign_id FROM sms.batches WHERE state = 'claimed') AS busy
      GROUP BY campaign_id
    ), next AS (
        SELECT turn.id
          FROM sms.campaigns AS campaign
          LEFT JOIN on_their_way ON on_their_way.campaign_id = campaign.id
         CROSS JOIN LATERAL (
               SELECT id, coalesce(on_their_way.batches, 0) + row_number() OVER (ORDER BY due_at, id) AS place
                 FROM (SELECT id, due_at FROM sms.batches
                        WHERE campaign_id = campaign.id AND state = 'ready' AND due_at <= :now
                          AND (enqueued_at IS NULL OR enqueued_at <= :since)
                     ORDER BY due_at, id LIMIT :most) AS waiting) AS turn
         WHERE campaign.finished_at IS NULL AND campaign.state = 'running'
           AND {MAY_SEND}
      ORDER BY turn.place, hashint8extended(campaign.id, :tick)
         LIMIT :most
    ), free AS (
        SELECT id FROM sms.batches WHERE id IN (SELECT id FROM next) FOR UPDATE SKIP LOCKED
    )
    UPDATE sms.batches AS batch SET enqueued_at = :now FROM free WHERE batch.id = free.id
 RETURNING batch.id
""")


def enqueue_ready(connection: Connection, *, now: datetime, since: datetime, room: int) -> list[int]:
    """Enqueue ready batches; at most `room` tasks are on their way. A task from before `since` counts as lost.

    Returns the ids of the batches.
    """
    tick = int(now.timestamp())
    return _enqueue(connection, _READY_ENQUEUED, _READY, now=now, since=since, room=room, tick=tick)


# How many tasks for unknown batches are still on their way to a worker?
_UNKNOWN_ENQUEUED: Final = text("""
    SELECT count(*) FROM sms.batches
     WHERE state IN ('ready', 'unknown') AND enqueued_at > :since AND state = 'unknown'
""")

# Which unknown batches may be resolved now, with our key?
_UNKNOWN: Final = text(f"""
    WITH next AS (
        SELECT batch.id
          FROM sms.accounts AS own, sms.batches AS batch
         WHERE own.label = :account AND {OURS_OR_FORGOTTEN} AND {CLOCK_IS_TRUSTED}
           AND batch.state = 'unknown' AND batch.due_at <= :now
           AND (batch.enqueued_at IS NULL OR batch.enqueued_at <= :since)
      ORDER BY batch.due_at LIMIT :most
           FOR UPDATE OF batch SKIP LOCKED
    )
    UPDATE sms.batches AS batch SET enqueued_at = :now FROM next WHERE batch.id = next.id
 RETURNING batch.id
""")


def enqueue_unknown(
    connection: Connection, *, account: str, now: datetime, since: datetime, localid_cutoff: datetime, most: int
) -> list[int]:
    """Enqueue unknown batches to resolve with the key labelled `account`; at most `most` tasks are on their way.

    A batch of another account is enqueued if it first left before `localid_cutoff`: no key can resolve it any more.
    Returns the ids of the batches.
    """
    values = {"account": account, "localid_cutoff": localid_cutoff}
    return _enqueue(connection, _UNKNOWN_ENQUEUED, _UNKNOWN, now=now, since=since, room=most, **values)


def _enqueue(
    connection: Connection,
    enqueued: TextClause,
    next_: TextClause,
    *,
    now: datetime,
    since: datetime,
    room: int,
    **values: object,
) -> list[int]:
    free = room - connection.execute(enqueued, {"since": since}).scalar_one()
    if free <= 0:
        return []
    return [row.id for row in connection.execute(next_, {"now": now, "since": since, "most": free, **values})]


# Which scheduled campaigns begin now?
_BEGIN: Final = text("""
    UPDATE sms.campaigns SET state = 'running', started_at = coalesce(started_at, :now)
     WHERE id IN (SELECT id FROM sms.campaigns
                   WHERE finished_at IS NULL AND state = 'scheduled' AND start_at <= :now FOR UPDATE SKIP LOCKED)
 RETURNING id
""")


def begin_scheduled(connection: Connection, *, now: datetime) -> list[int]:
    """Start the scheduled campaigns whose time has come. Returns their ids."""
    return [row.id for row in connection.execute(_BEGIN, {"now": now})]


# Which ready batches of cancelled campaigns have not left? A few at a time, so that no commit is long. A restored
# database first asks the gateway.
_WITHDRAWN: Final = text(f"""
    SELECT batch.id, batch.first_id, batch.last_id
      FROM sms.campaigns AS campaign
      JOIN sms.batches AS batch ON batch.campaign_id = campaign.id AND batch.state = 'ready'
     WHERE campaign.finished_at IS NULL AND campaign.state = 'cancelled' AND {MAY_END}
     LIMIT :most FOR UPDATE OF batch SKIP LOCKED
""")


def cancel_unsent(connection: Connection, *, now: datetime, most: int = 50) -> int:
    """Cancel the unsent messages of cancelled campaigns. Returns how many batches, at most `most`."""
    rows = connection.execute(_WITHDRAWN, {"most": most}).all()
    if not rows:
        return 0
    connection.execute(
        text("""
            UPDATE sms.messages AS message SET state = 'cancelled', settled_at = :now
              FROM unnest(CAST(:first_ids AS bigint[]), CAST(:last_ids AS bigint[])) AS batch (first_id, last_id)
             CROSS JOIN LATERAL (SELECT id FROM sms.messages
                                  WHERE id BETWEEN batch.first_id AND batch.last_id AND state = 'pending') AS unsent
             WHERE message.id = unsent.id
        """),
        {"first_ids": [row.first_id for row in rows], "last_ids": [row.last_id for row in rows], "now": now},
    )
    messages.recount(connection, [row.id for row in rows], now=now)
    return len(rows)


# Which batches of cancelled campaigns does the gateway still hold for a later date?
_SCHEDULED: Final = text(f"""
    WITH next AS (
        SELECT batch.id
          FROM sms.campaigns AS campaign
          JOIN sms.batches AS batch ON batch.campaign_id = campaign.id AND batch.state = 'accepted'
         WHERE campaign.finished_at IS NULL AND campaign.state = 'cancelled'
           AND campaign.at_gateway AND campaign.start_at > :now
           AND (batch.enqueued_at IS NULL OR batch.enqueued_at <= :since) AND {MAY_ACT} AND {LEFT_FROM_HERE}
         LIMIT :most
           FOR UPDATE OF batch SKIP LOCKED
    )
    UPDATE sms.batches AS batch SET enqueued_at = :now FROM next WHERE batch.id = next.id
 RETURNING batch.id
""")


def enqueue_withdrawals(connection: Connection, *, now: datetime, since: datetime, most: int) -> list[int]:
    """Enqueue batches to withdraw from the gateway before their date. Returns their ids, at most `most`."""
    return [row.id for row in connection.execute(_SCHEDULED, {"now": now, "since": since, "most": most})]


# Which campaigns have no open batch any more?
_FINISH: Final = text(f"""
    UPDATE sms.campaigns AS campaign
       SET state = CASE WHEN state = 'cancelled' THEN 'cancelled' ELSE 'finished' END,
           finished_at = :now, hold_code = NULL, paused_at = NULL,
           hold_reason = CASE WHEN state = 'cancelled' THEN hold_reason END
     WHERE id IN (SELECT id FROM sms.campaigns
                   WHERE finished_at IS NULL AND state IN ('running', 'paused', 'cancelled') FOR UPDATE SKIP LOCKED)
       AND NOT EXISTS (SELECT FROM sms.batches AS batch
                        WHERE batch.campaign_id = campaign.id
                          AND batch.state IN ({", ".join(f"'{state}'" for state in OPEN_BATCH_STATES)}))
 RETURNING id
""")


def finish_campaigns(connection: Connection, *, now: datetime) -> list[int]:
    """Finish the campaigns in which every message has its verdict. Returns their ids."""
    return [row.id for row in connection.execute(_FINISH, {"now": now})]


# The dispatcher is alive. The installation is alive, too, unless this database may be a copy or a restored one. Is the
# clock trusted?
_HEARTBEAT: Final = text(f"""
    UPDATE sms.installation SET ticked_at = :now, alive_at = CASE WHEN {IS_HOME} THEN :now ELSE alive_at END
 RETURNING clock_leapt_at IS NULL
""")


def record_heartbeat(connection: Connection, *, now: datetime) -> bool:
    """Record the dispatcher's heartbeat, which `campaigns doctor` reads. Returns whether the clock is trusted."""
    return bool(connection.execute(_HEARTBEAT, {"now": now}).scalar_one())
