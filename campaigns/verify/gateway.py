"""Ids and verdicts of messages, as the gateway tells them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from campaigns.house import House
from campaigns.kavenegar.codes import NO_LONGER_KNOWN, verdict
from campaigns.kavenegar.pace import Lane
from campaigns.rules.splitting import BATCH, POLL
from campaigns.rules.states import MessageState
from campaigns.rules.windows import may_resend
from campaigns.verify.checks import Check
from campaigns.verify.sample import Sampled, pages

OPEN: Final = frozenset({MessageState.PENDING, MessageState.UNCERTAIN})
"""Of these we claim nothing that the gateway could contradict."""

TOO_OLD: Final = timedelta(minutes=10)
"""Nothing is asked about statuses that the gateway forgets so soon."""


def still_told(house: House, started_at: datetime, now: datetime) -> bool:
    """Whether the gateway still tells how messages of a campaign that began at `started_at` stand."""
    return now < started_at + house.policy.status_window - TOO_OLD


def ids(house: House, sampled: Sequence[Sampled], started_at: datetime, now: datetime) -> Check:
    """Law two, seen from outside: the gateway knows each localid under the id that we hold, or not at all."""
    if not may_resend(started_at, now, window=house.policy.localid_window):
        says = "the gateway can no longer be asked by our own ids"
        return Check("ids at the gateway", None, says, missed=True)
    wrong = told = 0
    for page in pages(sampled, BATCH):
        house.gateway.admit(Lane.HOUSEKEEPING)
        answered = house.gateway.statuslocalmessageid([message.id for message in page])
        theirs = {row.localid: None if row.status == NO_LONGER_KNOWN else row.messageid for row in answered}
        settled = [message for message in page if message.id in theirs and message.state not in OPEN]
        wrong += sum(theirs[message.id] != message.gateway_id for message in settled)
        told += len(theirs)
    return Check(
        "ids at the gateway",
        wrong == 0 if told else None,
        f"{told:,} of {len(sampled):,} messages told of by our own ids: {wrong:,} stand otherwise at the gateway",
        missed=bool(sampled) and not told,
    )


def statuses(house: House, sampled: Sequence[Sampled], started_at: datetime, now: datetime) -> Check:
    """No message has a verdict here that the gateway contradicts."""
    if not still_told(house, started_at, now):
        says = "the gateway no longer tells statuses this old"
        return Check("verdicts at the gateway", None, says, missed=True)
    known = {message.gateway_id: message for message in sampled if message.gateway_id is not None}
    wrong = told = 0
    for page in pages(list(known), POLL):
        house.gateway.admit(Lane.HOUSEKEEPING)
        for row in house.gateway.status(page):
            message = known.get(row.messageid)
            told += message is not None
            wrong += message is not None and _contradicts(message, row.status)
    return Check(
        "verdicts at the gateway",
        wrong == 0 if told or not known else None,
        f"{told:,} of {len(known):,} statuses compared: {wrong:,} contradict ours",
        missed=bool(known) and not told,
    )


def _contradicts(message: Sampled, status: int) -> bool:
    """Whether the gateway's status cannot be true together with our state; it must at least know the id."""
    theirs = verdict(status)
    if status == NO_LONGER_KNOWN:
        return True
    if message.state in (MessageState.ACCEPTED, MessageState.EXPIRED):
        return False
    if message.state is MessageState.UNDELIVERED and theirs in (None, MessageState.DELIVERED):
        return False  # the gateway resends by itself
    return theirs != message.state
