"""Ask about a batch whose outcome is unknown, by our own ids, before anything of it may leave again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from campaigns.context import Context
from campaigns.errors import AccountBlocked, Postpone, Refused
from campaigns.rules.states import BatchState, MessageState
from campaigns.rules.windows import localid_cutoff, may_resend
from campaigns.stages.submit import answers
from campaigns.stages.submit.answers import ClaimAnswer, Outcome, handle_id_collision, record_facts
from campaigns.stages.submit.send import acquire_batch_slot
from campaigns.store import batches, campaigns, gate, in_one_commit, installation, outcomes
from campaigns.store.records import Claim, Fact

log = logging.getLogger(__name__)

MAX_UNARRIVED_SENDS: Final = 8
"""A batch that left this often and never arrived pauses its campaign: somebody has to look."""


def resolve_batch(context: Context, batch_id: int) -> Outcome:
    """Find out what became of an unknown batch. Running twice is harmless: the claim decides."""
    early_outcome = acquire_batch_slot(context, batch_id, BatchState.UNKNOWN)
    if early_outcome is not None:
        return early_outcome
    now = context.now()
    claim = batches.claim_unknown(
        context.database,
        batch_id,
        account=context.account,
        call_id=uuid4(),
        now=now,
        lease=context.policy.lease,
        localid_cutoff=localid_cutoff(now, window=context.policy.localid_window),
    )
    if claim is None:
        return Outcome.NOT_DUE
    try:
        answer = ClaimAnswer() if claim.of_another_account else answers.ask_about_claim(context, claim)
    except Postpone as why:
        return _ask_later(context.database, claim, str(why), now=context.now(), wait_s=why.retry_after_s, code=why.code)
    except Refused as why:
        return _cannot_ask(context.database, context, claim, why, now=context.now())
    return _apply_answer(context.database, context, claim, answer, now=context.now())


@in_one_commit
def _apply_answer(
    connection: Connection, context: Context, claim: Claim, answer: ClaimAnswer, *, now: datetime
) -> Outcome:
    """What the gateway has is accepted; what it never saw may leave again; whatever else it says leaves it unknown.

    Whether "never saw it" proves anything is judged now, with the answer in hand: the machine may have slept since it
    asked, for longer than the gateway remembers. In a restored database nothing ends before all is asked about: what
    would, waits until the lease is over.
    """
    record_facts(connection, context, claim, answer.facts, now=now)
    found = {fact.message_id for fact in answer.facts}
    missing = [message.id for message in claim.messages if message.id not in found]
    if missing and not batches.owns_lease(connection, claim):
        outcome = Outcome.FENCED  # somebody else has asked since, or what is missing has been accepted meanwhile
    elif not missing:
        outcome = Outcome.RESOLVED
    elif not may_resend(claim.first_sent_at, now, window=context.policy.localid_window):
        outcome = _give_up(connection, context, claim, missing, now=now)
    elif answer.doubtful:
        outcome = _look_again(connection, claim, due_at=now + context.policy.unknown_grace)
    elif not answer.unseen | answer.foreign >= set(missing):
        wait_s = context.policy.unknown_grace.total_seconds()
        trouble = batches.IDS_IN_DOUBT if claim.ids_in_doubt else "rows missing from the answer"
        return _ask_later(connection, claim, trouble, now=now, wait_s=wait_s)
    elif answer.foreign and not gate.may_end(connection):
        outcome = Outcome.PUT_OFF
    elif answer.foreign:
        outcome = handle_id_collision(connection, context, claim, answer.facts, len(answer.foreign), now=now)
    else:
        outcome = _never_arrived(connection, context, claim, missing, now=now)
    outcomes.record_attempt(connection, claim, kind="resolve", event=outcome, now=now)
    return outcome


def _never_arrived(
    connection: Connection, context: Context, claim: Claim, missing: Sequence[int], *, now: datetime
) -> Outcome:
    """Only what the gateway never saw, and only under the same ids; of a cancelled campaign, nothing."""
    if claim.cancelled and not gate.may_end(connection):
        return Outcome.PUT_OFF
    if claim.cancelled:
        unsent = [Fact(message_id, MessageState.CANCELLED) for message_id in missing]
        record_facts(connection, context, claim, unsent, now=now)
        return Outcome.RESOLVED
    sends = outcomes.count_attempts(connection, claim.batch_id, event=Outcome.UNKNOWN)
    if sends >= MAX_UNARRIVED_SENDS:
        reason = f"batch {claim.batch_id} left {sends} times without an answer and never arrived"
        campaigns.pause_for_person(connection, claim.campaign_id, code=None, reason=reason)
    again = batches.send_again(connection, claim, due_at=now, trouble="never seen by the gateway")
    return Outcome.SENT_AGAIN if again else Outcome.FENCED


def _look_again(connection: Connection, claim: Claim, *, due_at: datetime) -> Outcome:
    """The gateway has something under our ids that it does not list for our numbers: perhaps it is somebody else's."""
    held = batches.mark_unknown(connection, claim, due_at=due_at, trouble=batches.IDS_IN_DOUBT)
    log.warning("localid ownership found unclear", extra={"batch_id": claim.batch_id})
    return Outcome.IDS_IN_DOUBT if held else Outcome.FENCED


def _give_up(
    connection: Connection, context: Context, claim: Claim, missing: Sequence[int], *, now: datetime
) -> Outcome:
    """The gateway no longer knows ids this old: whether these were sent is for a person to find out."""
    if not gate.may_end(connection):
        return Outcome.PUT_OFF
    record_facts(
        connection, context, claim, [Fact(message_id, MessageState.UNCERTAIN) for message_id in missing], now=now
    )
    log.error("messages left uncertain", extra={"batch_id": claim.batch_id, "messages": len(missing)})
    return Outcome.UNCERTAIN


@in_one_commit
def _ask_later(
    connection: Connection, claim: Claim, trouble: str, *, now: datetime, wait_s: float, code: int | None = None
) -> Outcome:
    batches.mark_unknown(connection, claim, due_at=now + timedelta(seconds=wait_s), trouble=trouble)
    outcomes.record_attempt(connection, claim, kind="resolve", event=Outcome.PUT_OFF, now=now, code=code)
    return Outcome.PUT_OFF


@in_one_commit
def _cannot_ask(connection: Connection, context: Context, claim: Claim, why: Refused, *, now: datetime) -> Outcome:
    """Even asking is refused: the batch stays unknown, and what is wrong with the account is said."""
    if isinstance(why, AccountBlocked):
        installation.hold_account_for(connection, why, now=now)
    log.error("localid query refused", extra={"batch_id": claim.batch_id, "code": why.code})
    wait_s = context.policy.hold_recheck.total_seconds()
    return _ask_later(connection, claim, f"code {why.code}", now=now, wait_s=wait_s, code=why.code)
