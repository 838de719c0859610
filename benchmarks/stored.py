"""The rows that a long life leaves in the database: an ended campaign whose messages all have a verdict."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Engine, text

from benchmarks.recipients import SENDER
from kavenegar_campaigns.rules.batches import BATCH_SIZE

_FINISHED: Final = text("""
    INSERT INTO sms.campaigns (name, content_digest, sender, template, personal, state, message_ids, rows_read,
                               messages, duplicates, rejects, parts, started_at, finished_at)
    VALUES ('stored', '', :sender, 'stored', false, 'finished', int8multirange(int8range(1, :messages + 1)),
            :messages, :messages, 0, 0, :messages, now(), now())
 RETURNING id
""")
_MESSAGES: Final = text("""
    INSERT INTO sms.messages (id, campaign_id, gateway_id, settled_at, row_no, cost_rial, parts, status, state, number)
    SELECT n, :campaign, n, now(), n, 120, 1, 10, 'delivered', '09' || lpad(CAST(n AS text), 9, '0')
      FROM generate_series(1, CAST(:messages AS bigint)) AS n
""")
_BATCHES: Final = text("""
    INSERT INTO sms.batches (campaign_id, first_id, last_id, state, due_at, first_sent_at, accepted_at, closes_at,
                             poll_no, pending, delivered)
    SELECT :campaign, n, n + :size - 1, 'closed', now(), now(), now(), now() + interval '48 hours', 3, 0, :size
      FROM generate_series(1, CAST(:messages AS bigint) - :size + 1, :size) AS n
""")


def store(engine: Engine, messages: int) -> None:
    """Store `messages` closed messages, in an empty database, and tell the planner about them."""
    with engine.begin() as connection:
        campaign = connection.execute(_FINISHED, {"messages": messages, "sender": SENDER}).scalar_one()
        connection.execute(_MESSAGES, {"campaign": campaign, "messages": messages})
        connection.execute(_BATCHES, {"campaign": campaign, "messages": messages, "size": BATCH_SIZE})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
