"""Decide about refused and unknown batches, after asking the gateway about them by localids.

The documentation does not say that a refused request has done nothing. So before anything of a batch is halved, refused
or released, and before it may leave again, the gateway says by our ids what it has: that is accepted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import AccountBlocked, Postpone, RecipientRefused, Refused, TextRefused
from kavenegar_campaigns.kavenegar.codes import DATE_REFUSED, TOO_LARGE_CODES
from kavenegar_campaigns.rules.batches import localid_cutoff, may_resend
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.stages.answers import record_facts
from kavenegar_campaigns.stages.submit.ownership import ClaimAnswer, Outcome, ask_about_claim, handle_id_collision
from kavenegar_campaigns.store import batches, campaigns, gate, in_one_commit, installation, outcomes
from kavenegar_campaigns.store.records import Claim, Fact, Outgoing

log = logging.getLogger(__name__)

# ── refused: the guilty stand alone in the end, and the others leave ──


@in_one_commit
def record_refusal(
    connection: Connection, context: Context, claim: Claim, why: Refused, answer: ClaimAnswer, *, now: datetime
) -> Outcome:
    """Record a refusal by its kind, for the messages that the gateway, when asked, never saw.

    Where it did not answer for every message, nothing is halved or refused: they stay unknown.
    """
    record_facts(connection, context, claim, answer.facts, now=now)
    found = {fact.message_id for fact in answer.facts}
    rest = [message for message in claim.messages if message.id not in found]
    if found:
        fields = {"batch_id": claim.batch_id, "code": why.code, "messages": len(found)}
        log.warning("refused batch found partly accepted", extra=fields)
    if not rest:
        batches.record_attempt(connection, claim, kind="send", event=Outcome.ACCEPTED, now=now, code=why.code)
        return Outcome.ACCEPTED
    if not _proves_unseen(context, claim, answer, rest, now=now):
        return record_unconfirmed(connection, claim, why, now=now)
    return _decide(connection, context, replace(claim, messages=rest), why, now=now)


def _proves_unseen(
    context: Context, claim: Claim, answer: ClaimAnswer, rest: Sequence[Outgoing], *, now: datetime
) -> bool:
    """Return whether the gateway never saw any of `rest`.

    It says so of each, within the window in which that proves it.
    """
    proven = may_resend(claim.first_sent_at, now, window=context.policy.localid_window)
    return proven and {message.id for message in rest} <= answer.unseen


@in_one_commit
def record_unconfirmed(connection: Connection, claim: Claim, why: Refused, *, now: datetime) -> Outcome:
    """Record a refusal whose effect is not known yet: the batch is unknown, and what has to stop is stopped.

    It was answered, so it can be asked about at once.
    """
    outcome = _outcome(claim, why) if batches.owns_lease(connection, claim) else Outcome.FENCED
    batches.mark_unknown(connection, claim, due_at=now, trouble=f"code {why.code}")
    batches.record_attempt(connection, claim, kind="send", event=Outcome.UNKNOWN, now=now, code=why.code)
    if outcome in (Outcome.ACCOUNT_HELD, Outcome.CAMPAIGN_PAUSED):
        _stop(connection, claim, why, outcome, now=now)
        return outcome
    return Outcome.FENCED if outcome is Outcome.FENCED else Outcome.UNKNOWN


def _decide(connection: Connection, context: Context, claim: Claim, why: Refused, *, now: datetime) -> Outcome:
    outcome = _outcome(claim, why) if batches.owns_lease(connection, claim) else Outcome.FENCED
    if outcome is Outcome.REFUSED and not gate.may_end(connection):
        outcome = Outcome.FENCED  # the database was restored: whoever asks about everything decides
    batches.record_attempt(connection, claim, kind="send", event=outcome, now=now, code=why.code)
    if outcome is Outcome.HALVED:
        outcomes.halve(connection, claim, now=now, trouble=f"code {why.code}")
    elif outcome is Outcome.REFUSED:
        guilty = [Fact(message.id, MessageState.REFUSED, refused_code=why.code) for message in claim.messages]
        record_facts(connection, context, claim, guilty, now=now)
    elif outcome is Outcome.PUT_OFF:
        _hold_until_date(connection, claim, why, now=now)
    elif outcome is not Outcome.FENCED:
        _stop(connection, claim, why, outcome, now=now)
        batches.send_again(connection, claim, due_at=now, trouble=f"code {why.code}")
    return outcome


def _outcome(claim: Claim, why: Refused) -> Outcome:
    if isinstance(why, AccountBlocked):
        return Outcome.ACCOUNT_HELD
    # The date passed on the way, or by the gateway's clock, or lies further ahead than it wants to keep messages.
    if why.code == DATE_REFUSED and claim.send_at is not None:
        return Outcome.PUT_OFF
    if isinstance(why, TextRefused) and not claim.personal:
        return Outcome.CAMPAIGN_PAUSED  # one text for all: a smaller batch has the same
    if isinstance(why, TextRefused) and claim.options.is_voice:
        return Outcome.REFUSED  # one text for all of the batch
    guilty = isinstance(why, (RecipientRefused, TextRefused))
    if len(claim.messages) > 1 and (guilty or why.code in TOO_LARGE_CODES):
        return Outcome.HALVED
    return Outcome.REFUSED if guilty else Outcome.CAMPAIGN_PAUSED


def _hold_until_date(connection: Connection, claim: Claim, why: Refused, *, now: datetime) -> None:
    """The gateway rejected the scheduled date (417): hold the batch until then and send it undated.

    Nobody gets it early, and by the gateway's clock or ours, nobody much later. The rest of the campaign waits too,
    instead of asking for the same refusal batch by batch.
    """
    due_at = max(claim.send_at or now, now)
    batches.send_again(connection, claim, due_at=due_at, trouble=f"code {why.code}")
    if due_at > now:
        campaigns.wait_for_date(connection, claim.campaign_id, until=due_at)
    log.warning(
        "scheduled date refused", extra={"batch_id": claim.batch_id, "code": why.code, "due_at": due_at.isoformat()}
    )


def _stop(connection: Connection, claim: Claim, why: Refused, outcome: Outcome, *, now: datetime) -> None:
    """Pause the campaign or hold the account; the account is checked again at once."""
    if not installation.hold_if_blocked(connection, why, now=now):
        campaigns.pause_for_person(connection, claim.campaign_id, code=why.code, reason=str(why))
    log.error("sending stopped", extra={"batch_id": claim.batch_id, "code": why.code, "outcome": outcome.value})


# ── unknown: nobody knows yet whether it was sent ──

MAX_UNARRIVED_SENDS: Final = 8
"""A batch that left this often and never arrived pauses its campaign: somebody has to look."""


def ask_and_decide(context: Context, batch_id: int) -> Outcome:
    """Claim an unknown batch, ask the gateway about it by our ids, and record what became of it."""
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
        answer = ClaimAnswer() if claim.of_another_account else ask_about_claim(context, claim)
    except Postpone as why:
        return _ask_later(context.database, claim, str(why), now=context.now(), wait_s=why.retry_after_s, code=why.code)
    except Refused as why:
        return _cannot_ask(context.database, context, claim, why, now=context.now())
    return _apply_answer(context.database, context, claim, answer, now=context.now())


@in_one_commit
def _apply_answer(
    connection: Connection, context: Context, claim: Claim, answer: ClaimAnswer, *, now: datetime
) -> Outcome:
    """Apply an answer: messages at the gateway are accepted, never seen ones are ready again, others stay unknown.

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
    elif answer.undetermined:
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
    batches.record_attempt(connection, claim, kind="resolve", event=outcome, now=now)
    return outcome


