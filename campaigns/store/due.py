"""What is due: the questions of the one-second tick. None of them reads more rows than it rings for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, TextClause, text

from campaigns.rules.states import OPEN_BATCH_STATES
from campaigns.store import messages
from campaigns.store.batches import OURS_OR_FORGOTTEN
from campaigns.store.gate import CLOCK_IS_TRUSTED, LEFT_FROM_HERE, MAY_ACT, MAY_END, MAY_SEND
from campaigns.store.identity import IS_HOME

# Does another dispatcher tick at this moment? Then this one has nothing to do.
_ALONE: Final = text("SELECT pg_try_advisory_xact_lock(hashtext('sms.tick'))")


def alone(connection: Connection) -> bool:
    """True for one dispatcher at a time, until its commit."""
    return bool(connection.execute(_ALONE).scalar_one())


# Was there a tick just now? Another process may believe a slightly later time.
_JUST_TICKED: Final = text("""
    SELECT coalesce(ticked_at BETWEEN :now - :apart AND :now + :apart, false) FROM sms.installation
""")


def just_ticked(connection: Connection, *, now: datetime, apart: timedelta) -> bool:
    """Whether a tick has done its work within `apart` of now, so that one more finds nothing to do.

    It only saves work: two that ask at the same moment are kept apart by `alone`.
    """
    return bool(connection.execute(_JUST_TICKED, {"now": now, "apart": apart}).scalar_one())


# Whose lease ran out? The request may have left: nobody knows.
_LAPSE: Final = text("""
    WITH lapsed AS (
        SELECT id FROM sms.batches WHERE state = 'claimed' AND due_at <= :now ORDER BY due_at LIMIT 500
           FOR UPDATE SKIP LOCKED
    )
    UPDATE sms.batches AS batch SET state = 'unknown', due_at = :ask_at, lease_owner = NULL, trouble = 'lease lapsed'
      FROM lapsed WHERE batch.id = lapsed.id
 RETURNING batch.id
""")


def lapse(connection: Connection, *, now: datetime, settle: timedelta) -> list[int]:
    """Batches whose worker died or hung are now unknown, and asked about once the gateway has had time to `settle`."""
    return [row.id for row in connection.execute(_LAPSE, {"now": now, "ask_at": now + settle})]


# How many rings for batches that may leave are still on their way to a worker? Those of a campaign that was paused
# meanwhile find nothing to claim, and take no room.
_READY_RUNG: Final = text("""
    SELECT count(*) FROM sms.batches AS batch JOIN sms.campaigns AS campaign ON campaign.id = batch.campaign_id
     WHERE batch.state IN ('ready', 'unknown') AND batch.rung_at > :since AND batch.state = 'ready'
       AND campaign.state = 'running'
""")

# Which batches are to leave next? The oldest due of each running campaign in turn. What a campaign has on its way, rung
# for or claimed, are turns that it has had; of those that have had as many, another goes first at each tick.
_READY: Final = text(f"""
    WITH on_their_way AS (
        SELECT campaign_id, count(*) AS batches
          FROM (SELECT campaign_id FROM sms.batches
                 WHERE state IN ('ready', 'unknown') AND rung_at > :since AND state = 'ready'
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
                          AND (rung_at IS NULL OR rung_at <= :since)
                     ORDER BY due_at, id LIMIT :most) AS waiting) AS turn
         WHERE campaign.finished_at IS NULL AND campaign.state = 'running'
           AND {MAY_SEND}
      ORDER BY turn.place, hashint8extended(campaign.id, :tick)
         LIMIT :most
    ), free AS (
        SELECT id FROM sms.batches WHERE id IN (SELECT id FROM next) FOR UPDATE SKIP LOCKED
    )
    UPDATE sms.batches AS batch SET rung_at = :now FROM free WHERE batch.id = free.id
 RETURNING batch.id
""")


def ring_ready(connection: Connection, *, now: datetime, since: datetime, room: int) -> list[int]:
    """Batches to ring for, so that at most `room` rings are on their way; rings from before `since` are lost ones."""
    tick = int(now.timestamp())
    return _ring(connection, _READY_RUNG, _READY, now=now, since=since, room=room, tick=tick)


# How many rings for unknown batches are still on their way to a worker?
_UNKNOWN_RUNG: Final = text("""
    SELECT count(*) FROM sms.batches
     WHERE state IN ('ready', 'unknown') AND rung_at > :since AND state = 'unknown'
