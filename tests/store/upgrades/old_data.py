"""What a database of an older version holds: written with the columns of the first revision, which all have."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, Engine, text

BATCH_SIZE: Final = 200
FIRST_ID: Final = (7 << 33) + 1
"""The first message id of epoch 7."""

_INSTALLATION: Final = text("""
    INSERT INTO sms.installation (id, epoch) VALUES (1, 7) ON CONFLICT (id) DO UPDATE SET epoch = 7
""")

_CAMPAIGN: Final = text("""
    INSERT INTO sms.campaigns (name, content_digest, sender, template, personal, state, message_ids, rows_read,
                               messages, duplicates, rejects, parts, started_at)
    VALUES (:name, '\\x00', '10004346', 'سلام', false, 'running',
            int8multirange(int8range(:first_id, :first_id + :messages)), :messages, :messages, 0, 0, :messages, now())
 RETURNING id
""")

_MESSAGES: Final = text("""
    INSERT INTO sms.messages (id, campaign_id, row_no, parts, number)
    SELECT :first_id + place, :campaign_id, place + 1, 1, '09' || lpad(CAST(120000000 + place AS text), 9, '0')
      FROM generate_series(0, :messages - 1) AS place
""")

_BATCHES: Final = text("""
    INSERT INTO sms.batches (campaign_id, first_id, last_id, state, due_at, pending)
    SELECT :campaign_id, first_id, first_id + :size - 1, 'ready', now() - interval '1 minute', :size
      FROM generate_series(CAST(:first_id AS bigint), :first_id + :messages - 1, :size) AS first_id
  ORDER BY first_id
 RETURNING id
""")

_DELIVERED_MESSAGES: Final = text("""
    UPDATE sms.messages
       SET state = 'delivered', gateway_id = id + 1000, status = 10, cost_rial = 120, settled_at = now()
     WHERE id >= :first_id AND id < :end
""")

_DELIVERED_BATCHES: Final = text("""
    UPDATE sms.batches
       SET state = 'closed', pending = 0, delivered = last_id - first_id + 1, attempt = 1,
           first_sent_at = now(), accepted_at = now(), closes_at = now() + interval '2 days'
     WHERE first_id >= :first_id AND first_id < :end
""")


def fill(engine: Engine, *, batches: int, sent: int) -> tuple[int, list[int]]:
    """A running campaign of `batches` batches of which the first `sent` were delivered: its id, and its batches' ids.

    A later call makes another campaign, with ids of its own.
    """
    with engine.begin() as connection:
        connection.execute(_INSTALLATION)
        first_id = FIRST_ID + connection.execute(text("SELECT count(*) FROM sms.messages")).scalar_one()
        return _campaign(connection, first_id, batches=batches, sent=sent)


def _campaign(connection: Connection, first_id: int, *, batches: int, sent: int) -> tuple[int, list[int]]:
    values = {
        "first_id": first_id,
        "messages": batches * BATCH_SIZE,
        "size": BATCH_SIZE,
        "end": first_id + sent * BATCH_SIZE,
    }
    campaign_id = connection.execute(_CAMPAIGN, {**values, "name": f"from {first_id}"}).scalar_one()
    values["campaign_id"] = campaign_id
    connection.execute(_MESSAGES, values)
    born = connection.execute(_BATCHES, values).scalars().all()
    connection.execute(_DELIVERED_MESSAGES, values)
    connection.execute(_DELIVERED_BATCHES, values)
    return campaign_id, list(born)
