"""Epochs, the high bits of every message id: begin a new epoch, and give messages new ids after a collision.

A new epoch begins where another database may have reserved equal ids. After a restore, new campaigns get ids of the new
epoch. After a collision, messages that have not left get new ids, too. An accepted message keeps its id.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Row, text

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.batches import BATCH_SIZE, EPOCH_COUNT, EPOCH_SHIFT, ID_BLOCK_SIZE, id_block_start
from kavenegar_campaigns.store import identity, in_one_commit, messages
from kavenegar_campaigns.store.batches import COLLISION
from kavenegar_campaigns.store.identity import ACCOUNT_IN_USE

# New ids for campaigns without batches, after a collision.
#
# The ids move when the new epoch begins, not when the campaign starts. A draft may start after a backup was made, and
# the restored database must resolve it under the ids that it left under: so the backup needs these ids, too.


@dataclass(frozen=True, slots=True)
class DraftSpan:
    """A range of a draft's ids, `first` to `last`, at most one block."""

    campaign_id: int
    first: int
    last: int


# Which ids of drafts belong to an epoch with a collision? Ids that lost commits may have sent are left out. The row
# lock keeps the campaign from starting until the transaction ends.
_OLD_DRAFTS: Final = text("""
    WITH collided AS (
        SELECT own.number FROM sms.epochs AS own
         WHERE EXISTS (SELECT FROM sms.epochs AS later WHERE later.id > own.id AND later.cause = 'collision')
           AND NOT EXISTS (SELECT FROM sms.epochs AS later WHERE later.id > own.id AND later.lost_since IS NOT NULL)
    )
    SELECT campaign.id, lower(span) AS first, least(lower(span) + :block, upper(span)) - 1 AS last
      FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
     WHERE campaign.state = 'draft' AND lower(span) >> :shift IN (SELECT number FROM collided)
  ORDER BY campaign.id, lower(span) LIMIT 1
       FOR UPDATE OF campaign
""")


def next_draft_span(connection: Connection) -> DraftSpan | None:
    """Return the next range of ids to move; None when no draft has ids of an epoch with a collision."""
    row = connection.execute(_OLD_DRAFTS, {"shift": EPOCH_SHIFT, "block": ID_BLOCK_SIZE}).one_or_none()
    return None if row is None else DraftSpan(row.id, row.first, row.last)


def move_draft(connection: Connection, span: DraftSpan, *, to: int) -> None:
    """Move messages of a draft, and the range of its campaign, to ids from `to` on."""
    facts = {"campaign_id": span.campaign_id, "first": span.first, "last": span.last, "shift": to - span.first}
    connection.execute(text("UPDATE sms.messages SET id = id + :shift WHERE id BETWEEN :first AND :last"), facts)
    connection.execute(MOVE_RANGE, facts)


# Move these ids in the range of a campaign.
MOVE_RANGE: Final = text("""
    UPDATE sms.campaigns
       SET message_ids = message_ids - int8multirange(int8range(:first, :last, '[]'))
                       + int8multirange(int8range(:first + :shift, :last + :shift, '[]'))
     WHERE id = :campaign_id
""")
"""A statement: move `first` to `last` by `shift` in a campaign's ranges of ids."""


BATCHES_A_BLOCK: Final = ID_BLOCK_SIZE // BATCH_SIZE
"""How many batches fit into one block of ids."""


def random_epoch() -> int:
    """Return a random number for a new epoch: two databases on one account get an equal one once in a million."""
    return 1 + secrets.randbelow(EPOCH_COUNT - 1)


# Which block of ids is next, and may this database reserve ids of its epoch?
_NEXT_BLOCK: Final = text(f"""
    SELECT epoch, nextval('sms.message_id_blocks') AS block, {identity.IS_SAME_DATABASE} AS same_database
      FROM sms.installation
""")


def reserve_block(connection: Connection) -> int:
    """Reserve `ID_BLOCK_SIZE` message ids that no other database has. Returns the first.

    In a copy that is not recognised yet, the ids belong to a new random epoch: the original may have reserved the next
    ids of the present epoch. Raises: BadInput where there is no epoch yet.
    """
    row = connection.execute(_NEXT_BLOCK).one_or_none()
    if row is None:
        raise BadInput("the database has no epoch yet: run `campaigns migrate` first")
    return id_block_start(row.epoch if row.same_database else random_epoch(), row.block)


# Record a new epoch, unless its number was used before.
_BEGAN: Final = text("""
    INSERT INTO sms.epochs (number, began_at, cause, lost_since, ask_at)
    VALUES (:number, :now, :cause, :lost_since, :ask_at)
        ON CONFLICT (number) DO NOTHING
 RETURNING number
""")


def begin_epoch(
    connection: Connection,
    *,
    cause: str,
    now: datetime,
    lost_since: datetime | None = None,
    ask_at: datetime | None = None,
) -> int:
    """Begin a new epoch, to which all later ids belong. Returns its number.

    `lost_since`: commits after this time may be missing here. Campaigns of earlier epochs that are started later may
    have left since then, and can be resolved from `ask_at` on.
    """
    values = {"cause": cause, "now": now, "lost_since": lost_since, "ask_at": ask_at}
    number = None
    while number is None:  # an epoch that was used here before is as bad as another database's
        number = connection.execute(_BEGAN, {"number": random_epoch(), **values}).scalar_one_or_none()
    connection.execute(text("UPDATE sms.installation SET epoch = :number"), {"number": number})
    connection.execute(text("SELECT setval('sms.message_id_blocks', 1, false)"))
    return int(number)


