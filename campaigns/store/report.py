"""Read a campaign as a whole: the figures of its report, its texts, its rejected rows, and the counts that verify it.

Most functions read every message of the campaign. None of them writes, and no stage that sends needs them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from kavenegar_campaigns.rules.states import REFUNDED, MessageState
from kavenegar_campaigns.store import in_one_commit

# ── figures ──

_MESSAGES: Final = """sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
      JOIN sms.messages AS message ON message.id >= lower(span) AND message.id < upper(span)"""
_REFUNDED: Final = ", ".join(f"'{state}'" for state in sorted(REFUNDED))


class Requests(NamedTuple):
    """How many requests of one kind a campaign made, and how many messages they carried in total."""

    requests: int
    messages: int


# How many requests of each kind did a campaign make? A poll serves many batches and counts once.
_COUNT_REQUESTS: Final = text("""
    SELECT attempt.kind, count(DISTINCT attempt.call_id) AS requests, coalesce(sum(attempt.messages), 0) AS asked
      FROM sms.batches AS batch JOIN sms.attempts AS attempt ON attempt.batch_id = batch.id
     WHERE batch.campaign_id = :id
       AND (attempt.event = 'began' OR attempt.kind = 'poll')
  GROUP BY attempt.kind
""")


def count_requests(connection: Connection, campaign_id: int) -> dict[str, Requests]:
    """Count a campaign's requests by kind: send, resolve, poll."""
    rows = connection.execute(_COUNT_REQUESTS, {"id": campaign_id})
    return {row.kind: Requests(row.requests, int(row.asked)) for row in rows}


class SendingTimes(NamedTuple):
    """When the first request of a campaign left, and when the last one was accepted; None before that."""

    first_sent_at: datetime | None
    accepted_at: datetime | None


# When did the first request leave, and when was the last one accepted?
_SENDING_TIMES: Final = text("""
    SELECT min(first_sent_at) AS first_sent_at, max(accepted_at) AS accepted_at
      FROM sms.batches WHERE campaign_id = :id AND state <> 'split'
""")


def sending_times(connection: Connection, campaign_id: int) -> SendingTimes:
    """Return when a campaign was sent, by our own rows."""
    return SendingTimes(*connection.execute(_SENDING_TIMES, {"id": campaign_id}).one())


class Money(NamedTuple):
    """Accepted messages of a campaign, their parts and their cost: see `stages.report.Report`."""

    accepted: int
    parts: int
    unpriced: int
    withdrawn: int
    withdrawn_rial: int
    cost_rial: int
    refunded_rial: int


# How many messages were accepted, how much did they cost, how much was refunded, and how much of that because we
# withdrew messages before their date? A later status 13 means that the gateway cancelled the message. Withdrawn and
# cancelled messages, and messages that wait at the gateway for their date, were not sent.
_MONEY: Final = text(f"""
    WITH ours AS (
        SELECT message.state, message.parts, message.cost_rial,
               message.state = 'cancelled' AND campaign.state = 'cancelled' AND campaign.at_gateway
               AND message.settled_at < campaign.start_at + interval '1 minute' AS withdrawn,
               message.state <> 'cancelled'
               AND NOT (message.state = 'accepted' AND campaign.at_gateway AND campaign.start_at > now()) AS sent
          FROM {_MESSAGES}
         WHERE campaign.id = :id AND message.gateway_id IS NOT NULL
    ), price AS (
        SELECT coalesce(sum(cost_rial)::numeric / nullif(sum(parts), 0), 0) AS rial
          FROM ours WHERE cost_rial IS NOT NULL
    ), priced AS (
        SELECT state, parts, cost_rial, withdrawn, sent, coalesce(cost_rial, parts * price.rial) AS cost
          FROM ours, price
    )
    SELECT count(*) AS accepted, coalesce(sum(parts) FILTER (WHERE sent), 0) AS parts,
           count(*) FILTER (WHERE cost_rial IS NULL) AS unpriced,
           count(*) FILTER (WHERE withdrawn) AS withdrawn,
           CAST(coalesce(sum(cost) FILTER (WHERE withdrawn), 0) AS bigint) AS withdrawn_rial,
           CAST(coalesce(sum(cost) FILTER (WHERE state NOT IN ({_REFUNDED})), 0) AS bigint) AS cost,
           CAST(coalesce(sum(cost) FILTER (WHERE state IN ({_REFUNDED})), 0) AS bigint) AS refunded
      FROM priced
""")


