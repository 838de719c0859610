"""Inbound messages: each is stored once, from whichever source and however often it comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, text

from kavenegar_campaigns.deprecation import old_attributes
from kavenegar_campaigns.errors import BadInput, NotFound
from kavenegar_campaigns.rules import suppression
from kavenegar_campaigns.rules.phone import is_mobile, normalise_mobile
from kavenegar_campaigns.rules.text import storable
from kavenegar_campaigns.store import in_one_commit, suppressions
from kavenegar_campaigns.store.gate import MAY_ACT

LONGEST_NUMBER: Final = 64
"""Characters of a sender's number or name: none is longer, and an index would not take a longer one."""


class Via(StrEnum):
    """The source that brought a message first."""

    RECEIVE = "receive"
    PAGED = "inboxpaged"
    CALLBACK = "callback"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as the gateway gives it. `number` has the gateway's spelling, and need not be a mobile number."""

    gateway_id: int
    number: str = field(repr=False)
    text: str = field(repr=False)
    received_at: datetime


@dataclass(frozen=True, slots=True)
class InboundPolicy:
    """The handling of new messages: the words that mean an opt-out, and whether your code gets the messages."""

    words: Sequence[str] = suppression.OPT_OUT_WORDS
    anywhere: bool = False
    deliver: bool = False


@old_attributes(hand_at="next_delivery_at", hands="delivery_attempts", taken_at="acknowledged_at")
@dataclass(frozen=True, slots=True)
class Inbound:
    """A message that a person sent to a line.

    `id` is the gateway's id; deduplicate by it. `number` is 09121234567 if it is a mobile number, else as it came.
    `campaign_id` and `message_id` belong to the last message that this number had received. Your code acknowledges the
    message at `acknowledged_at`; until then it is delivered again at `next_delivery_at`.
    """

    id: int
    line: str
    number: str = field(repr=False)
    text: str = field(repr=False)
    received_at: datetime
    stored_at: datetime
    via: str
    opted_out: bool
    campaign_id: int | None
    message_id: int | None
    next_delivery_at: datetime | None
    delivery_attempts: int
    acknowledged_at: datetime | None


# Add the new messages. Each is linked to the last message that its sender had received. The gateway dates in seconds,
# so a message accepted within that second counts. Rows go in by id, so that two writers do not deadlock.
_STORE_NEW: Final = text("""
    INSERT INTO sms.inbound (gateway_id, line, number, text, received_at, stored_at, via, opted_out, next_delivery_at,
                             campaign_id, message_id)
    SELECT arrived.gateway_id, :line, arrived.number, arrived.text, arrived.received_at, :now, :via, arrived.opted_out,
           CAST(:next_delivery_at AS timestamptz), last.campaign_id, last.id
      FROM unnest(CAST(:ids AS bigint[]), CAST(:numbers AS text[]), CAST(:texts AS text[]),
                  CAST(:received_ats AS timestamptz[]), CAST(:opted_outs AS boolean[]))
           AS arrived (gateway_id, number, text, received_at, opted_out)
      LEFT JOIN LATERAL (
           SELECT message.campaign_id, message.id
             FROM sms.messages AS message
            CROSS JOIN LATERAL (
                  SELECT accepted_at FROM sms.batches
                   WHERE campaign_id = message.campaign_id AND first_id <= message.id AND state <> 'split'
                ORDER BY first_id DESC LIMIT 1) AS batch
            WHERE message.number = arrived.number AND message.gateway_id IS NOT NULL
              AND date_trunc('second', batch.accepted_at) <= arrived.received_at
         ORDER BY batch.accepted_at DESC, message.id DESC
            LIMIT 1) AS last ON true
     WHERE NOT EXISTS (SELECT FROM sms.inbound AS known WHERE known.gateway_id = arrived.gateway_id)
  ORDER BY arrived.gateway_id
        ON CONFLICT (gateway_id) DO NOTHING
 RETURNING number, received_at, opted_out
""")


