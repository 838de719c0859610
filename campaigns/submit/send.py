"""Send one due batch: claim, call, write down. Every ending is in sight.

A request that left without a clear yes is unknown, whatever the gateway answered: it is asked by our ids before
anything of it may leave again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection

from campaigns.errors import AnswerUnclear, OutcomeUnknown, Postpone, Refused
from campaigns.house import House
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.messages import SentMessage
from campaigns.rules.matching import Matched
from campaigns.rules.states import BatchState
from campaigns.store import attempts, batches, campaigns
from campaigns.store.records import Claim
from campaigns.submit import ownership, refusal
from campaigns.submit.learning import collided, fact, learn, matched
from campaigns.submit.outcome import Outcome
from campaigns.submit.request import ask

log = logging.getLogger(__name__)

OPERATION_FAILED = 402
STUBBORN = 4
"""A batch that the gateway fails (402) this often without saying why pauses its campaign: somebody has to look."""


def run(house: House, batch_id: int) -> Outcome:
    """Send one due batch. Ringing twice is harmless: the claim decides."""
    early = admitted(house, batch_id, BatchState.READY)
    if early is not None:
        return early
    claim = house.database(
        batches.claim_ready,
        batch_id,
        account=house.account,
        call_id=uuid4(),
        now=house.now(),
        lease=house.policy.lease,
    )
    if claim is None:
        return Outcome.NOT_DUE
    try:
        answered = _send(house, claim)  # no transaction is open here
    except Postpone as why:
        return house.database(_put_off, claim, why, now=house.now())
    except OutcomeUnknown as why:
        return house.database(_unclear, house, claim, why, now=house.now())
    except Refused as why:
        return _refused(house, claim, why)
    return house.database(_answered, house, claim, matched(claim, answered), now=house.now())


def admitted(house: House, batch_id: int, state: BatchState) -> Outcome | None:
    """Take a slot of the pace before anything is claimed; None once it is had.

    A ring that comes late or twice takes none. A long wait goes back to the database: the batch is due again then.
    """
    if not house.database(batches.waits, batch_id, state, now=house.now()):
        return Outcome.NOT_DUE
    try:
        house.gateway.admit(Lane.SEND)
    except Postpone as why:
        house.database(batches.postpone, batch_id, due_at=house.now() + timedelta(seconds=why.retry_after_s))
        return Outcome.PUT_OFF
    return None


def _send(house: House, claim: Claim) -> Sequence[SentMessage]:
    def in_time() -> bool:
        """Whether a request that leaves now is over before its lease is: nobody else asks, or sends, before that."""
        return house.now() + house.policy.deadline <= claim.lease_ends

    return ask(house.gateway, claim, in_time=in_time)


def _answered(
    connection: Connection, house: House, claim: Claim, answer: Matched[SentMessage], *, now: datetime
) -> Outcome:
    """Write down what was accepted. A row that is missing from the answer is unknown, never failed."""
    facts = [
        fact(message.id, row.messageid, row.status, row.cost)
        for message in claim.messages
        if (row := answer.rows.get(message.number)) is not None
    ]
    foreign = len({row.messageid for row in answer.foreign})
    learn(connection, house, claim, facts, now=now)
    if len(facts) + foreign < len(claim.messages):
        trouble = batches.IDS_IN_DOUBT if foreign else "rows missing from the answer"
        return _doubt(connection, claim, trouble, due_at=now + house.policy.unknown_grace, now=now)
    if not foreign:
        outcome = Outcome.ACCEPTED
    elif batches.holds(connection, claim):
        log.error("localid collision found", extra={"batch_id": claim.batch_id, "messages": foreign})
        outcome = collided(connection, house, claim, facts, foreign, now=now)
    else:
        outcome = Outcome.FENCED
    attempts.record(connection, claim, kind="send", event=outcome, now=now)
    return outcome


def _doubt(
    connection: Connection, claim: Claim, trouble: str, *, due_at: datetime, now: datetime, code: int | None = None
) -> Outcome:
    """It may have been accepted: ask at `due_at`."""
    held = batches.doubt(connection, claim, due_at=due_at, trouble=trouble)
    attempts.record(connection, claim, kind="send", event=Outcome.UNKNOWN, now=now, code=code)
    log.warning("batch outcome unknown", extra={"batch_id": claim.batch_id, "trouble": trouble})
    return Outcome.UNKNOWN if held else Outcome.FENCED


def _unclear(connection: Connection, house: House, claim: Claim, why: OutcomeUnknown, *, now: datetime) -> Outcome:
    """No usable answer, or one that says nothing about what was done: ask once the gateway has made up its mind."""
    outcome = _doubt(connection, claim, str(why), due_at=now + house.policy.unknown_grace, now=now, code=why.code)
    if isinstance(why, AnswerUnclear):
        campaigns.hold(connection, claim.campaign_id, code=why.code, reason=str(why))
        log.error("sending stopped", extra={"batch_id": claim.batch_id, "code": why.code})
    elif why.code == OPERATION_FAILED:
        _hold_if_stubborn(connection, claim)
    return outcome


def _hold_if_stubborn(connection: Connection, claim: Claim) -> None:
    failures = attempts.count_events(connection, claim.batch_id, event=Outcome.UNKNOWN, code=OPERATION_FAILED)
    if failures >= STUBBORN:
        reason = f"batch {claim.batch_id} failed {failures} times at the gateway (402) without a cause given"
        campaigns.hold(connection, claim.campaign_id, code=OPERATION_FAILED, reason=reason)


def _put_off(connection: Connection, claim: Claim, why: Postpone, *, now: datetime) -> Outcome:
    """Not now. Where nothing left us the batch is ready again; where the gateway said so, it is asked first.

    It has answered, so there is nothing to wait for but the pace.
    """
    due_at = now + timedelta(seconds=why.retry_after_s)
    decide = batches.release if why.code is None else batches.doubt
    held = decide(connection, claim, due_at=due_at, trouble=type(why).__name__)
    attempts.record(connection, claim, kind="send", event=Outcome.PUT_OFF, now=now, code=why.code)
    return Outcome.PUT_OFF if held else Outcome.FENCED


def _refused(house: House, claim: Claim, why: Refused) -> Outcome:
    """The gateway says no. Whether it has taken a part all the same, it is asked before anything is decided."""
    try:
        answer = ownership.ask(house, claim)
    except (Postpone, Refused):
        return house.database(refusal.unconfirmed, claim, why, now=house.now())
    return house.database(refusal.confirmed, house, claim, why, answer, now=house.now())
