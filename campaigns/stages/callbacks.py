"""Callbacks of the gateway: record them as they come in, match them with our messages, confirm them.

Nothing proves that a callback comes from the gateway. So by default it is a hint: the gateway is asked about the
message, together with all others that were called back in the same few seconds. Where callbacks are trusted, they
are merged like any other fact: late, twice or out of order, a callback only ever moves a message forward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context, Policy
from kavenegar_campaigns.errors import Postpone, Refused
from kavenegar_campaigns.kavenegar.codes import STATUSES, final_state
from kavenegar_campaigns.kavenegar.sent_messages import MessageStatus
from kavenegar_campaigns.rules.batches import POLL_SIZE, callback_batch_at, next_callback_recheck
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.rules.states import MESSAGE_MOVES, MessageState
from kavenegar_campaigns.stages.answers import fact_of_status, facts_of_statuses, suppress_by_verdicts
from kavenegar_campaigns.store import callbacks, in_one_commit, inbound, installation, polls
from kavenegar_campaigns.store.callbacks import DeferredCallback, PendingCallback, StatusCallback
from kavenegar_campaigns.store.inbound import Arrival, InboundPolicy, Via
from kavenegar_campaigns.store.records import Fact

# ── what becomes of callbacks that were processed ──


def retry_later(unmatched: Sequence[PendingCallback], now: datetime) -> list[DeferredCallback]:
    """Keep unmatched callbacks for another look: they may have overtaken their message. The last look drops them."""
    return [
        DeferredCallback(each.callback, again, each.message_id)
        for each in unmatched
        if (again := next_callback_recheck(each.seen_at, now)) is not None
    ]


def keep_or_forget(connection: Connection, parked: Sequence[PendingCallback], kept: Sequence[DeferredCallback]) -> None:
    """Keep the callbacks in `kept` and forget the others of `parked`."""
    stay = {each.callback for each in kept}
    callbacks.defer(connection, kept)
    callbacks.delete(connection, [each.callback for each in parked if each.callback not in stay])


def record_proven(connection: Connection, proven: Sequence[PendingCallback]) -> None:
    """Record when a callback last proved true: only then polls become fewer."""
    if proven:
        callbacks.record_last_callback(connection, at=max(each.seen_at for each in proven))


# ── confirm: ask the gateway about the messages, 500 at a time ──


@in_one_commit
def any_to_confirm(connection: Connection, *, now: datetime) -> bool:
    """Return whether any message has to be queried; checked before a slot of the pace is taken."""
    callbacks.delete_settled(connection, now=now, most=POLL_SIZE)
    return callbacks.count_to_confirm(connection, now=now, most=1) > 0


def confirm_callbacks(context: Context) -> tuple[int, int, str]:
    """Query the statuses of the messages. Returns how many were queried, how many moved, and the trouble."""
    hints = callbacks.claim_to_confirm(context.database, now=context.now(), lease=context.policy.lease, most=POLL_SIZE)
    if not hints:
        return 0, 0, ""
    gateway_ids = sorted({each.callback.gateway_id for each in hints})
    try:
        answered = context.gateway.status(gateway_ids, lane=Lane.POLL)  # no transaction is open here
    except Postpone as why:
        wait = timedelta(seconds=why.retry_after_s)
        _postpone(context.database, hints, until=context.now() + wait)
        return len(gateway_ids), 0, str(why)
    except Refused as why:
        _handle_refusal(context.database, hints, why, context.policy, now=context.now())
        return len(gateway_ids), 0, str(why)
    moved = _record_answers(context.database, hints, answered, context.policy, now=context.now())
    return len(gateway_ids), moved, ""


@in_one_commit
def _postpone(connection: Connection, hints: Sequence[PendingCallback], *, until: datetime) -> None:
    callbacks.defer(connection, [DeferredCallback(each.callback, until, each.message_id) for each in hints])


@in_one_commit
def _handle_refusal(
    connection: Connection, hints: Sequence[PendingCallback], why: Refused, policy: Policy, *, now: datetime
) -> None:
    installation.hold_if_blocked(connection, why, now=now)
    _postpone(connection, hints, until=now + policy.hold_recheck)


@in_one_commit
def _record_answers(
    connection: Connection,
    hints: Sequence[PendingCallback],
    answered: Sequence[MessageStatus],
    policy: Policy,
    *,
    now: datetime,
) -> int:
    """Record the gateway's statuses. Messages whose status does not yet match the callback are queried again."""
    ids = {each.callback.gateway_id: each.message_id for each in hints if each.message_id is not None}
    facts = facts_of_statuses(ids, answered)
    moved = polls.record_verdicts(connection, sorted(ids.values()), list(facts.values()), now=now, call_id=uuid4())
    suppress_by_verdicts(connection, policy, moved, now=now)
    open_still = [each for each in hints if not _answered(each, facts)]
    keep_or_forget(connection, hints, retry_later(open_still, now))
    record_proven(connection, [each for each in hints if _confirmed(each, facts)])
    return len(moved)


