"""Ask the gateway about the messages of which callbacks told, 500 at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection

from campaigns.errors import AccountBlocked, Postpone, Refused
from campaigns.facts import of_statuses
from campaigns.heed.fate import came, keep, later
from campaigns.house import House, Policy
from campaigns.kavenegar.codes import verdict
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.messages import MessageStatus
from campaigns.rules.splitting import POLL
from campaigns.rules.states import MESSAGE_MOVES, MessageState
from campaigns.store import callbacks, installation, polls
from campaigns.store.callbacks import Kept, Parked
from campaigns.store.records import Fact


def to_be_asked(connection: Connection, *, now: datetime) -> bool:
    """Whether there is anything to ask; asked before a slot of the pace is spent."""
    callbacks.forget_settled(connection, now=now, most=POLL)
    return callbacks.gathered(connection, now=now, most=1) > 0


def ask(house: House) -> tuple[int, int, str]:
    """Messages asked about, messages that moved by it, and what went wrong."""
    hints = house.database(callbacks.claim, now=house.now(), lease=house.policy.lease, most=POLL)
    if not hints:
        return 0, 0, ""
    gateway_ids = sorted({each.callback.gateway_id for each in hints})
    try:
        answered = house.gateway.status(gateway_ids, lane=Lane.POLL)  # no transaction is open here
    except Postpone as why:
        wait = timedelta(seconds=why.retry_after_s)
        house.database(_put_off, hints, until=house.now() + wait)
        return len(gateway_ids), 0, str(why)
    except Refused as why:
        house.database(_refused, hints, why, house.policy, now=house.now())
        return len(gateway_ids), 0, str(why)
    moved = house.database(_settle, hints, answered, house.policy, now=house.now())
    return len(gateway_ids), moved, ""


def _put_off(connection: Connection, hints: Sequence[Parked], *, until: datetime) -> None:
    callbacks.keep(connection, [Kept(each.callback, until, each.message_id) for each in hints])


def _refused(connection: Connection, hints: Sequence[Parked], why: Refused, policy: Policy, *, now: datetime) -> None:
    if isinstance(why, AccountBlocked):
        installation.hold_for(connection, why, now=now)
    _put_off(connection, hints, until=now + policy.hold_recheck)


def _settle(
    connection: Connection,
    hints: Sequence[Parked],
    answered: Sequence[MessageStatus],
    policy: Policy,
    *,
    now: datetime,
) -> int:
    """Write down what the gateway answers. Of whom it does not say what the callback said, it is asked again."""
    ids = {each.callback.gateway_id: each.message_id for each in hints if each.message_id is not None}
    facts = of_statuses(ids, answered)
    moved = polls.settle_each(
        connection,
        sorted(ids.values()),
        list(facts.values()),
        now=now,
        call_id=uuid4(),
        suppress_after=policy.suppress_after,
    )
    open_still = [each for each in hints if not _answered(each, facts)]
    keep(connection, hints, later(open_still, now))
    came(connection, [each for each in hints if _confirmed(each, facts)])
    return moved


def _answered(hint: Parked, facts: Mapping[int, Fact]) -> bool:
    """Whether what the gateway answers leaves nothing to ask. It may lag behind what it calls back: 11, and soon 10."""
    state = _state(hint, facts)
    if state is None or state is MessageState.ACCEPTED:
        return False
    return verdict(hint.callback.status) not in MESSAGE_MOVES[state]


def _confirmed(hint: Parked, facts: Mapping[int, Fact]) -> bool:
    """Whether the gateway answers what the callback said; of an undocumented status, whether it has a verdict."""
    state, says = _state(hint, facts), verdict(hint.callback.status)
    return state is not None and state is not MessageState.ACCEPTED and says in {None, state}


def _state(hint: Parked, facts: Mapping[int, Fact]) -> MessageState | None:
    fact = None if hint.message_id is None else facts.get(hint.message_id)
    return None if fact is None else fact.state
