"""Ask about a batch whose outcome is unknown, by our own ids, before anything of it may leave again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from campaigns.errors import AccountBlocked, Postpone, Refused
from campaigns.house import House
from campaigns.rules.states import BatchState, MessageState
from campaigns.rules.windows import forgotten_before, may_resend
from campaigns.store import attempts, batches, campaigns, gate, installation
from campaigns.store.records import Claim, Fact
from campaigns.submit import ownership
from campaigns.submit.learning import collided, learn
from campaigns.submit.outcome import Outcome
from campaigns.submit.ownership import Answer
from campaigns.submit.send import admitted

log = logging.getLogger(__name__)

HOPELESS: Final = 8
"""A batch that left this often and never arrived pauses its campaign: somebody has to look."""


def resolve(house: House, batch_id: int) -> Outcome:
    """Find out what became of an unknown batch. Ringing twice is harmless: the claim decides."""
    early = admitted(house, batch_id, BatchState.UNKNOWN)
    if early is not None:
        return early
    now = house.now()
    claim = house.database(
        batches.claim_unknown,
        batch_id,
        account=house.account,
        call_id=uuid4(),
        now=now,
        lease=house.policy.lease,
        forgotten_before=forgotten_before(now, window=house.policy.localid_window),
    )
    if claim is None:
        return Outcome.NOT_DUE
    try:
        answer = Answer() if claim.of_another_account else ownership.ask(house, claim)
    except Postpone as why:
        return house.database(_ask_later, claim, str(why), now=house.now(), wait_s=why.retry_after_s, code=why.code)
    except Refused as why:
        return house.database(_cannot_ask, house, claim, why, now=house.now())
    return house.database(_answered, house, claim, answer, now=house.now())


def _answered(connection: Connection, house: House, claim: Claim, answer: Answer, *, now: datetime) -> Outcome:
    """What the gateway has is accepted; what it never saw may leave again; whatever else it says leaves it unknown.

    Whether "never saw it" proves anything is judged now, with the answer in hand: the machine may have slept since it
    asked, for longer than the gateway remembers. In a restored database nothing ends before all is asked about: what
    would, waits until the lease is over.
    """
    learn(connection, house, claim, answer.facts, now=now)
    found = {fact.message_id for fact in answer.facts}
    missing = [message.id for message in claim.messages if message.id not in found]
    if missing and not batches.holds(connection, claim):
        outcome = Outcome.FENCED  # somebody else has asked since, or what is missing has been accepted meanwhile
    elif not missing:
        outcome = Outcome.RESOLVED
    elif not may_resend(claim.first_sent_at, now, window=house.policy.localid_window):
        outcome = _give_up(connection, house, claim, missing, now=now)
    elif answer.doubtful:
        outcome = _look_again(connection, claim, due_at=now + house.policy.unknown_grace)
    elif not answer.unseen | answer.foreign >= set(missing):
        wait_s = house.policy.unknown_grace.total_seconds()
        trouble = batches.IDS_IN_DOUBT if claim.ids_in_doubt else "rows missing from the answer"
        return _ask_later(connection, claim, trouble, now=now, wait_s=wait_s)
    elif answer.foreign and not gate.may_end(connection):
        outcome = Outcome.PUT_OFF
    elif answer.foreign:
        outcome = collided(connection, house, claim, answer.facts, len(answer.foreign), now=now)
    else:
        outcome = _never_arrived(connection, house, claim, missing, now=now)
    attempts.record(connection, claim, kind="resolve", event=outcome, now=now)
    return outcome


def _never_arrived(
    connection: Connection, house: House, claim: Claim, missing: Sequence[int], *, now: datetime
) -> Outcome:
    """Only what the gateway never saw, and only under the same ids; of a cancelled campaign, nothing."""
    if claim.cancelled and not gate.may_end(connection):
        return Outcome.PUT_OFF
    if claim.cancelled:
        unsent = [Fact(message_id, MessageState.CANCELLED) for message_id in missing]
        learn(connection, house, claim, unsent, now=now)
        return Outcome.RESOLVED
    sends = attempts.count_events(connection, claim.batch_id, event=Outcome.UNKNOWN)
    if sends >= HOPELESS:
        reason = f"batch {claim.batch_id} left {sends} times without an answer and never arrived"
        campaigns.hold(connection, claim.campaign_id, code=None, reason=reason)
    again = batches.send_again(connection, claim, due_at=now, trouble="never seen by the gateway")
    return Outcome.SENT_AGAIN if again else Outcome.FENCED


def _look_again(connection: Connection, claim: Claim, *, due_at: datetime) -> Outcome:
    """The gateway has something under our ids that it does not list for our numbers: perhaps it is somebody else's."""
    held = batches.doubt(connection, claim, due_at=due_at, trouble=batches.IDS_IN_DOUBT)
    log.warning("localid ownership found unclear", extra={"batch_id": claim.batch_id})
    return Outcome.IDS_IN_DOUBT if held else Outcome.FENCED


def _give_up(connection: Connection, house: House, claim: Claim, missing: Sequence[int], *, now: datetime) -> Outcome:
    """The gateway no longer knows ids this old: whether these were sent is for a person to find out."""
    if not gate.may_end(connection):
        return Outcome.PUT_OFF
    learn(connection, house, claim, [Fact(message_id, MessageState.UNCERTAIN) for message_id in missing], now=now)
    log.error("messages left uncertain", extra={"batch_id": claim.batch_id, "messages": len(missing)})
    return Outcome.UNCERTAIN


def _ask_later(
    connection: Connection, claim: Claim, trouble: str, *, now: datetime, wait_s: float, code: int | None = None
) -> Outcome:
    batches.doubt(connection, claim, due_at=now + timedelta(seconds=wait_s), trouble=trouble)
    attempts.record(connection, claim, kind="resolve", event=Outcome.PUT_OFF, now=now, code=code)
    return Outcome.PUT_OFF


def _cannot_ask(connection: Connection, house: House, claim: Claim, why: Refused, *, now: datetime) -> Outcome:
    """Even asking is refused: the batch stays unknown, and what is wrong with the account is said."""
    if isinstance(why, AccountBlocked):
        installation.hold_for(connection, why, now=now)
    log.error("localid query refused", extra={"batch_id": claim.batch_id, "code": why.code})
    wait_s = house.policy.hold_recheck.total_seconds()
    return _ask_later(connection, claim, f"code {why.code}", now=now, wait_s=wait_s, code=why.code)