# Which epochs do ids belong to, but are not recorded? A copy that was not recognised yet took a new one for each
# campaign.
_STRAY: Final = text("""
    INSERT INTO sms.epochs (number, began_at, cause)
    SELECT DISTINCT lower(span) >> :shift, :now, 'created before the copy was known'
      FROM sms.campaigns, unnest(message_ids) AS span
     WHERE finished_at IS NULL
        ON CONFLICT (number) DO NOTHING
""")


def record_stray_epochs(connection: Connection, *, now: datetime) -> int:
    """Record the epochs of campaigns that were created in a copy before it was recognised. Returns how many."""
    return connection.execute(_STRAY, {"shift": EPOCH_SHIFT, "now": now}).rowcount


# Which new batches of a campaign have ids of an epoch after which commits were lost? They may have left.
_MAY_HAVE_LEFT: Final = text(f"""
    WITH lost AS MATERIALIZED (
        SELECT number, since, ask_at, {ACCOUNT_IN_USE.format(at="began_at")} AS account
          FROM (SELECT own.number, min(later.lost_since) AS since, max(later.ask_at) AS ask_at,
                       min(later.began_at) AS began_at
                  FROM sms.epochs AS own
                  JOIN sms.epochs AS later ON later.id > own.id AND later.lost_since IS NOT NULL
                 WHERE own.number IN (SELECT lower(span) >> :shift
                                        FROM sms.campaigns, unnest(message_ids) AS span WHERE id = :campaign_id)
              GROUP BY own.number) AS began
    )
    UPDATE sms.batches AS batch
       SET state = 'unknown', due_at = greatest(lost.ask_at, CAST(:now AS timestamptz)),
           first_sent_at = lost.since, account = lost.account, trouble = :trouble
      FROM lost
     WHERE batch.campaign_id = :campaign_id AND batch.state = 'ready' AND batch.first_id >> :shift = lost.number
""")

MAY_HAVE_LEFT: Final = "may have left before a restore"
"""The trouble of an unknown batch: this database has no attempt of it, but may lack the commit of an attempt."""


def mark_unknown_if_lost(connection: Connection, campaign_id: int, *, now: datetime) -> int:
    """Mark new batches of a campaign unknown that lost commits may have sent. Returns how many."""
    values = {"campaign_id": campaign_id, "now": now, "shift": EPOCH_SHIFT, "trouble": MAY_HAVE_LEFT}
    return connection.execute(_MAY_HAVE_LEFT, values).rowcount


@in_one_commit
def renew_epoch(connection: Connection, *, now: datetime) -> int:
    """Begin a new epoch after a collision. Returns its number. Collided messages get batches of their own, to move."""
    epoch = begin_epoch(connection, cause="collision", now=now)
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


# Replace a batch in which some messages collided and some did not by its unmixed runs.
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
    messages.lock_batches(connection, [batch_id])
    connection.execute(text("UPDATE sms.batches SET state = 'split', poll_at = NULL WHERE id = :id"), {"id": batch_id})
    runs = [row.id for row in connection.execute(_RUNS, {"id": batch_id, "now": now})]
    messages.recount(connection, runs, now=now)


# Which batches have ids of an epoch with a collision, and have not left under them?
_OLD_BATCHES: Final = text("""
    SELECT batch.id, batch.campaign_id, batch.first_id, batch.last_id
      FROM sms.batches AS batch
     WHERE (batch.first_id >> :shift) IN (SELECT own.number FROM sms.epochs AS own
                                           WHERE EXISTS (SELECT FROM sms.epochs AS later
                                                          WHERE later.id > own.id AND later.cause = 'collision'))
       AND (CAST(:campaign_id AS bigint) IS NULL OR batch.campaign_id = :campaign_id)
       AND ((batch.state = 'ready' AND batch.first_sent_at IS NULL)
            OR (batch.trouble = :trouble AND batch.uncertain = batch.last_id - batch.first_id + 1))
  ORDER BY batch.id LIMIT :most FOR UPDATE OF batch
""")


@in_one_commit
def reissue_ids(connection: Connection, *, campaign_id: int | None = None) -> int:
    """Move a page of batches to ids of the present epoch. Returns how many batches moved, 0 when all are done.

    Without `campaign_id`, messages that have no batch yet move, too; they count as batches. Raises: BadInput.
    """
    rows = connection.execute(
        _OLD_BATCHES, {"shift": EPOCH_SHIFT, "campaign_id": campaign_id, "trouble": COLLISION, "most": BATCHES_A_BLOCK}
    ).all()
    if rows:
        start = reserve_block(connection)
        for place, row in enumerate(rows):
            _move_batch(connection, row, to=start + place * BATCH_SIZE)
    return len(rows) if rows or campaign_id is not None else _reissue_draft_ids(connection)


def _reissue_draft_ids(connection: Connection) -> int:
    span = next_draft_span(connection)
    if span is None:
        return 0
    move_draft(connection, span, to=reserve_block(connection))
    return -(-(span.last - span.first + 1) // BATCH_SIZE)


def _move_batch(connection: Connection, row: Row[tuple[object, ...]], *, to: int) -> None:
    """Move a batch, its messages and its campaign's ranges by one distance."""
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
    connection.execute(MOVE_RANGE, facts)
