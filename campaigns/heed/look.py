"""Look at what became due: is it about a message of ours, and is it news?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from campaigns.heed.fate import came, keep, later
from campaigns.house import House, Policy
from campaigns.kavenegar.codes import verdict
from campaigns.rules.polling import gathered_at
from campaigns.rules.splitting import POLL
from campaigns.rules.states import MESSAGE_MOVES, MessageState
from campaigns.store import callbacks, polls
from campaigns.store.callbacks import Kept, Parked
from campaigns.store.records import Fact

MOST_PORTIONS: Final = 10
"""Portions of 500 callbacks that one ring looks at: many times as many a second as may come in."""


def look(house: House) -> tuple[int, int]:
    """Callbacks looked at, and messages that moved by it."""
    looked = moved = 0
    for _ in range(MOST_PORTIONS):
        portion, told = house.database(_look_at_portion, house.policy, now=house.now())
        looked, moved = looked + portion, moved + told
        if portion < POLL:
            break
    return looked, moved


def _look_at_portion(connection: Connection, policy: Policy, *, now: datetime) -> tuple[int, int]:
    parked = callbacks.take(connection, now=now, most=POLL)
    strangers = [each.callback.gateway_id for each in parked if each.message_id is None]
    otps = callbacks.hurry_otps(connection, strangers, now=now)
    unknown = [each for each in parked if each.message_id is None and each.callback.gateway_id not in otps]
    news = [each for each in parked if _is_news(each)]
    facts = _facts(news) if policy.trust_callbacks else []
    told = {fact.message_id for fact in facts}
    moved = _merge(connection, facts, policy, now=now) if facts else 0
    hints = [each for each in news if each.message_id not in told]
    keep(connection, parked, [*later(unknown, now), *_gathered(hints, policy.callback_batch_window)])
    came(connection, [each for each in parked if each.message_id in told or _is_true(each)])
    return len(parked), moved


def _merge(connection: Connection, facts: Sequence[Fact], policy: Policy, *, now: datetime) -> int:
    message_ids = [fact.message_id for fact in facts]
    return polls.settle_each(connection, message_ids, facts, now=now, suppress_after=policy.suppress_after)


def _is_news(parked: Parked) -> bool:
    """Whether the message of ours may still become what is said of it. An undocumented status may be any verdict."""
    says = verdict(parked.callback.status)
    if parked.state is None:
        return False
    return parked.state is MessageState.ACCEPTED if says is None else says in MESSAGE_MOVES[parked.state]


def _is_true(parked: Parked) -> bool:
    """Whether the message of ours is known to be what is said of it."""
    return parked.state is not None and parked.state is verdict(parked.callback.status)


def _facts(news: Sequence[Parked]) -> list[Fact]:
    """What trusted callbacks say, one fact a message. Undocumented statuses say nothing: they are asked about."""
    facts: dict[int, Fact] = {}
    for each in news:
        says = verdict(each.callback.status)
        if says is None or each.message_id is None:
            continue
        if says is MessageState.DELIVERED or each.message_id not in facts:
            facts[each.message_id] = Fact(each.message_id, says, each.callback.gateway_id, each.callback.status)
    return list(facts.values())


def _gathered(hints: Sequence[Parked], gather: timedelta) -> list[Kept]:
    return [Kept(each.callback, gathered_at(each.seen_at, gather=gather), each.message_id) for each in hints]
