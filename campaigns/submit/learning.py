"""What an answer says about our messages, and how it is written down."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from campaigns.errors import BadInput
from campaigns.house import House
from campaigns.kavenegar.codes import NO_LONGER_KNOWN, standing
from campaigns.kavenegar.records.messages import LocalStatus, SentMessage
from campaigns.rules.matching import Matched, match
from campaigns.rules.phone import normalise
from campaigns.rules.states import MessageState
from campaigns.store import batches, campaigns, receipts
from campaigns.store.records import Claim, Fact
from campaigns.submit.outcome import Outcome

log = logging.getLogger(__name__)


def matched(claim: Claim, answered: Iterable[SentMessage]) -> Matched[SentMessage]:
    """The answered rows by our numbers, and the rows that are not ours. Who calls, only the gateway knows."""
    texts = {message.number: message.text for message in claim.messages}
    return match(texts, claim.sender, ((number_of(row.receptor), row) for row in answered))


def number_of(receptor: str) -> str:
    """A receptor as we write numbers; as it is where it is no mobile number."""
    try:
        return normalise(receptor)
    except BadInput:
        return receptor


def fact(message_id: int, gateway_id: int, status: int, cost_rial: int | None = None) -> Fact:
    """That the gateway has a message, under its own id, and where it stands."""
    known = None if status == NO_LONGER_KNOWN else status
    return Fact(message_id, standing(status), gateway_id, known, cost_rial)


def facts_of(rows: Sequence[LocalStatus], shown: Mapping[int, SentMessage]) -> list[Fact]:
    """That the gateway has these messages, as its answer by our ids says.

    `shown` are whole messages by the gateway's ids: they tell the price, and how a message stands a moment later. A
    price of 0 is none: the field was missing.
    """
    return [_fact_of(row, row.messageid, shown.get(row.messageid)) for row in rows if row.messageid is not None]


def _fact_of(row: LocalStatus, gateway_id: int, whole: SentMessage | None) -> Fact:
    if whole is None:
        return fact(row.localid, gateway_id, row.status)
    return fact(row.localid, gateway_id, whole.status, whole.cost or None)


def learn(connection: Connection, house: House, claim: Claim, facts: Sequence[Fact], *, now: datetime) -> None:
    """Write down facts about a claim's messages, whether or not the claim still holds."""
    leaves_at = claim.send_at or now
    closes_at = leaves_at + house.policy.status_window
    poll_at = house.next_poll(leaves_at, now, closes_at)
    batches.learn(
        connection,
        claim,
        facts,
        now=now,
        poll_at=poll_at,
        closes_at=closes_at,
        leaves_at=leaves_at,
        suppress_after=house.policy.suppress_after,
    )
    if house.policy.callbacks:
        receipts.expect(connection, facts, closes_at=closes_at)


def collided(
    connection: Connection, house: House, claim: Claim, facts: Sequence[Fact], foreign: int, *, now: datetime
) -> Outcome:
    """Our ids brought back somebody else's messages: another database uses the same ids on this account.

    What is ours counts. Of everything else it is known that it was not sent, and under these ids it never can be: it is
    set apart as uncertain, which nothing resolves by itself, and the campaign waits for `campaigns epoch renew`.
    """
    known = {fact.message_id for fact in facts}
    others = [Fact(message.id, MessageState.UNCERTAIN) for message in claim.messages if message.id not in known]
    learn(connection, house, claim, [*facts, *others], now=now)
    batches.set_apart(connection, claim, now=now)
    reason = (
        f"under the ids of batch {claim.batch_id} the gateway has {foreign} messages that are not ours: another "
        "database uses the same message ids on this account; `campaigns epoch renew` mends it"
    )
    campaigns.hold(connection, claim.campaign_id, code=None, reason=reason)
    return Outcome.COLLIDED
