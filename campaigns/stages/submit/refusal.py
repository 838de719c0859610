"""The gateway said no: the guilty stand alone in the end, and the others leave.

The documentation does not say that a refused request has done nothing, so by the time a refusal is written down the
gateway has been asked by our ids: what it has is accepted, and only what it never saw is halved, refused or released.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from campaigns.context import Context
from campaigns.errors import AccountBlocked, RecipientRefused, Refused, TextRefused
from campaigns.kavenegar.codes import DATE_REFUSED, TOO_LARGE_CODES
from campaigns.rules.states import MessageState
from campaigns.rules.windows import may_resend
from campaigns.stages.submit.answers import ClaimAnswer, Outcome, record_facts
from campaigns.store import batches, campaigns, gate, in_one_commit, installation, outcomes
from campaigns.store.records import Claim, Fact

log = logging.getLogger(__name__)


@in_one_commit
def record_refusal(
    connection: Connection, context: Context, claim: Claim, why: Refused, answer: ClaimAnswer, *, now: datetime
) -> Outcome:
    """Write down a refusal by its kind, for the messages that the gateway never saw, as it answered when it was asked.

    Where it did not answer for every message, nothing is halved or refused: they stay unknown.
    """
    record_facts(connection, context, claim, answer.facts, now=now)
    found = {fact.message_id for fact in answer.facts}
    rest = [message for message in claim.messages if message.id not in found]
    if found:
        fields = {"batch_id": claim.batch_id, "code": why.code, "messages": len(found)}
        log.warning("refused batch found partly accepted", extra=fields)
    if not rest:
        outcomes.record_attempt(connection, claim, kind="send", event=Outcome.ACCEPTED, now=now, code=why.code)
        return Outcome.ACCEPTED
    proven = may_resend(claim.first_sent_at, now, window=context.policy.localid_window)
    if not proven or not {message.id for message in rest} <= answer.unseen:
        return record_unconfirmed(connection, claim, why, now=now)
    return _decide(connection, context, replace(claim, messages=rest), why, now=now)


@in_one_commit
def record_unconfirmed(connection: Connection, claim: Claim, why: Refused, *, now: datetime) -> Outcome:
    """It was refused, and nobody could say yet whether a part was taken: unknown, and whatever must stop stops.

    It was answered, so it can be asked about at once.
    """
    outcome = _outcome(claim, why) if batches.owns_lease(connection, claim) else Outcome.FENCED
    batches.mark_unknown(connection, claim, due_at=now, trouble=f"code {why.code}")
    outcomes.record_attempt(connection, claim, kind="send", event=Outcome.UNKNOWN, now=now, code=why.code)
    if outcome in (Outcome.ACCOUNT_HELD, Outcome.CAMPAIGN_PAUSED):
        _stop(connection, claim, why, outcome, now=now)
        return outcome
    return Outcome.FENCED if outcome is Outcome.FENCED else Outcome.UNKNOWN


def _decide(connection: Connection, context: Context, claim: Claim, why: Refused, *, now: datetime) -> Outcome:
    outcome = _outcome(claim, why) if batches.owns_lease(connection, claim) else Outcome.FENCED
    if outcome is Outcome.REFUSED and not gate.may_end(connection):
        outcome = Outcome.FENCED  # the database was restored: whoever asks about everything decides
    outcomes.record_attempt(connection, claim, kind="send", event=outcome, now=now, code=why.code)
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
    """The gateway does not hold it until its date: we do, and then it leaves without one, which nothing refuses.

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
    """Nothing more leaves until a person, or a look at the account, says go on. The look comes at once."""
    if outcome is Outcome.ACCOUNT_HELD:
        installation.hold_account_for(connection, why, now=now)
    else:
        campaigns.pause_for_person(connection, claim.campaign_id, code=why.code, reason=str(why))
    log.error("sending stopped", extra={"batch_id": claim.batch_id, "code": why.code, "outcome": outcome.value})