def store_new(
    connection: Connection, line: str, arrivals: Sequence[Arrival], *, via: Via, watch: InboundPolicy, now: datetime
) -> int:
    """Store new messages, a few hundred at once, and suppress numbers that opt out. Returns how many were new."""
    if not arrivals:
        return 0
    numbers = [_number(each.number) for each in arrivals]
    texts = [storable(each.text) for each in arrivals]
    new = connection.execute(
        _STORE_NEW,
        {
            "line": line,
            "ids": [each.gateway_id for each in arrivals],
            "numbers": numbers,
            "texts": texts,
            "received_ats": [each.received_at for each in arrivals],
            "opted_outs": [suppression.is_opt_out(said, watch.words, anywhere=watch.anywhere) for said in texts],
            "via": via,
            "next_delivery_at": now if watch.deliver else None,
            "now": now,
        },
    ).all()
    leaving = [(row.number, row.received_at) for row in new if row.opted_out and is_mobile(row.number)]
    if leaving:
        suppressions.opt_out(connection, line, leaving, unread=via is Via.RECEIVE, now=now)
    return len(new)


def _number(came: str) -> str:
    """Return a mobile number as 09121234567, and any other sender (a bank's name, a short code) as it came, cut."""
    try:
        return normalise_mobile(came)
    except BadInput:
        return storable(came)[:LONGEST_NUMBER]


# ── read ──

_COLUMNS: Final = (
    "gateway_id AS id, line, number, text, received_at, stored_at, via, opted_out, campaign_id, message_id, "
    "next_delivery_at, delivery_attempts, acknowledged_at"
)

# Which inbound message has this id?
_READ: Final = text(f"SELECT {_COLUMNS} FROM sms.inbound WHERE gateway_id = :id")

# Which messages came in, the newest first? `after` is where the page before ended.
_LISTED: Final = text(f"""
    SELECT {_COLUMNS} FROM sms.inbound
     WHERE (CAST(:line AS text) IS NULL OR line = :line)
       AND (CAST(:campaign_id AS bigint) IS NULL OR campaign_id = :campaign_id)
       AND (CAST(:since AS timestamptz) IS NULL OR received_at >= :since)
       AND (CAST(:after AS bigint) IS NULL
            OR (received_at, gateway_id) < (SELECT received_at, gateway_id FROM sms.inbound WHERE gateway_id = :after))
  ORDER BY received_at DESC, gateway_id DESC LIMIT :limit
""")


def read(connection: Connection, inbound_id: int) -> Inbound:
    """Return one message. Raises: NotFound."""
    row = connection.execute(_READ, {"id": inbound_id}).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no inbound message {inbound_id}")
    return Inbound(**row)


def listed(
    connection: Connection,
    *,
    line: str | None = None,
    campaign_id: int | None = None,
    since: datetime | None = None,
    limit: int = 100,
    after: int | None = None,
) -> list[Inbound]:
    """Return messages, the newest first: of one line, linked to one campaign, or all; a page begins `after` an id."""
    chosen = {"line": line, "campaign_id": campaign_id, "since": since, "limit": limit, "after": after}
    return [Inbound(**row) for row in connection.execute(_LISTED, chosen).mappings()]


# Which messages come next, line by line and the oldest first? In the order of an index, however many there are.
_IN_ORDER: Final = text(f"""
    SELECT {_COLUMNS} FROM sms.inbound
     WHERE (line, received_at, gateway_id) > (:after_line, :after_at, :after_id)
       AND (CAST(:line AS text) IS NULL OR line = :line)
       AND (CAST(:campaign_id AS bigint) IS NULL OR campaign_id = :campaign_id)
       AND (CAST(:since AS timestamptz) IS NULL OR received_at >= :since)
  ORDER BY line, received_at, gateway_id LIMIT :limit
""")


def in_pages(
    connection: Connection, *, line: str | None, campaign_id: int | None, since: datetime | None, size: int = 2000
) -> Iterator[list[Inbound]]:
    """Yield all chosen messages, line by line and the oldest first, `size` at a time."""
    chosen = {"line": line, "campaign_id": campaign_id, "since": since, "limit": size}
    last = {"after_line": "", "after_at": datetime.min.replace(tzinfo=UTC), "after_id": 0}
    while page := [Inbound(**row) for row in connection.execute(_IN_ORDER, {**chosen, **last}).mappings()]:
        yield page
        last = {"after_line": page[-1].line, "after_at": page[-1].received_at, "after_id": page[-1].id}


# How many messages of a line are stored that came in within these seconds, both counted?
_COUNT_BETWEEN: Final = text("""
    SELECT count(*) FROM sms.inbound
     WHERE line = :line AND received_at >= :start AND (CAST(:before AS timestamptz) IS NULL OR received_at < :before)
""")


@in_one_commit
def count_between(connection: Connection, line: str, start: datetime, end: datetime | None) -> int:
    """Count the messages of a line from `start` to the end of the second `end`; to the newest one where it is None."""
    before = None if end is None else end + timedelta(seconds=1)
    return int(connection.execute(_COUNT_BETWEEN, {"line": line, "start": start, "before": before}).scalar_one())


