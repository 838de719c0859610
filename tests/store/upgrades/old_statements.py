"""The statements of the first version's workers: claim, attempt, accept, recount, lapse, ring, tick, create.

Every later version has kept their shape and added columns.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

_BEGAN: Final = """
    INSERT INTO sms.attempts (batch_id, call_id, kind, event, attempt, asked, at)
    SELECT id, :call_id, '{kind}', 'began', attempt, pending, :now FROM claimed
"""

CLAIM_READY: Final = text(f"""
    WITH claimed AS (
        UPDATE sms.batches AS batch
           SET state = 'claimed', due_at = :lease_ends, lease_owner = :owner, attempt = batch.attempt + 1,
               rung_at = NULL, first_sent_at = coalesce(batch.first_sent_at, :now)
          FROM sms.campaigns AS campaign
         WHERE batch.id = :batch_id AND batch.state = 'ready' AND batch.due_at <= :now
           AND campaign.id = batch.campaign_id AND campaign.state = 'running'
           AND NOT EXISTS (SELECT FROM sms.installation WHERE hold_code IS NOT NULL)
     RETURNING batch.*, campaign.sender, campaign.template, campaign.personal
    ), began AS ({_BEGAN.format(kind="send")})
    SELECT * FROM claimed
""")

CLAIM_UNKNOWN: Final = text(f"""
    WITH claimed AS (
        UPDATE sms.batches AS batch
           SET due_at = :lease_ends, lease_owner = :owner, attempt = batch.attempt + 1, rung_at = NULL
          FROM sms.campaigns AS campaign
         WHERE batch.id = :batch_id AND batch.state = 'unknown' AND batch.due_at <= :now
           AND campaign.id = batch.campaign_id
     RETURNING batch.*, campaign.sender, campaign.template, campaign.personal
    ), began AS ({_BEGAN.format(kind="resolve")})
    SELECT * FROM claimed
""")

PENDING: Final = text("""
    SELECT id, number, text FROM sms.messages
     WHERE id BETWEEN :first_id AND :last_id AND state = 'pending' ORDER BY id
""")

LOCK: Final = text("SELECT id, state FROM sms.batches WHERE id = :batch_id ORDER BY id FOR UPDATE")

MERGE: Final = text("""
    UPDATE sms.messages AS message
       SET state = fact.state, gateway_id = coalesce(fact.gateway_id, message.gateway_id), status = fact.status,
           cost_rial = 120,
           settled_at = CASE WHEN fact.state = 'accepted' THEN message.settled_at ELSE CAST(:now AS timestamptz) END
      FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:gateway_ids AS bigint[]),
                  CAST(:statuses AS integer[])) AS fact (id, state, gateway_id, status)
     WHERE message.id = fact.id AND message.state IN ('pending', 'accepted')
       AND (message.gateway_id IS NULL OR message.gateway_id = fact.gateway_id)
 RETURNING message.id
""")

_STATES: Final = (
    *("pending", "accepted", "delivered", "undelivered", "failed", "blocked", "cancelled", "expired", "refused"),
    *("suppressed", "uncertain"),
)

RECOUNT: Final = text(f"""
    UPDATE sms.batches AS batch
       SET {", ".join(f"{state} = counted.{state}" for state in _STATES)},
           state = CASE WHEN counted.pending > 0 THEN batch.state
                        WHEN counted.accepted > 0 THEN 'accepted' ELSE 'closed' END,
           accepted_at = CASE WHEN counted.known > 0 THEN coalesce(batch.accepted_at, :now) END,
           closes_at = CASE WHEN counted.known > 0 THEN coalesce(batch.closes_at, CAST(:closes_at AS timestamptz)) END,
           poll_at = CASE WHEN counted.accepted > 0 THEN coalesce(batch.poll_at, :now) END
      FROM sms.batches AS held
     CROSS JOIN LATERAL (
           SELECT count(message.gateway_id) AS known,
                  {", ".join(f"count(*) FILTER (WHERE message.state = '{state}') AS {state}" for state in _STATES)}
             FROM sms.messages AS message WHERE message.id BETWEEN held.first_id AND held.last_id) AS counted
     WHERE held.id = :batch_id AND batch.id = held.id AND batch.state <> 'split'
