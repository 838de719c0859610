"""A campaign is cut into batches, each of them one request to come."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from campaigns.rules.splitting import BATCH

# Cut a campaign into batches: consecutive ids, at most 200 of them.
_CUT: Final = text("""
    INSERT INTO sms.batches (campaign_id, first_id, last_id, state, due_at, pending)
    SELECT campaign.id, first_id, least(first_id + :size, upper(span)) - 1, 'ready', :due_at,
           least(first_id + :size, upper(span)) - first_id
      FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span,
           generate_series(lower(span), upper(span) - 1, :size) AS first_id
     WHERE campaign.id = :campaign_id
  ORDER BY first_id
 RETURNING id
""")

# The same where a request takes one text and texts differ: neighbours with the same text stay together.
_CUT_BY_TEXT: Final = text("""
    WITH marked AS (
        SELECT message.id, (message.id - 1 IS DISTINCT FROM lag(message.id) OVER neighbours
                            OR message.text IS DISTINCT FROM lag(message.text) OVER neighbours) AS first_of_run
          FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
          JOIN sms.messages AS message ON message.id >= lower(span) AND message.id < upper(span)
         WHERE campaign.id = :campaign_id
        WINDOW neighbours AS (ORDER BY message.id)
    ), runs AS (
        SELECT id, count(*) FILTER (WHERE first_of_run) OVER (ORDER BY id) AS run FROM marked
    ), sliced AS (
        SELECT id, run, (row_number() OVER (PARTITION BY run ORDER BY id) - 1) / :size AS slice FROM runs
    )
    INSERT INTO sms.batches (campaign_id, first_id, last_id, state, due_at, pending)
    SELECT :campaign_id, min(id), max(id), 'ready', :due_at, count(*) FROM sliced
  GROUP BY run, slice ORDER BY min(id)
 RETURNING id
""")


def cut(connection: Connection, campaign_id: int, *, due_at: datetime, by_text: bool = False) -> list[int]:
    """The ids of the new batches, in the order in which they are to leave; `by_text`, each is of one text."""
    statement = _CUT_BY_TEXT if by_text else _CUT
    rows = connection.execute(statement, {"campaign_id": campaign_id, "size": BATCH, "due_at": due_at})
    return [row.id for row in rows]