RETRY_DELAYS: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 20, 40, 60))
"""The delays after the first, second, … delivery attempt; the last one repeats."""
GIVEN_UP_AFTER: Final = timedelta(days=7)

# Is any message due for delivery?
_ANY_TO_DELIVER: Final = text(f"SELECT EXISTS (SELECT FROM sms.inbound WHERE next_delivery_at <= :now) AND {MAY_ACT}")
# Which messages have been due for delivery for longest? The caller delivers them now. Until it is acknowledged, a
# message is due again later, until it is given up. One delivered before must have been due since `again_before`.
_CLAIM_DUE: Final = text(f"""
    WITH due AS (
        SELECT gateway_id FROM sms.inbound
         WHERE next_delivery_at <= :now AND (delivery_attempts = 0 OR next_delivery_at <= :again_before) AND {MAY_ACT}
      ORDER BY next_delivery_at, gateway_id LIMIT :most FOR UPDATE SKIP LOCKED
    )
    UPDATE sms.inbound AS inbound
       SET delivery_attempts = delivery_attempts + 1,
           next_delivery_at = CASE WHEN stored_at > :given_up
                                   THEN :now + (CAST(:delays AS interval[]))[least(delivery_attempts + 1, :steps)] END
      FROM due WHERE inbound.gateway_id = due.gateway_id
 RETURNING inbound.{_COLUMNS}
""")
# Your code has acknowledged the message.
_ACKNOWLEDGE: Final = text("""
    UPDATE sms.inbound SET acknowledged_at = :now, next_delivery_at = NULL
     WHERE gateway_id = :id AND acknowledged_at IS NULL
 RETURNING gateway_id
""")
# How many messages wait for an acknowledgement, and how many were given up?
_UNACKNOWLEDGED: Final = text("""
    SELECT count(*) FILTER (WHERE next_delivery_at IS NOT NULL) AS waiting,
           count(*) FILTER (WHERE next_delivery_at IS NULL) AS given_up
      FROM sms.inbound WHERE acknowledged_at IS NULL AND (next_delivery_at IS NOT NULL OR delivery_attempts > 0)
""")


def any_to_deliver(connection: Connection, *, now: datetime) -> bool:
    """Return whether any message is due for delivery."""
    return bool(connection.execute(_ANY_TO_DELIVER, {"now": now}).scalar_one())


@in_one_commit
def claim_due(connection: Connection, *, now: datetime, most: int, overdue: timedelta = timedelta(0)) -> list[Inbound]:
    """Claim messages to deliver now, at most `most`, the longest due first; no other caller gets them for RETRY_DELAYS.

    A message that was delivered before is skipped until it has been due again for `overdue`.
    """
    times = {"now": now, "given_up": now - GIVEN_UP_AFTER, "delays": list(RETRY_DELAYS), "steps": len(RETRY_DELAYS)}
    chosen = {**times, "most": most, "again_before": now - overdue}
    found = [Inbound(**row) for row in connection.execute(_CLAIM_DUE, chosen).mappings()]
    return sorted(found, key=lambda each: (each.received_at, each.id))


@in_one_commit
def acknowledge(connection: Connection, inbound_id: int, *, now: datetime) -> bool:
    """Acknowledge a message, so that it is not delivered again. Returns False when it was acknowledged before."""
    return connection.execute(_ACKNOWLEDGE, {"id": inbound_id, "now": now}).one_or_none() is not None


def count_unacknowledged(connection: Connection) -> tuple[int, int]:
    """Return how many messages wait for an acknowledgement, and how many were given up after a week of attempts."""
    row = connection.execute(_UNACKNOWLEDGED).one()
    return row.waiting, row.given_up


# When was the oldest unacknowledged message stored, and how often was it delivered?
_OLDEST_UNACKNOWLEDGED: Final = text("""
    SELECT stored_at, delivery_attempts FROM sms.inbound
     WHERE next_delivery_at IS NOT NULL AND acknowledged_at IS NULL ORDER BY stored_at, gateway_id LIMIT 1
""")


def oldest_unacknowledged(connection: Connection) -> tuple[datetime, int] | None:
    """Return when the oldest unacknowledged message was stored, and how often it was delivered; None if none waits."""
    row = connection.execute(_OLDEST_UNACKNOWLEDGED).one_or_none()
    return None if row is None else (row.stored_at, row.delivery_attempts)
