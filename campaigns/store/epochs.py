"""A new epoch after ids collided, and new ids for every message that has not left under its old one.

Needed when another database used the same ids on the same account: this one was restored from a backup, or staging
was copied from production. A message that the gateway has keeps its id; everything else moves to the new epoch.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Row, text

from campaigns.rules.splitting import BATCH, BLOCK, EPOCH_SHIFT, EPOCHS, block_start
from campaigns.store import messages
from campaigns.store.batches import COLLISION

PAGE: Final = BLOCK // BATCH
"""Batches that find room in one block of ids."""


def renew(connection: Connection, *, now: datetime) -> int:
    """Begin a new epoch, at random; its number. What collided is cut out of its batches, ready to be moved."""
    epoch = int(
        connection.execute(
            text("UPDATE sms.installation SET epoch = (epoch + :step) % :epochs + 1 RETURNING epoch"),
            {"step": secrets.randbelow(EPOCHS - 3), "epochs": EPOCHS - 1},
        ).scalar_one()
    )
    connection.execute(text("SELECT setval('sms.message_id_blocks', 1, false)"))
    mixed = connection.execute(
        text("""
            SELECT id FROM sms.batches
             WHERE trouble = :trouble AND uncertain > 0 AND state <> 'split' AND uncertain < last_id - first_id + 1
        """),
        {"trouble": COLLISION},
    )
    for row in mixed.all():
        _carve(connection, row.id, now=now)
    return epoch


# A batch in which some messages are known to the gateway and some are not gives way to its unmixed runs.
_RUNS: Final = text("""
    INSERT INTO sms.batches (campaign_id, parent_id, first_id, last_id, state, due_at, trouble, first_sent_at,
                             accepted_at, closes_at, pending)
    SELECT batch.campaign_id, batch.id, run.first_id, run.last_id, 'ready', :now, batch.trouble, batch.first_sent_at,
           batch.accepted_at, batch.closes_at, run.last_id - run.first_id + 1
      FROM sms.batches AS batch,
           LATERAL (SELECT min(id) AS first_id, max(id) AS last_id
                      FROM (SELECT id, state = 'uncertain' AS lost,
                                   id - row_number() OVER (PARTITION BY state = 'uncertain' ORDER BY id) AS run
                              FROM sms.messages WHERE id BETWEEN batch.first_id AND batch.last_id) AS marked
                  GROUP BY lost, run) AS run
     WHERE batch.id = :id
 RETURNING id
""")


def _carve(connection: Connection, batch_id: int, *, now: datetime) -> None:
    messages.lock(connection, [batch_id])
    connection.execute(text("UPDATE sms.batches SET state = 'split', poll_at = NULL WHERE id = :id"), {"id": batch_id})
    born = [row.id for row in connection.execute(_RUNS, {"id": batch_id, "now": now})]
    messages.recount(connection, born, now=now)


# Which batches still stand under ids of an older epoch and have not left under them?
_OLD: Final = text("""
    SELECT batch.id, batch.campaign_id, batch.first_id, batch.last_id
      FROM sms.batches AS batch, sms.installation AS installation
     WHERE (batch.first_id >> :shift) <> installation.epoch
       AND (CAST(:campaign_id AS bigint) IS NULL OR batch.campaign_id = :campaign_id)
       AND ((batch.state = 'ready' AND batch.first_sent_at IS NULL)
            OR (batch.trouble = :trouble AND batch.uncertain = batch.last_id - batch.first_id + 1))
  ORDER BY batch.id LIMIT :most FOR UPDATE OF batch
""")


def reissue(connection: Connection, *, campaign_id: int | None = None) -> int:
    """Move a page of batches to ids of the present epoch; how many batches moved, 0 when all are done."""
    rows = connection.execute(
        _OLD, {"shift": EPOCH_SHIFT, "campaign_id": campaign_id, "trouble": COLLISION, "most": PAGE}
    ).all()
    if rows:
        block = connection.execute(
            text("SELECT epoch, nextval('sms.message_id_blocks') AS block FROM sms.installation")
        ).one()
        start = block_start(block.epoch, block.block)
        for place, row in enumerate(rows):
            _move(connection, row, to=start + place * BATCH)
    return len(rows)


def _move(connection: Connection, row: Row[tuple[object, ...]], *, to: int) -> None:
    """One batch, its messages and its campaign's ranges, by the same distance."""
    facts = {"id": row.id, "campaign_id": row.campaign_id, "first": row.first_id, "last": row.last_id}
    facts["shift"] = to - row.first_id
    connection.execute(
        text("""
            UPDATE sms.messages
               SET id = id + :shift, state = CASE WHEN state = 'uncertain' THEN 'pending' ELSE state END,
                   settled_at = CASE WHEN state = 'uncertain' THEN NULL ELSE settled_at END
             WHERE id BETWEEN :first AND :last
        """),
        facts,
    )
    connection.execute(
        text("""
            UPDATE sms.batches
               SET first_id = first_id + :shift, last_id = last_id + :shift, state = 'ready', trouble = NULL,
                   first_sent_at = NULL, pending = pending + uncertain, uncertain = 0
             WHERE id = :id
        """),
        facts,
    )
    connection.execute(
        text("""
            UPDATE sms.campaigns
               SET message_ids = message_ids - int8multirange(int8range(:first, :last, '[]'))
                               + int8multirange(int8range(:first + :shift, :last + :shift, '[]'))
             WHERE id = :campaign_id
        """),
        facts,
    )