def _answered(hint: PendingCallback, facts: Mapping[int, Fact]) -> bool:
    """Return whether the gateway's answer settles the callback. It may lag behind the callback: 11, and soon 10."""
    state = _state(hint, facts)
    if state is None or state is MessageState.ACCEPTED:
        return False
    return final_state(hint.callback.status) not in MESSAGE_MOVES[state]


def _confirmed(hint: PendingCallback, facts: Mapping[int, Fact]) -> bool:
    """Return whether the answer agrees with the callback; for an undocumented status, whether there is a verdict."""
    state, says = _state(hint, facts), final_state(hint.callback.status)
    return state is not None and state is not MessageState.ACCEPTED and says in {None, state}


def _state(hint: PendingCallback, facts: Mapping[int, Fact]) -> MessageState | None:
    fact = None if hint.message_id is None else facts.get(hint.message_id)
    return None if fact is None else fact.state


# ── match: is the callback about a message of ours, and is it news? ──

MAX_PORTIONS: Final = 10
"""Portions of 500 callbacks that one task looks at: many times as many a second as may come in."""


def match_callbacks(context: Context) -> tuple[int, int]:
    """Match the callbacks that are due. Returns how many were matched against messages, and how many messages moved."""
    looked = moved = 0
    for _ in range(MAX_PORTIONS):
        portion, merged = _match_portion(context.database, context.policy, now=context.now())
        looked, moved = looked + portion, moved + merged
        if portion < POLL_SIZE:
            break
    return looked, moved


@in_one_commit
def _match_portion(connection: Connection, policy: Policy, *, now: datetime) -> tuple[int, int]:
    parked = callbacks.take(connection, now=now, most=POLL_SIZE)
    foreign_ids = [each.callback.gateway_id for each in parked if each.message_id is None]
    otps = callbacks.poll_otps_now(connection, foreign_ids, now=now)
    unknown = [each for each in parked if each.message_id is None and each.callback.gateway_id not in otps]
    news = [each for each in parked if _is_news(each)]
    facts = _trusted_facts(news) if policy.trust_callbacks else []
    merged = {fact.message_id for fact in facts}
    moved = _merge_trusted(connection, facts, policy, now=now) if facts else 0
    hints = [each for each in news if each.message_id not in merged]
    keep_or_forget(connection, parked, [*retry_later(unknown, now), *_collect(hints, policy.callback_batch_window)])
    record_proven(connection, [each for each in parked if each.message_id in merged or _is_true(each)])
    return len(parked), moved


def _merge_trusted(connection: Connection, facts: Sequence[Fact], policy: Policy, *, now: datetime) -> int:
    message_ids = [fact.message_id for fact in facts]
    moved = polls.record_verdicts(connection, message_ids, facts, now=now)
    suppress_by_verdicts(connection, policy, moved, now=now)
    return len(moved)


def _is_news(parked: PendingCallback) -> bool:
    """Return whether our message may still move to the status of the callback.

    An undocumented status may be any verdict.
    """
    says = final_state(parked.callback.status)
    if parked.state is None:
        return False
    return parked.state is MessageState.ACCEPTED if says is None else says in MESSAGE_MOVES[parked.state]