def money(connection: Connection, campaign_id: int) -> Money:
    """Return the cost of a campaign in rial. A message without a price counts at the average price of the others."""
    return Money(*connection.execute(_MONEY, {"id": campaign_id}).one())


# With which codes did the gateway refuse messages?
_COUNT_REFUSED: Final = text(f"""
    SELECT message.refused_code, count(*) AS messages FROM {_MESSAGES}
     WHERE campaign.id = :id AND message.refused_code IS NOT NULL
  GROUP BY message.refused_code
""")


def refused_by_code(connection: Connection, campaign_id: int) -> dict[int, int]:
    """Return how many messages of a campaign the gateway refused, by its code."""
    return {row.refused_code: row.messages for row in connection.execute(_COUNT_REFUSED, {"id": campaign_id})}


# ── texts ──


@dataclass(frozen=True, slots=True)
class TextParts:
    """A text as the recipient sees it, and the parts that are billed for it."""

    text: str = field(repr=False)
    parts: int


# Which text does the first recipient of a campaign get?
_FIRST_TEXT: Final = text("""
    SELECT coalesce(message.text, campaign.template) AS text, message.parts
      FROM sms.campaigns AS campaign JOIN sms.messages AS message ON message.id >= lower(campaign.message_ids)
     WHERE campaign.id = :id ORDER BY message.id LIMIT 1
""")

# Which of a campaign's personal texts is the longest? Of equally long texts, the first.
_LONGEST_TEXT: Final = text(f"""
    SELECT message.text, message.parts FROM {_MESSAGES}
     WHERE campaign.id = :id
  ORDER BY message.parts DESC, char_length(message.text) DESC, message.id LIMIT 1
""")


def first_text(connection: Connection, campaign_id: int) -> TextParts:
    """Return the text that the first recipient of a campaign gets."""
    return TextParts(*connection.execute(_FIRST_TEXT, {"id": campaign_id}).one())


def longest_text(connection: Connection, campaign_id: int) -> TextParts:
    """Return the longest text of a campaign whose texts are personal."""
    return TextParts(*connection.execute(_LONGEST_TEXT, {"id": campaign_id}).one())


# ── rejected rows ──

# Which columns do the rejected rows have, in the order of the file?
_REJECT_CELL_NAMES: Final = text("""
    SELECT cell.name
      FROM sms.rejects AS reject, json_each_text(reject.cells) WITH ORDINALITY AS cell (name, value, place)
     WHERE reject.campaign_id = :id AND reject.cells IS NOT NULL
  GROUP BY cell.name ORDER BY min(cell.place), cell.name
""")

# Which rejected rows come after this row?
_REJECT_PAGE: Final = text("""
    SELECT row_no, kind, value, reason, cells FROM sms.rejects
     WHERE campaign_id = :id AND row_no > :after ORDER BY row_no LIMIT 5000
""")


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected row; `cells` are its cells by column, None where they were not kept."""

    row_no: int
    kind: str
    value: str = field(repr=False)
    reason: str = field(repr=False)
    cells: Mapping[str, str] | None = field(repr=False)


def reject_cell_names(connection: Connection, campaign_id: int) -> list[str]:
    """Return the columns of a campaign's rejected rows, in the order of the file."""
    return list(connection.execute(_REJECT_CELL_NAMES, {"id": campaign_id}).scalars())