def _never_arrived(
    connection: Connection, context: Context, claim: Claim, missing: Sequence[int], *, now: datetime
) -> Outcome:
    """Release the messages that the gateway never saw, under the same ids; of a cancelled campaign, none."""
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
    """Ask again later: the gateway has messages under our ids that it does not list for our numbers."""
    held = batches.mark_unknown(connection, claim, due_at=due_at, trouble=batches.IDS_IN_DOUBT)
    log.warning("localid ownership found unclear", extra={"batch_id": claim.batch_id})
    return Outcome.IDS_IN_DOUBT if held else Outcome.FENCED


def _give_up(
    connection: Connection, context: Context, claim: Claim, missing: Sequence[int], *, now: datetime
) -> Outcome:
    """Mark messages uncertain whose ids the gateway no longer knows: a person has to decide."""
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
    batches.record_attempt(connection, claim, kind="resolve", event=Outcome.PUT_OFF, now=now, code=code)
    return Outcome.PUT_OFF


@in_one_commit
def _cannot_ask(connection: Connection, context: Context, claim: Claim, why: Refused, *, now: datetime) -> Outcome:
    """Record that the gateway refuses the query: the batch stays unknown, and the account's trouble is recorded."""
    installation.hold_if_blocked(connection, why, now=now)
    log.error("localid query refused", extra={"batch_id": claim.batch_id, "code": why.code})
    wait_s = context.policy.hold_recheck.total_seconds()
    return _ask_later(connection, claim, f"code {why.code}", now=now, wait_s=wait_s, code=why.code)