def _is_true(parked: PendingCallback) -> bool:
    """Return whether our message has the status of the callback already."""
    return parked.state is not None and parked.state is final_state(parked.callback.status)


def _trusted_facts(news: Sequence[PendingCallback]) -> list[Fact]:
    """Return the facts of trusted callbacks, one a message. Undocumented statuses make none: they are queried."""
    facts: dict[int, Fact] = {}
    for each in news:
        says = final_state(each.callback.status)
        if says is None or each.message_id is None:
            continue
        if says is MessageState.DELIVERED or each.message_id not in facts:
            facts[each.message_id] = fact_of_status(each.message_id, each.callback.gateway_id, each.callback.status)
    return list(facts.values())


def _collect(hints: Sequence[PendingCallback], window: timedelta) -> list[DeferredCallback]:
    return [
        DeferredCallback(each.callback, callback_batch_at(each.seen_at, window=window), each.message_id)
        for each in hints
    ]


# ── record callbacks as they come in; nothing is acted upon here ──

LINE_RECHECK_EVERY: Final = timedelta(minutes=5)
"""A line is pulled no more often than this, however many callbacks name it: a pull is many calls."""


class LineNotPulled(Exception):
    """A callback brought a message of a line that is not pulled: the gateway must not count it as read."""


@dataclass(frozen=True, slots=True)
class InboundCallback:
    """A callback about an inbound message to a line (bare digits). It has no time."""

    gateway_id: int
    line: str
    number: str = field(repr=False)
    text: str = field(repr=False)


@in_one_commit
def record_statuses(connection: Connection, called_back: Sequence[StatusCallback], *, now: datetime) -> int:
    """Store the callbacks that may be news: a verdict, or an undocumented status. Returns how many were new.

    All other statuses are on the way to one of these.
    """
    news = [each for each in called_back if each.status not in STATUSES or final_state(each.status) is not None]
    return callbacks.record(connection, news, now=now) if news else 0


@in_one_commit
def record_inbound(
    connection: Connection, called_back: Sequence[InboundCallback], policy: Policy, *, now: datetime
) -> None:
    """Schedule a pull of the lines of these callbacks; if callbacks are trusted, store the messages instead.

    A message in a callback counts as read at the gateway: a pull of unread messages would not find it, and on a line
    that is not pulled nothing would. Raises: LineNotPulled, and no callback of the call was stored.
    """
    lines = sorted({each.line for each in called_back})
    if policy.trust_callbacks:
        watch = InboundPolicy(policy.opt_out_words, anywhere=policy.opt_out_anywhere, deliver=policy.deliver_inbound)
        for line in lines:
            arrivals = [
                Arrival(each.gateway_id, each.number, each.text, now) for each in called_back if each.line == line
            ]
            inbound.store_new(connection, line, arrivals, via=Via.CALLBACK, watch=watch, now=now)
    elif callbacks.reconcile_lines_soon(connection, lines, now=now, again=LINE_RECHECK_EVERY) < set(lines):
        raise LineNotPulled


@dataclass(frozen=True, slots=True)
class Processed:
    """The result of one task: callbacks matched, messages queried, messages moved."""

    looked: int = 0
    asked: int = 0
    moved: int = 0
    trouble: str = ""

    @property
    def summary(self) -> str:
        """Return the text for Flower."""
        counts = f"looked at {self.looked}, asked {self.asked}, moved {self.moved}"
        return counts + (f", {self.trouble}" if self.trouble else "")


def process_callbacks(context: Context) -> Processed:
    """Match the callbacks that are due, then query at most 500 messages of those that were batched.

    Running twice is harmless: two tasks never take the same callbacks, and the claim decides who asks.
    """
    looked, moved = match_callbacks(context)
    if not any_to_confirm(context.database, now=context.now()):
        return Processed(looked, moved=moved)
    try:
        context.gateway.acquire_slot(Lane.POLL)
    except Postpone as why:
        return Processed(looked, moved=moved, trouble=f"put off for {why.retry_after_s:.0f} s")
    asked, confirmed, trouble = confirm_callbacks(context)
    return Processed(looked, asked, moved + confirmed, trouble)