""")

RECORD: Final = text("""
    INSERT INTO sms.attempts (batch_id, call_id, kind, event, attempt, asked, code, at)
    VALUES (:batch_id, :call_id, :kind, :event, :attempt, :asked, 200, :now)
""")

SEND_AGAIN: Final = text("""
    UPDATE sms.batches
       SET state = 'ready', due_at = :now, trouble = 'never seen', lease_owner = NULL, first_sent_at = NULL
     WHERE id = :batch_id AND lease_owner = :owner AND attempt = :attempt AND state IN ('claimed', 'unknown')
       AND pending > 0
""")

ALONE: Final = text("SELECT pg_try_advisory_xact_lock(hashtext('sms.tick'))")

LAPSE: Final = text("""
    WITH lapsed AS (
        SELECT id FROM sms.batches WHERE state = 'claimed' AND due_at <= :now ORDER BY due_at LIMIT 500
           FOR UPDATE SKIP LOCKED
    )
    UPDATE sms.batches AS batch SET state = 'unknown', due_at = :now, lease_owner = NULL, trouble = 'lease lapsed'
      FROM lapsed WHERE batch.id = lapsed.id
 RETURNING batch.id
""")

ENQUEUE: Final = text("""
    WITH next AS (
        SELECT turn.id
          FROM sms.campaigns AS campaign
         CROSS JOIN LATERAL (
               SELECT id FROM sms.batches
                WHERE campaign_id = campaign.id AND state = 'ready' AND due_at <= :now
             ORDER BY due_at, id LIMIT 20) AS turn
         WHERE campaign.finished_at IS NULL AND campaign.state = 'running'
           AND NOT EXISTS (SELECT FROM sms.installation WHERE hold_code IS NOT NULL)
    ), free AS (
        SELECT id FROM sms.batches WHERE id IN (SELECT id FROM next) FOR UPDATE SKIP LOCKED
    )
    UPDATE sms.batches AS batch SET rung_at = :now FROM free WHERE batch.id = free.id
 RETURNING batch.id
""")

FINISH: Final = text("""
    UPDATE sms.campaigns AS campaign SET state = 'finished', finished_at = :now
     WHERE id IN (SELECT id FROM sms.campaigns
                   WHERE finished_at IS NULL AND state IN ('running', 'paused', 'cancelled') FOR UPDATE SKIP LOCKED)
       AND NOT EXISTS (SELECT FROM sms.batches AS batch WHERE batch.campaign_id = campaign.id)
""")

TICKED: Final = text("UPDATE sms.installation SET ticked_at = :now")

# A campaign is created, in the order in which intake and plan write.
DRAFT: Final = text("""
    WITH campaign AS (
        INSERT INTO sms.campaigns (name, content_digest, sender, template, personal, state, message_ids, rows_read,
                                   messages, duplicates, rejects, parts)
        VALUES ('a draft', '\\x00', '10004346', 'سلام', false, 'draft',
                int8multirange(int8range(:first_id, CAST(:first_id AS bigint) + 1)), 1, 1, 0, 0, 1)
     RETURNING id
    ), message AS (
        INSERT INTO sms.messages (id, campaign_id, row_no, parts, number)
        SELECT :first_id, id, 1, 1, '09121234567' FROM campaign
    )
    INSERT INTO sms.batches (campaign_id, first_id, last_id, state, due_at, pending)
    SELECT id, :first_id, :first_id, 'ready', CAST(:now AS timestamptz) + interval '1 day', 1 FROM campaign
""")

# No statement of a worker's: what was sent is to be sent once more, so that the load never ends.
AFRESH: Final = (
    text("""
        UPDATE sms.messages SET state = 'pending', gateway_id = NULL, status = NULL, settled_at = NULL
         WHERE id BETWEEN :first_id AND :last_id
    """),
    text("""
        UPDATE sms.batches
           SET state = 'ready', due_at = :now, pending = last_id - first_id + 1, delivered = 0,
               accepted_at = NULL, closes_at = NULL, poll_at = NULL, first_sent_at = NULL, lease_owner = NULL
         WHERE id = :batch_id
    """),
)
