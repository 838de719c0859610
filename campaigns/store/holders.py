"""Which batches hold messages, and their row locks, under which facts are merged and counters made true again.

A batch's id says little for long: it may be split while somebody waits for an answer about it. And in a database that
was restored meanwhile, its messages may stand in another batch, and its id may be that of another one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from campaigns.rules.states import BatchState

# How do these batches stand? Who else counts them must wait until we have.
_LOCK: Final = text("""
    SELECT id, state, first_id, last_id FROM sms.batches WHERE id = ANY (CAST(:ids AS bigint[]))
  ORDER BY id FOR UPDATE
""")
# Into which parts was a batch split?
_PARTS: Final = text("""
    SELECT part.id
      FROM sms.batches AS whole
      JOIN sms.batches AS part ON part.campaign_id = whole.campaign_id AND part.parent_id = whole.id
     WHERE whole.id = ANY (CAST(:ids AS bigint[]))
""")
# Which batches hold these messages, and how many of them each?
_HOLDING: Final = text("""
    SELECT batch.id, batch.poll_no, count(*) AS messages
      FROM unnest(CAST(:message_ids AS bigint[])) AS message (id)
     CROSS JOIN LATERAL (SELECT id, poll_no, last_id FROM sms.batches
                          WHERE first_id <= message.id AND state <> 'split'
                       ORDER BY first_id DESC LIMIT 1) AS batch
     WHERE batch.last_id >= message.id
  GROUP BY batch.id, batch.poll_no
""")


class Holding(NamedTuple):
    """A batch that holds some messages: its round of polls, and how many of them."""

    batch_id: int
    poll_no: int
    messages: int


def of(connection: Connection, message_ids: Sequence[int]) -> list[Holding]:
    """Which batches hold these messages, at this moment."""
    return [Holding(*row) for row in connection.execute(_HOLDING, {"message_ids": list(message_ids)})]


def lock(connection: Connection, batch_ids: Iterable[int], message_ids: Sequence[int] = ()) -> list[int]:
    """Take the batches' row locks, in order: two that merge facts of one batch count one after the other.

    Returns the ids that are to be recounted: the batches themselves, or the parts into which one was split. Where
    `message_ids` are given, it is those batches that hold them now: in a database that was restored they may stand in
    another batch than the one they were claimed with, and its id may be another batch's.
    """
    held = _lock(connection, batch_ids)
    if not message_ids:
        return [batch_id for _, _, batch_id in held]
    found, missing = _holders(held, message_ids)
    if missing:
        held = _lock(connection, {each.batch_id for each in of(connection, missing)})
        found |= _holders(held, missing)[0]
    return sorted(found)


_Span = tuple[int, int, int]  # the first message, the last one, the batch


def _lock(connection: Connection, batch_ids: Iterable[int]) -> list[_Span]:
    """The locked batches that were not split, in the order of their messages."""
    rows = connection.execute(_LOCK, {"ids": list(batch_ids)}).all()
    held = [(row.first_id, row.last_id, row.id) for row in rows if row.state != BatchState.SPLIT]
    split = [row.id for row in rows if row.state == BatchState.SPLIT]
    if split:
        held += _lock(connection, [row.id for row in connection.execute(_PARTS, {"ids": split})])
    return sorted(held)


def _holders(held: Sequence[_Span], message_ids: Sequence[int]) -> tuple[set[int], list[int]]:
    """Which of the batches hold these messages; and the messages that none of them does."""
    firsts = [first_id for first_id, _, _ in held]
    found, missing = set[int](), []
    for message_id in message_ids:
        place = bisect_right(firsts, message_id) - 1
        if place >= 0 and message_id <= held[place][1]:
            found.add(held[place][2])
        else:
            missing.append(message_id)
    return found, missing
