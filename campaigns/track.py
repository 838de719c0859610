"""Accepted messages are asked about, 500 at a time, until each has its verdict or its window closes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from campaigns.errors import AccountBlocked, Postpone, Refused
from campaigns.facts import of_statuses
from campaigns.house import House
from campaigns.kavenegar.codes import NO_LONGER_KNOWN
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.messages import MessageStatus
from campaigns.store import installation, polls
from campaigns.store.records import Asked, Fact

log = logging.getLogger(__name__)

EMPTY_AGAIN: Final = timedelta(seconds=30)
"""When an answer without rows is asked for again, at the earliest."""
EMPTY_AGAIN_SHARE: Final = 0.1
"""The same as a part of the messages' age, so that a gateway that never answers is asked more and more seldom."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll did; `asked` is 0 when nothing was due or the pace had no room."""

    asked: int = 0
    moved: int = 0
    trouble: str = ""

    @property
    def summary(self) -> str:
        """What Flower shows."""
        if not self.asked:
            return self.trouble or "nothing due"
        return f"asked {self.asked}, moved {self.moved}" + (f", {self.trouble}" if self.trouble else "")


def run(house: House, *, closing: bool = False) -> Polled:
    """Ask about the next 500 messages that are due. Ringing twice is harmless: the claim decides.

    With `closing`, messages whose window is about to close come first, and the call goes ahead of the sends; where no
    such message is due, there is nothing to ask.
    """
    now = house.now()
    closing_before = house.policy.closing_before(now) if closing else None
    if not house.database(polls.due, now=now, closing_before=closing_before):
        return Polled()
    lane = Lane.CLOSING if closing else Lane.POLL
    try:
        house.gateway.admit(lane)
    except Postpone as why:
        return Polled(trouble=f"put off for {why.retry_after_s:.0f} s")
    asked = house.database(polls.claim, now=house.now(), lease=house.policy.lease, closing_before=closing_before)
    if not asked:
        return Polled()
    gateway_ids = [gateway_id for batch in asked for gateway_id in batch.message_ids]
    try:
        answered = house.gateway.status(gateway_ids, lane=lane)  # no transaction is open here
    except Postpone as why:
        return _put_off(house, asked, str(why), wait=timedelta(seconds=why.retry_after_s))
    except Refused as why:
        if isinstance(why, AccountBlocked):
            house.database(installation.hold_for, why, now=house.now())
        return _put_off(house, asked, str(why), wait=house.policy.hold_recheck)
    return _settle(house, asked, answered)


def _settle(house: House, asked: Sequence[Asked], answered: Iterable[MessageStatus]) -> Polled:
    now = house.now()
    ids = {gateway_id: message_id for batch in asked for gateway_id, message_id in batch.message_ids.items()}
    told = [row for row in answered if row.messageid in ids]
    if not told:
        log.warning("status answer matched no message", extra={"messages": len(ids)})
        return _put_off(house, asked, "the answer told nothing", wait=_patience(house, asked, now))
    facts = _facts(ids, told)
    moved = house.database(
        polls.settle,
        asked,
        facts,
        next_polls=[_next(house, batch, now) for batch in asked],
        call_id=uuid4(),
        now=now,
        suppress_after=house.policy.suppress_after,
    )
    return Polled(asked=len(ids), moved=moved)


def _facts(ids: Mapping[int, int], answered: Sequence[MessageStatus]) -> list[Fact]:
    """One fact for each message of ours that the gateway still knows."""
    forgotten = sum(row.status == NO_LONGER_KNOWN for row in answered)
    if forgotten:
        log.warning("messages no longer known to gateway", extra={"messages": forgotten})
    return list(of_statuses(ids, answered).values())


def _next(house: House, batch: Asked, now: datetime) -> datetime:
    """A round that stopped half-way goes on at once; a finished one waits for the next age of the schedule.

    An age that passed between its halves has found only the second one: then the whole batch is asked about at once.
    """
    if batch.resume_at is not None:
        return now
    asked_at = batch.began_at or now
    return max(now, house.next_poll(batch.accepted_at, asked_at, batch.closes_at, leaning=batch.leaning))


def _patience(house: House, asked: Sequence[Asked], now: datetime) -> timedelta:
    """How long to wait after an answer that told nothing: a part of the youngest's age, and no age of the schedule."""
    age = now - max(batch.accepted_at for batch in asked)
    scheduled = min(house.next_poll(batch.accepted_at, now, batch.closes_at) for batch in asked)
    return min(max(EMPTY_AGAIN, age * EMPTY_AGAIN_SHARE), scheduled - now)


def _put_off(house: House, asked: Sequence[Asked], why: str, *, wait: timedelta) -> Polled:
    house.database(polls.put_off, asked, until=house.now() + wait)
    return Polled(asked=sum(len(batch.message_ids) for batch in asked), trouble=why)
