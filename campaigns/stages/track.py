"""Poll the statuses of accepted messages, 500 at a time, and withdraw messages that wait at the gateway."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context, Policy
from kavenegar_campaigns.errors import GatewayError, Postpone, Refused
from kavenegar_campaigns.kavenegar.sent_messages import MessageStatus
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.stages.answers import facts_of_statuses, suppress_by_verdicts
from kavenegar_campaigns.store import in_one_commit, installation, messages, polls
from kavenegar_campaigns.store.records import Fact, PollShare

log = logging.getLogger(__name__)

EMPTY_RETRY: Final = timedelta(seconds=30)
"""When an answer without rows is asked for again, at the earliest."""
EMPTY_RETRY_SHARE: Final = 0.1
"""The same as a part of the messages' age, so that a gateway that never answers is asked more and more seldom."""


@dataclass(frozen=True, slots=True)
class Polled:
    """The result of one poll; `asked` is 0 if nothing was due or the pace had no room."""

    asked: int = 0
    moved: int = 0
    trouble: str = ""

    @property
    def summary(self) -> str:
        """Return the text for Flower."""
        if not self.asked:
            return self.trouble or "nothing due"
        return f"asked {self.asked}, moved {self.moved}" + (f", {self.trouble}" if self.trouble else "")


def poll_statuses(context: Context, *, closing: bool = False) -> Polled:
    """Poll the statuses of the next 500 messages that are due. Running twice is harmless: the claim decides.

    With `closing`, messages whose window is about to close come first, and the call goes ahead of the sends; where no
    such message is due, there is nothing to ask.
    """
    now = context.now()
    closing_before = context.policy.closing_before(now) if closing else None
    if not polls.any_due(context.database, now=now, closing_before=closing_before):
        return Polled()
    lane = Lane.CLOSING if closing else Lane.POLL
    try:
        context.gateway.acquire_slot(lane)
    except Postpone as why:
        return Polled(trouble=f"put off for {why.retry_after_s:.0f} s")
    asked = polls.claim(context.database, now=context.now(), lease=context.policy.lease, closing_before=closing_before)
    if not asked:
        return Polled()
    gateway_ids = [gateway_id for batch in asked for gateway_id in batch.message_ids]
    try:
        answered = context.gateway.status(gateway_ids, lane=lane)  # no transaction is open here
    except Postpone as why:
        return _postpone(context, asked, str(why), wait=timedelta(seconds=why.retry_after_s))
    except Refused as why:
        installation.hold_if_blocked(context.database, why, now=context.now())
        return _postpone(context, asked, str(why), wait=context.policy.hold_recheck)
    return _record_answer(context, asked, answered)


def _record_answer(context: Context, asked: Sequence[PollShare], answered: Iterable[MessageStatus]) -> Polled:
    now = context.now()
    ids = {gateway_id: message_id for batch in asked for gateway_id, message_id in batch.message_ids.items()}
    known = [row for row in answered if row.messageid in ids]
    if not known:
        log.warning("status answer matched no message", extra={"messages": len(ids)})
        return _postpone(context, asked, "the answer told nothing", wait=_empty_retry_wait(context, asked, now))
    facts = _facts(ids, known)
    next_polls = [_next_poll(context, batch, now) for batch in asked]
    moved = _record_poll(context.database, context.policy, asked, facts, next_polls, call_id=uuid4(), now=now)
    return Polled(asked=len(ids), moved=moved)


@in_one_commit
def _record_poll(
    connection: Connection,
    policy: Policy,
    asked: Sequence[PollShare],
    facts: Sequence[Fact],
    next_polls: Sequence[datetime],
    *,
    call_id: UUID,
    now: datetime,
) -> int:
    moved = polls.record_poll(connection, asked, facts, next_polls=next_polls, call_id=call_id, now=now)
    suppress_by_verdicts(connection, policy, moved, now=now)
    return len(moved)


def _facts(ids: Mapping[int, int], answered: Sequence[MessageStatus]) -> list[Fact]:
    """Return one fact for each of our messages that the gateway still knows."""
    forgotten = sum(not row.is_known for row in answered)
    if forgotten:
        log.warning("messages no longer known to gateway", extra={"messages": forgotten})
    return list(facts_of_statuses(ids, answered).values())


def _next_poll(context: Context, batch: PollShare, now: datetime) -> datetime:
    """Return the time of the next poll: at once after half a round, else at the next age of the schedule.

    An age that passed between its halves has found only the second one: then the whole batch is asked about at once.
    """
    if batch.resume_id is not None:
        return now
    asked_at = batch.began_at or now
    return max(
        now, context.next_poll(batch.accepted_at, asked_at, batch.closes_at, callbacks_active=batch.callbacks_active)
    )


def _empty_retry_wait(context: Context, asked: Sequence[PollShare], now: datetime) -> timedelta:
    """Return the wait after an answer without news: a part of the youngest message's age, off the schedule."""
    age = now - max(batch.accepted_at for batch in asked)
    scheduled = min(context.next_poll(batch.accepted_at, now, batch.closes_at) for batch in asked)
    return min(max(EMPTY_RETRY, age * EMPTY_RETRY_SHARE), scheduled - now)


def _postpone(context: Context, asked: Sequence[PollShare], why: str, *, wait: timedelta) -> Polled:
    polls.put_off(context.database, asked, until=context.now() + wait)
    return Polled(asked=sum(len(batch.message_ids) for batch in asked), trouble=why)


# ── withdraw the messages of a cancelled campaign that wait at the gateway for their date ──
#
# The answer tells the state of each message and nothing about money: the refund is what our rows say that it cost.
# Source: kavenegar-rest, Cancel.


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The result of one withdrawal; messages that had already left keep their state."""

    asked: int = 0
    withdrawn: int = 0
    trouble: str = ""

    @property
    def summary(self) -> str:
        """Return the text for Flower."""
        return f"withdrew {self.withdrawn} of {self.asked}" + (f", {self.trouble}" if self.trouble else "")


def withdraw_batch(context: Context, batch_id: int) -> Withdrawn:
    """Withdraw one batch. Harmless to repeat: the gateway answers with the status of each message."""
    ids = messages.withdrawable(context.database, batch_id)
    if not ids:
        return Withdrawn()
    try:
        context.gateway.acquire_slot(Lane.SEND)
        answered = context.gateway.cancel(list(ids))
    except GatewayError as why:
        log.warning("withdrawal failed", extra={"batch_id": batch_id, "messages": len(ids), "code": why.code})
        return Withdrawn(asked=len(ids), trouble=str(why))
    facts = list(facts_of_statuses(ids, answered).values())
    _record_withdrawal(context.database, context.policy, batch_id, facts, now=context.now())
    withdrawn = sum(fact.state is MessageState.CANCELLED for fact in facts)
    log.info("batch withdrawn", extra={"batch_id": batch_id, "messages": len(ids), "withdrawn": withdrawn})
    return Withdrawn(asked=len(ids), withdrawn=withdrawn)


@in_one_commit
def _record_withdrawal(
    connection: Connection, policy: Policy, batch_id: int, facts: Sequence[Fact], *, now: datetime
) -> None:
    ids = messages.lock_batches(connection, [batch_id], [fact.message_id for fact in facts])
    moved = messages.merge_facts(connection, facts, now=now, known=True)
    messages.recount(connection, ids, now=now)
    suppress_by_verdicts(connection, policy, moved, now=now)
