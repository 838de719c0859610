"""How many messages left the account, and what they cost, as the gateway counts them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from campaigns.house import House
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.messages import OutboxCount
from campaigns.rules.manner import Kind
from campaigns.store import ledger
from campaigns.store.records import Campaign
from campaigns.verify.checks import Check

NAME: Final = "outbox at the gateway"
COST: Final = "cost at the gateway"

OUTBOX_SPAN: Final = timedelta(hours=23)
OUTBOX_REACH: Final = timedelta(hours=71)
"""sms/countoutbox: a day at most, begun at most three days ago. Source: kavenegar-rest, sms/countoutbox."""

# When did a campaign's messages reach the gateway first, by our own record?
_FIRST: Final = text("""
    SELECT min(coalesce(first_sent_at, accepted_at)) FROM sms.batches
     WHERE campaign_id = :id AND state <> 'split' AND accepted_at IS NOT NULL
""")


# What did the messages of a campaign cost, before refunds and after them, as far as their prices are known?
_COST: Final = text("""
    SELECT count(message.gateway_id) AS known, count(message.cost_rial) AS priced,
           coalesce(sum(message.cost_rial), 0) AS rial,
           coalesce(sum(message.cost_rial) FILTER (WHERE message.state NOT IN ('blocked', 'cancelled')), 0) AS kept_rial
      FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
      JOIN sms.messages AS message ON message.id >= lower(span) AND message.id < upper(span)
     WHERE campaign.id = :id AND message.gateway_id IS NOT NULL
""")


def outbox(house: House, campaign: Campaign, ours: int, now: datetime) -> list[Check]:
    """The gateway's own count of the account's outbox holds our messages, and none but ours, at the price we know.

    More of them were sent by others, or twice, under whatever ids, or in a history that this database has lost: so all
    of the time since the campaign was created is counted, and not only when its messages left by our own record.
    """
    if why := _not_counted(house, campaign, now):
        return [why]
    start = max(campaign.created_at, now - OUTBOX_REACH)
    pieces = [_counted(house, begins, ends) for begins, ends in _pieces(start, now)]
    theirs = sum(piece.sumcount for piece in pieces)
    most = house.database(ledger.most, account=house.account, start=start, end=now)
    count = _count(house, theirs, ours=ours, most=most)
    if count.holds is False or theirs != ours:
        return [count]
    return [count, house.database(_cost, campaign.id, sum(piece.cost for piece in pieces))]


def _not_counted(house: House, campaign: Campaign, now: datetime) -> Check | None:
    """Why the outbox cannot be counted for this campaign; None where it can."""
    if campaign.kind is Kind.VOICE:
        return Check(NAME, None, "the gateway does not say whether its outbox counts calls")
    first_at = house.database(_first, campaign.id)
    if first_at is None or campaign.at_gateway:
        return Check(NAME, None, "the outbox cannot be counted for messages that wait for a date")
    if first_at < now - OUTBOX_REACH:
        return Check(NAME, None, "the gateway counts the outbox of the last three days only", missed=True)
    return None


def _count(house: House, theirs: int, *, ours: int, most: int) -> Check:
    says = (
        f"the gateway counts {theirs:,} messages of this account since the campaign was created, {ours:,} of them are "
        "this campaign's"
    )
    if theirs <= most or house.policy.account_shared:
        return Check(NAME, theirs >= ours, says)
    return Check(
        NAME,
        False,
        f"{says}; at least {theirs - most:,} cannot be explained: they were sent twice, in a history that this "
        "database has lost, or by other software (then set ACCOUNT_SHARED=yes)",
    )


def _cost(connection: Connection, campaign_id: int, theirs_rial: int) -> Check:
    """Whether the prices of the campaign add up to the gateway's sum, of a time in which nothing else left.

    The documentation does not say whether the sum is taken before refunds or after them: either is right.
    """
    ours = connection.execute(_COST, {"id": campaign_id}).one()
    says = f"the gateway counts {theirs_rial:,} rial, and the messages cost {ours.rial:,}"
    if ours.priced < ours.known:
        unpriced = ours.known - ours.priced
        return Check(COST, None, f"{says}; of {unpriced:,} the gateway never told the price", missed=True)
    return Check(COST, theirs_rial in {ours.rial, ours.kept_rial}, says)


def _counted(house: House, start: int, end: int) -> OutboxCount:
    house.gateway.admit(Lane.HOUSEKEEPING)
    return house.gateway.countoutbox(start, end)


def _pieces(first_at: datetime, last_at: datetime) -> Iterator[tuple[int, int]]:
    """Spans of unix seconds, both ends counted, that the gateway counts in one answer each."""
    start, last = int(first_at.timestamp()) - 1, int(last_at.timestamp()) + 2
    step = int(OUTBOX_SPAN.total_seconds())
    while start <= last:
        yield start, min(start + step, last)
        start += step + 1


def _first(connection: Connection, campaign_id: int) -> datetime | None:
    found: datetime | None = connection.execute(_FIRST, {"id": campaign_id}).scalar_one()
    return found
