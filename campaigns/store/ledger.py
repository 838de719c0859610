"""The account's ledger: the messages of each day by our own rows, and by the gateway's count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, text

from kavenegar_campaigns.rules.batches import MAX_CLOCK_SKEW
from kavenegar_campaigns.store import in_one_commit
from kavenegar_campaigns.store.identity import FIRST_ACCOUNT


@dataclass(frozen=True, slots=True)
class Counted:
    """The messages that left in a time span, their billed parts, and their cost before refunds."""

    messages: int
    parts: int
    cost_rial: int


@dataclass(frozen=True, slots=True)
class Estimated:
    """The messages for which the gateway never gave a price, and their estimated cost.

    Each counts at the average price of its kind on that day: calls, SMS of campaigns, and one-time passwords by SMS and
    by call cost differently. A kind without any known price on that day counts as 0.
    """

    messages: int
    rial: int


@dataclass(frozen=True, slots=True)
class Day:
    """One day in Tehran's time. `gateway` is None until the gateway was asked; `seen_at` is when both were counted.

    `estimated` is the part of our cost that is no price of the gateway's; None for days counted by an older version.

    `unexplained` counts messages of the gateway that cannot be ours, even if all unanswered ones were accepted: other
    software sent them, or they were sent twice, or by commits that this database has lost.
    """

    day: date
    ours: Counted
    gateway: Counted | None
    unexplained: int | None
    seen_at: datetime
    estimated: Estimated | None = None

    @property
    def difference(self) -> Counted | None:
        """Return the gateway's count minus ours.

        The difference is messages of other software on the account, or messages without a row here.
        """
        if self.gateway is None:
            return None
        return Counted(
            self.gateway.messages - self.ours.messages,
            self.gateway.parts - self.ours.parts,
            self.gateway.cost_rial - self.ours.cost_rial,
        )


_OF_OUR_ACCOUNT: Final = f"""
    (coalesce(batch.account, {FIRST_ACCOUNT}) = (SELECT account FROM sms.accounts WHERE label = :account)
     OR NOT EXISTS (SELECT FROM sms.accounts WHERE label = :account))
"""

# How many of our messages left in this span? A campaign's message leaves when its batch is accepted, or on its date at
# the gateway; a one-time password when it is sent. A message without a price, whose answer was lost, counts at the
# average price of its kind.
_COUNT_OURS: Final = text(f"""
    WITH sent AS (
        SELECT campaign.kind, message.parts, message.cost_rial
          FROM sms.batches AS batch
          JOIN sms.campaigns AS campaign ON campaign.id = batch.campaign_id
          JOIN sms.messages AS message
            ON message.id BETWEEN batch.first_id AND batch.last_id AND message.gateway_id IS NOT NULL
         WHERE batch.accepted_at >= :start AND batch.accepted_at < :end AND batch.state <> 'split'
           AND {_OF_OUR_ACCOUNT}
     UNION ALL
        SELECT 'one-time ' || kind, 1, cost_rial
          FROM sms.otps WHERE sent_at >= :start AND sent_at < :end AND gateway_id IS NOT NULL
    ), price AS (
        SELECT kind, sum(cost_rial)::numeric / nullif(sum(parts), 0) AS rial
          FROM sent WHERE cost_rial IS NOT NULL GROUP BY kind
    ), priced AS (
        SELECT parts, cost_rial, CASE WHEN cost_rial IS NULL THEN coalesce(parts * price.rial, 0) END AS estimated_rial
          FROM sent LEFT JOIN price USING (kind)
    )
    SELECT count(*) AS messages, coalesce(sum(parts), 0) AS parts,
           CAST(coalesce(sum(coalesce(cost_rial, estimated_rial)), 0) AS bigint) AS cost_rial,
           count(estimated_rial) AS unpriced, CAST(coalesce(sum(estimated_rial), 0) AS bigint) AS estimated_rial
      FROM priced
