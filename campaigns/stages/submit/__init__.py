"""Send one due batch: claim, call, record. Every ending is in sight. Or resolve one whose outcome is unknown.

A request that left without a clear yes is unknown, whatever the gateway answered: it is asked by our ids before
anything of it may leave again.

resolve    what the gateway refused, or did not answer: asked about by our ids, and decided
ownership  what the gateway says of the messages of a claim, and whose messages they are
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import AnswerUnclear, OutcomeUnknown, Postpone, Refused
from kavenegar_campaigns.kavenegar.codes import OPERATION_FAILED
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.kavenegar.sending import SentMessage
from kavenegar_campaigns.kavenegar.transport import InTime
from kavenegar_campaigns.rules.batches import Matched
from kavenegar_campaigns.rules.message_options import CampaignKind
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.rules.states import BatchState
from kavenegar_campaigns.stages.answers import fact_of_status, match_rows, record_facts
from kavenegar_campaigns.stages.submit import resolve
from kavenegar_campaigns.stages.submit.ownership import Outcome, ask_about_claim, handle_id_collision
from kavenegar_campaigns.store import batches, campaigns, in_one_commit, outcomes
from kavenegar_campaigns.store.records import Claim

__all__ = ["Outcome", "resolve_batch", "send_batch"]

log = logging.getLogger(__name__)

MAX_OPERATION_FAILED = 4
"""A batch that the gateway fails (402) this often without saying why pauses its campaign: somebody has to look."""


def send_batch(context: Context, batch_id: int) -> Outcome:
    """Send one due batch. Running twice is harmless: the claim decides."""
    early_outcome = acquire_batch_slot(context, batch_id, BatchState.READY)
    if early_outcome is not None:
        return early_outcome
    claim = batches.claim_ready(
        context.database,
        batch_id,
        account=context.account,
        call_id=uuid4(),
        now=context.now(),
        lease=context.policy.lease,
    )
    if claim is None:
        return Outcome.NOT_DUE
    try:
        answered = _request(context, claim)  # no transaction is open here
    except Postpone as why:
        return _postpone(context.database, claim, why, now=context.now())
    except OutcomeUnknown as why:
        return _handle_unclear(context.database, context, claim, why, now=context.now())
    except Refused as why:
        return _handle_refusal(context, claim, why)
    return _accept_answer(context.database, context, claim, match_rows(claim, answered), now=context.now())


def resolve_batch(context: Context, batch_id: int) -> Outcome:
    """Resolve an unknown batch. Running twice is harmless: the claim decides."""
    early_outcome = acquire_batch_slot(context, batch_id, BatchState.UNKNOWN)
    return resolve.ask_and_decide(context, batch_id) if early_outcome is None else early_outcome


def acquire_batch_slot(context: Context, batch_id: int, state: BatchState) -> Outcome | None:
    """Take a slot of the pace before the claim. None: it is taken.

    A task that comes late or twice takes none. A long wait goes back to the database: the batch is due again then.
    """
    if not batches.is_due(context.database, batch_id, state, now=context.now()):
        return Outcome.NOT_DUE
    try:
        context.gateway.acquire_slot(Lane.SEND)
    except Postpone as why:
        batches.postpone(context.database, batch_id, due_at=context.now() + timedelta(seconds=why.retry_after_s))
        return Outcome.PUT_OFF
    return None


def _request(context: Context, claim: Claim) -> Sequence[SentMessage]:
    def in_time() -> bool:
        """Return whether a request that leaves now is over before its lease is.

        Nobody else asks, or sends, before that.
        """
        return context.now() + context.policy.deadline <= claim.lease_ends

    return request_send(context.gateway, claim, in_time=in_time)


@in_one_commit
def _accept_answer(
    connection: Connection, context: Context, claim: Claim, answer: Matched[SentMessage], *, now: datetime
) -> Outcome:
    """Record the accepted messages. A message that the answer omits is unknown, never failed."""
    facts = [
        fact_of_status(message.id, row.messageid, row.status, row.cost)
        for message in claim.messages
        if (row := answer.rows.get(message.number)) is not None
    ]
    foreign = len({row.messageid for row in answer.foreign})
    record_facts(connection, context, claim, facts, now=now)
    if len(facts) + foreign < len(claim.messages):
        trouble = batches.IDS_IN_DOUBT if foreign else "rows missing from the answer"
        return _mark_unknown(connection, claim, trouble, due_at=now + context.policy.unknown_grace, now=now)
    if not foreign:
        outcome = Outcome.ACCEPTED
    elif batches.owns_lease(connection, claim):
        log.error("localid collision found", extra={"batch_id": claim.batch_id, "messages": foreign})
        outcome = handle_id_collision(connection, context, claim, facts, foreign, now=now)
    else:
        outcome = Outcome.FENCED
    batches.record_attempt(connection, claim, kind="send", event=outcome, now=now)
    return outcome


def _mark_unknown(
    connection: Connection, claim: Claim, trouble: str, *, due_at: datetime, now: datetime, code: int | None = None
) -> Outcome:
    """Mark the batch unknown: it may have been accepted, and is resolved at `due_at`."""
    held = batches.mark_unknown(connection, claim, due_at=due_at, trouble=trouble)
    batches.record_attempt(connection, claim, kind="send", event=Outcome.UNKNOWN, now=now, code=code)
    log.warning("batch outcome unknown", extra={"batch_id": claim.batch_id, "trouble": trouble})
    return Outcome.UNKNOWN if held else Outcome.FENCED


@in_one_commit
def _handle_unclear(
    connection: Connection, context: Context, claim: Claim, why: OutcomeUnknown, *, now: datetime
) -> Outcome:
    """Handle a missing or unclear answer: the batch is unknown, and resolved once the gateway has settled."""
    outcome = _mark_unknown(
        connection, claim, str(why), due_at=now + context.policy.unknown_grace, now=now, code=why.code
    )
    if isinstance(why, AnswerUnclear):
        campaigns.pause_for_person(connection, claim.campaign_id, code=why.code, reason=str(why))
        log.error("sending stopped", extra={"batch_id": claim.batch_id, "code": why.code})
    elif why.code == OPERATION_FAILED:
        _hold_if_stubborn(connection, claim)
    return outcome


def _hold_if_stubborn(connection: Connection, claim: Claim) -> None:
    failures = outcomes.count_attempts(connection, claim.batch_id, event=Outcome.UNKNOWN, code=OPERATION_FAILED)
    if failures >= MAX_OPERATION_FAILED:
        reason = (
            f"batch {claim.batch_id} failed {failures} times at the gateway ({OPERATION_FAILED}) without a cause given"
        )
        campaigns.pause_for_person(connection, claim.campaign_id, code=OPERATION_FAILED, reason=reason)


@in_one_commit
def _postpone(connection: Connection, claim: Claim, why: Postpone, *, now: datetime) -> Outcome:
    """Postpone a batch: ready again if nothing left us, unknown if the gateway gave a code.

    It has answered, so there is nothing to wait for but the pace.
    """
    due_at = now + timedelta(seconds=why.retry_after_s)
    decide = batches.release if why.code is None else batches.mark_unknown
    held = decide(connection, claim, due_at=due_at, trouble=type(why).__name__)
    batches.record_attempt(connection, claim, kind="send", event=Outcome.PUT_OFF, now=now, code=why.code)
    return Outcome.PUT_OFF if held else Outcome.FENCED


def _handle_refusal(context: Context, claim: Claim, why: Refused) -> Outcome:
    """Handle a refusal: ask first whether the gateway has taken a part all the same, then decide."""
    try:
        answer = ask_about_claim(context, claim)
    except (Postpone, Refused):
        return resolve.record_unconfirmed(context.database, claim, why, now=context.now())
    return resolve.record_refusal(context.database, context, claim, why, answer, now=context.now())


# ── one claim is one request: sms/send for one text, sms/sendarray for many, call/maketts for calls ──


def request_send(gateway: PacedClient, claim: Claim, *, in_time: InTime) -> Sequence[SentMessage]:
    """Send the messages of a claim. Raises: OutcomeUnknown, Postpone, Refused."""
    if claim.options.kind is CampaignKind.VOICE:
        return _call(gateway, claim, in_time)
    return _send_texts(gateway, claim, in_time) if claim.personal else _send_one_text(gateway, claim, in_time)


def _send_one_text(gateway: PacedClient, claim: Claim, in_time: InTime) -> Sequence[SentMessage]:
    options = claim.options
    return gateway.send(
        _numbers(claim),
        claim.messages[0].text,
        sender=claim.sender,
        localids=_localids(claim),
        date=_date(claim),
        type=options.message_type,
        hide=options.hide,
        tag=options.tag,
        policy=options.policy,
        in_time=in_time,
    )


def _send_texts(gateway: PacedClient, claim: Claim, in_time: InTime) -> Sequence[SentMessage]:
    options, count = claim.options, len(claim.messages)
    return gateway.sendarray(
        _numbers(claim),
        [message.text for message in claim.messages],
        [claim.sender] * count,
        _localids(claim),
        date=_date(claim),
        types=None if options.message_type is None else [options.message_type] * count,
        hide=options.hide,
        tag=options.tag,
        policy=options.policy,
        in_time=in_time,
    )


def _call(gateway: PacedClient, claim: Claim, in_time: InTime) -> Sequence[SentMessage]:
    (text,) = {message.text for message in claim.messages}  # that is how it was cut: nobody hears another's text
    return gateway.maketts(
        _numbers(claim),
        text,
        localids=_localids(claim),
        date=_date(claim),
        repeat=claim.options.repeat,
        tag=claim.options.tag,
        in_time=in_time,
    )


def _numbers(claim: Claim) -> list[str]:
    return [message.number for message in claim.messages]


def _localids(claim: Claim) -> list[int]:
    return [message.id for message in claim.messages]


def _date(claim: Claim) -> int | None:
    """Return the date at which the gateway sends it, in unix time; None for now."""
    return None if claim.send_at is None else int(claim.send_at.timestamp())