def rejects_in_order(connection: Connection, campaign_id: int) -> Iterator[Reject]:
    """Yield a campaign's rejected rows in the order of the file, read in short pages."""
    after = -1
    while rows := connection.execute(_REJECT_PAGE, {"id": campaign_id, "after": after}).all():
        yield from (Reject(*row) for row in rows)
        after = rows[-1].row_no


# ── counts for `verify` ──

# How many messages of a campaign are in each state, counted one by one?
_COUNT_BY_STATE: Final = text(f"""
    SELECT message.state, count(*) AS messages, count(message.gateway_id) AS known FROM {_MESSAGES}
     WHERE campaign.id = :id
  GROUP BY message.state
""")


class StateCount(NamedTuple):
    """How many messages are in a state, and how many of them have a gateway id."""

    state: MessageState
    messages: int
    known: int


@in_one_commit
def count_by_state(connection: Connection, campaign_id: int) -> list[StateCount]:
    """Count a campaign's messages by state, one by one."""
    rows = connection.execute(_COUNT_BY_STATE, {"id": campaign_id})
    return [StateCount(MessageState(row.state), row.messages, row.known) for row in rows]


# How many different gateway ids do a campaign's messages have?
_COUNT_GATEWAY_IDS: Final = text(f"""
    SELECT count(DISTINCT message.gateway_id) FROM {_MESSAGES} WHERE campaign.id = :id
""")


def count_gateway_ids(connection: Connection, campaign_id: int) -> int:
    """Count the different gateway ids of a campaign's messages."""
    return int(connection.execute(_COUNT_GATEWAY_IDS, {"id": campaign_id}).scalar_one())


_DIFFERS: Final = " OR ".join(
    f"batch.{state} <> count(*) FILTER (WHERE message.state = '{state}')" for state in MessageState
)

# How many batches of a campaign have counters that differ from their messages?
_MISCOUNTED: Final = text(f"""
    SELECT count(*) FROM (
        SELECT batch.id
          FROM sms.batches AS batch
          JOIN sms.messages AS message ON message.id BETWEEN batch.first_id AND batch.last_id
         WHERE batch.campaign_id = :campaign_id AND batch.state <> 'split'
      GROUP BY batch.id HAVING {_DIFFERS}) AS wrong
""")


def count_miscounted_batches(connection: Connection, campaign_id: int) -> int:
    """Count the batches whose counters differ from their messages, counted one by one."""
    return int(connection.execute(_MISCOUNTED, {"campaign_id": campaign_id}).scalar_one())


class Cost(NamedTuple):
    """Messages that have a gateway id, messages with a known price, and their cost before and after refunds."""

    known: int
    priced: int
    rial: int
    kept_rial: int


# How much did the messages of a campaign cost, before and after refunds, as far as their prices are known?
_COST: Final = text(f"""
    SELECT count(message.gateway_id) AS known, count(message.cost_rial) AS priced,
           coalesce(sum(message.cost_rial), 0) AS rial,
           coalesce(sum(message.cost_rial) FILTER (WHERE message.state NOT IN ({_REFUNDED})), 0) AS kept_rial
      FROM {_MESSAGES}
     WHERE campaign.id = :id AND message.gateway_id IS NOT NULL
""")


def known_cost(connection: Connection, campaign_id: int) -> Cost:
    """Return the cost of a campaign's messages in rial, as far as their prices are known."""
    return Cost(*connection.execute(_COST, {"id": campaign_id}).one())


# When did a campaign's messages first reach the gateway, by our own rows?
_FIRST_REACHED: Final = text("""
    SELECT min(coalesce(first_sent_at, accepted_at)) FROM sms.batches
     WHERE campaign_id = :id AND state <> 'split' AND accepted_at IS NOT NULL
""")


@in_one_commit
def first_reached_gateway_at(connection: Connection, campaign_id: int) -> datetime | None:
    """Return when the first accepted batch of a campaign left; None if no batch was accepted."""
    found: datetime | None = connection.execute(_FIRST_REACHED, {"id": campaign_id}).scalar_one()
    return found