""")


def count_ours(connection: Connection, *, account: str, start: datetime, end: datetime) -> tuple[Counted, Estimated]:
    """Count our messages under the account of the key labelled `account`, and the estimated part of their cost.

    Reads every message of the span.
    """
    row = connection.execute(_COUNT_OURS, {"account": account, "start": start, "end": end}).one()
    counted = Counted(row.messages, int(row.parts), int(row.cost_rial))
    return counted, Estimated(row.unpriced, int(row.estimated_rial))


# How many of our messages may the gateway have accepted in this span at most? A batch counts between its first request
# and its acceptance; claimed, unknown and uncertain messages count, too.
_COUNT_POSSIBLE: Final = text(f"""
    SELECT (SELECT coalesce(sum(known.messages), 0)
              FROM sms.batches AS batch
             CROSS JOIN LATERAL (SELECT count(message.gateway_id) AS messages FROM sms.messages AS message
                                  WHERE message.id BETWEEN batch.first_id AND batch.last_id) AS known
             WHERE batch.accepted_at >= :start AND coalesce(batch.first_sent_at, batch.accepted_at) <= :end
               AND batch.state <> 'split' AND {_OF_OUR_ACCOUNT})
         + (SELECT coalesce(sum(batch.pending), 0) FROM sms.batches AS batch
             WHERE batch.state IN ('claimed', 'unknown') AND batch.first_sent_at <= :end)
         + (SELECT coalesce(sum(batch.uncertain), 0) FROM sms.batches AS batch
             WHERE batch.uncertain > 0 AND batch.state <> 'split' AND batch.first_sent_at <= :end)
         + (SELECT count(*) FROM sms.otps
             WHERE sent_at BETWEEN :start AND :end AND (gateway_id IS NOT NULL OR state IN ('claimed', 'unknown')))
           AS messages
""")


@in_one_commit
def count_possible(connection: Connection, *, account: str, start: datetime, end: datetime) -> int:
    """Return how many messages of a span, by the gateway's clock, may be ours at most. Any more are not ours."""
    widened = {"start": start - MAX_CLOCK_SKEW, "end": end + MAX_CLOCK_SKEW}
    found = connection.execute(_COUNT_POSSIBLE, {"account": account, **widened})
    return int(found.scalar_one())


# Write the counts of a day. Where the gateway was not asked again, its earlier counts stay.
_WRITE: Final = text("""
    INSERT INTO sms.ledger_days (day, messages, parts, cost_rial, gateway_messages, gateway_parts, gateway_cost_rial,
                          unexplained, unpriced, estimated_rial, seen_at)
    VALUES (:day, :messages, :parts, :cost, :their_messages, :their_parts, :their_cost, :unexplained, :unpriced,
            :estimated, :now)
    ON CONFLICT (day) DO UPDATE
       SET messages = excluded.messages, parts = excluded.parts, cost_rial = excluded.cost_rial,
           gateway_messages = coalesce(excluded.gateway_messages, ledger_days.gateway_messages),
           gateway_parts = coalesce(excluded.gateway_parts, ledger_days.gateway_parts),
           gateway_cost_rial = coalesce(excluded.gateway_cost_rial, ledger_days.gateway_cost_rial),
           unexplained = coalesce(excluded.unexplained, ledger_days.unexplained),
           unpriced = excluded.unpriced, estimated_rial = excluded.estimated_rial,
           seen_at = excluded.seen_at
""")


def write_day(
    connection: Connection,
    day: date,
    ours: tuple[Counted, Estimated],
    gateway: Counted | None,
    *,
    unexplained: int | None,
    now: datetime,
) -> None:
    """Write the counts of a day, as of now."""
    counted, estimated = ours
    connection.execute(
        _WRITE,
        {
            "day": day,
            "messages": counted.messages,
            "parts": counted.parts,
            "cost": counted.cost_rial,
            "unpriced": estimated.messages,
            "estimated": estimated.rial,
            "their_messages": gateway.messages if gateway else None,
            "their_parts": gateway.parts if gateway else None,
            "their_cost": gateway.cost_rial if gateway else None,
            "unexplained": unexplained,
            "now": now,
        },
    )


# Which days were counted last?
_NEWEST: Final = text("""
    SELECT day, messages, parts, cost_rial, gateway_messages, gateway_parts, gateway_cost_rial, unexplained, unpriced,
           estimated_rial, seen_at
      FROM sms.ledger_days ORDER BY day DESC LIMIT :limit
""")


@in_one_commit
def newest_days(connection: Connection, *, limit: int) -> Sequence[Day]:
    """Return the counted days, the newest first, at most `limit`."""
    rows = connection.execute(_NEWEST, {"limit": limit})
    return [
        Day(
            day=row.day,
            ours=Counted(row.messages, row.parts, row.cost_rial),
            gateway=None
            if row.gateway_messages is None
            else Counted(row.gateway_messages, row.gateway_parts, row.gateway_cost_rial),
            unexplained=row.unexplained,
            seen_at=row.seen_at,
            estimated=None if row.unpriced is None else Estimated(row.unpriced, row.estimated_rial),
        )
        for row in rows
    ]