""")

# Which unknown batches may be asked about now, with our key?
_UNKNOWN: Final = text(f"""
    WITH next AS (
        SELECT batch.id
          FROM sms.accounts AS own, sms.batches AS batch
         WHERE own.label = :account AND {OURS_OR_FORGOTTEN} AND {CLOCK_IS_TRUSTED}
           AND batch.state = 'unknown' AND batch.due_at <= :now AND (batch.rung_at IS NULL OR batch.rung_at <= :since)
      ORDER BY batch.due_at LIMIT :most
           FOR UPDATE OF batch SKIP LOCKED
    )
    UPDATE sms.batches AS batch SET rung_at = :now FROM next WHERE batch.id = next.id
 RETURNING batch.id
""")


def ring_unknown(
    connection: Connection, *, account: str, now: datetime, since: datetime, forgotten_before: datetime, most: int
) -> list[int]:
    """Unknown batches to ask about with the key labelled `account`, so that at most `most` rings are on their way.

    Of another account, those that first left before `forgotten_before`: there is nothing to ask any more.
    """
    values = {"account": account, "forgotten_before": forgotten_before}
    return _ring(connection, _UNKNOWN_RUNG, _UNKNOWN, now=now, since=since, room=most, **values)


def _ring(
    connection: Connection,
    rung: TextClause,
    next_: TextClause,
    *,
    now: datetime,
    since: datetime,
    room: int,
    **values: object,
) -> list[int]:
    free = room - connection.execute(rung, {"since": since}).scalar_one()
    if free <= 0:
        return []
    return [row.id for row in connection.execute(next_, {"now": now, "since": since, "most": free, **values})]


# Which scheduled campaigns begin?
_BEGIN: Final = text("""
    UPDATE sms.campaigns SET state = 'running', started_at = coalesce(started_at, :now)
     WHERE id IN (SELECT id FROM sms.campaigns
                   WHERE finished_at IS NULL AND state = 'scheduled' AND start_at <= :now FOR UPDATE SKIP LOCKED)
 RETURNING id
""")


def begin_scheduled(connection: Connection, *, now: datetime) -> list[int]:
    """Campaigns whose time has come run now."""
    return [row.id for row in connection.execute(_BEGIN, {"now": now})]


# Which batches of cancelled campaigns would still leave? A few at a time: no commit is long. A restored one asks first.
_WITHDRAWN: Final = text(f"""
    SELECT batch.id, batch.first_id, batch.last_id
      FROM sms.campaigns AS campaign
      JOIN sms.batches AS batch ON batch.campaign_id = campaign.id AND batch.state = 'ready'
     WHERE campaign.finished_at IS NULL AND campaign.state = 'cancelled' AND {MAY_END}
     LIMIT :most FOR UPDATE OF batch SKIP LOCKED
""")


def withdraw(connection: Connection, *, now: datetime, most: int = 50) -> int:
    """Cancel what a cancelled campaign has not sent; how many batches, at most `most`."""
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
           AND (batch.rung_at IS NULL OR batch.rung_at <= :since) AND {MAY_ACT} AND {LEFT_FROM_HERE}
         LIMIT :most
           FOR UPDATE OF batch SKIP LOCKED
    )
    UPDATE sms.batches AS batch SET rung_at = :now FROM next WHERE batch.id = next.id
 RETURNING batch.id
""")


def ring_scheduled(connection: Connection, *, now: datetime, since: datetime, most: int) -> list[int]:
    """Batches that are to be withdrawn from the gateway before their date."""
    return [row.id for row in connection.execute(_SCHEDULED, {"now": now, "since": since, "most": most})]


# Which campaigns have nothing open any more?
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


def finish(connection: Connection, *, now: datetime) -> list[int]:
    """Campaigns in which every message has its verdict."""
    return [row.id for row in connection.execute(_FINISH, {"now": now})]


# The dispatcher lives. So does the database's history, unless it is not known where it went on. Is the clock trusted?
_TICKED: Final = text(f"""
    UPDATE sms.installation SET ticked_at = :now, alive_at = CASE WHEN {IS_HOME} THEN :now ELSE alive_at END
 RETURNING clock_leapt_at IS NULL
""")


def ticked(connection: Connection, *, now: datetime) -> bool:
    """Leave a sign that the dispatcher lives, which `campaigns doctor` looks for; whether the clock is trusted."""
    return bool(connection.execute(_TICKED, {"now": now}).scalar_one())
