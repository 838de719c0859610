"""Send a one-time password: claim, call, record. Every ending is in sight, and none leads to a second request.

It waits again only where nothing has left us, or the gateway itself asked for fewer calls. A request without a clear
answer, and a claim whose worker died, are unknown, and stay so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import OutcomeUnknown, Postpone, Refused
from kavenegar_campaigns.kavenegar.codes import known_status, message_state
from kavenegar_campaigns.kavenegar.sending import SentMessage
from kavenegar_campaigns.kavenegar.sent_messages import MessageStatus
from kavenegar_campaigns.rules.batches import next_poll
from kavenegar_campaigns.rules.otp_request import OtpRequest, Secret
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.rules.states import OtpState
from kavenegar_campaigns.stages.otp import with_advice
from kavenegar_campaigns.store import in_one_commit, installation, otp_due, otps
from kavenegar_campaigns.store.otp_due import OtpFact, OtpPoll
from kavenegar_campaigns.store.otps import Otp, OtpClaim

# ── when to ask: often while a call may follow, as seldom as any message otherwise ──

POLL_AGES_BEFORE_CALL: Final = tuple(timedelta(seconds=age) for age in (5, 10, 20, 40, 80))
"""Ages at which an SMS is asked about beside the usual ones, while a call waits for its verdict."""


def next_otp_poll(
    context: Context, *, sent_at: datetime, now: datetime, call_at: datetime | None, expires_at: datetime
) -> datetime:
    """Return the time of the next poll: not after `call_at`, if a call may follow, nor after the code expires."""
    closes_at = sent_at + context.policy.status_window
    usual = context.next_poll(sent_at, now, closes_at)
    if call_at is None or min(call_at, expires_at) <= now:
        return usual
    return min(next_poll(sent_at, now, ages=POLL_AGES_BEFORE_CALL, closes_at=closes_at), usual, call_at, expires_at)


log = logging.getLogger(__name__)


class OtpOutcome(StrEnum):
    """The outcome of one task, shown in Flower."""

    NOT_DUE = "not due"
    PUT_OFF = "put off"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    ACCOUNT_HELD = "account on hold"
    FENCED = "another worker decided"


def send_at_once(context: Context, otp_request: OtpRequest) -> Otp:
    """Order a one-time password, send it in this thread, and return its state; under a used key, only return it.

    Without a key it gets one: a commit that is tried anew must not order it twice.

    Raises: KeyConflict; OutcomeUnknown where it left and no usable answer came, now or when the key was used first.
    """
    keyed = otp_request if otp_request.key is not None else replace(otp_request, key=Secret(f"straight:{uuid4()}"))
    otp_id, new = otps.create(context.database, keyed, now=context.now(), at_once=True)
    if new:
        send_otp(context, otp_id)
    found = otps.read(context.database, otp_id)
    if found.state is OtpState.UNKNOWN:
        raise OutcomeUnknown(
            f"one-time password {otp_id} left and no usable answer came: it may have arrived, or not. It is not sent "
            "again by itself; if nobody enters it, order a new one under another key"
        )
    return with_advice(found)


def send_otp(context: Context, otp_id: int) -> OtpOutcome:
    """Send a one-time password that is due. Running twice is harmless: the claim decides."""
    early_outcome = _acquire_slot(context, otp_id)
    if early_outcome is not None:
        return early_outcome
    claim = otps.claim(context.database, otp_id, owner=uuid4(), now=context.now(), lease=context.policy.lease)
    if claim is None:
        return OtpOutcome.NOT_DUE
    try:
        answered = _lookup(context, claim)  # no transaction is open here
    except Postpone as why:
        return _postpone(context.database, claim, why, now=context.now())
    except OutcomeUnknown:
        return _mark_unknown(context.database, claim, now=context.now())
    except Refused as why:
        return _refused(context.database, claim, why, now=context.now())
    return _accepted(context.database, context, claim, answered, now=context.now())


def _acquire_slot(context: Context, otp_id: int) -> OtpOutcome | None:
    """Take a slot of the pace before the claim. None: it is taken. A repeated task takes none."""
    if not otps.is_due(context.database, otp_id, now=context.now()):
        return OtpOutcome.NOT_DUE
    try:
        context.gateway.acquire_slot(Lane.OTP)
    except Postpone as why:
        now = context.now()
        otps.postpone(context.database, otp_id, due_at=now + timedelta(seconds=why.retry_after_s), now=now)
        return OtpOutcome.PUT_OFF
    return None


def _lookup(context: Context, claim: OtpClaim) -> SentMessage:
    def in_time() -> bool:
        """Return whether a request that leaves now is worth something, and over before its lease is."""
        now = context.now()
        return now < claim.expires_at and now + context.policy.deadline <= claim.lease_ends

    return context.gateway.lookup(
        claim.number,
        claim.template,
        claim.tokens["token"],
        token2=claim.tokens.get("token2"),
        token3=claim.tokens.get("token3"),
        token10=claim.tokens.get("token10"),
        token20=claim.tokens.get("token20"),
        type=claim.kind.value,
        tag=claim.tag,
        in_time=in_time,
    )


@in_one_commit
def _accepted(
    connection: Connection, context: Context, claim: OtpClaim, row: SentMessage, *, now: datetime
) -> OtpOutcome:
    """Record an accepted one. If the answer has a verdict (blocked, or debug mode), a call may follow at once."""
    state = _state_of(row.status)
    held = otps.accept(
        connection,
        claim,
        state=state,
        gateway_id=row.messageid,
        status=known_status(row.status),
        cost_rial=row.cost,
        poll_at=_poll_at(context, claim, now) if state is OtpState.ACCEPTED else None,
        now=now,
    )
    if state is not OtpState.ACCEPTED:
        otp_due.create_calls(connection, [claim.otp_id], now=now)
    log.info("one-time password accepted", extra={"otp_id": claim.otp_id, "state": state.value})
    return OtpOutcome.ACCEPTED if held else OtpOutcome.FENCED


def _state_of(status: int) -> OtpState:
    return OtpState(message_state(status).value)


def _poll_at(context: Context, claim: OtpClaim, now: datetime) -> datetime:
    return next_otp_poll(context, sent_at=claim.sent_at, now=now, call_at=claim.call_at, expires_at=claim.expires_at)


@in_one_commit
def _postpone(connection: Connection, claim: OtpClaim, why: Postpone, *, now: datetime) -> OtpOutcome:
    """Postpone one that did not leave, or that the gateway throttled; it expires if the wait is too long."""
    held = otps.release(connection, claim, due_at=now + timedelta(seconds=why.retry_after_s), now=now)
    log.info("one-time password postponed", extra={"otp_id": claim.otp_id, "code": why.code})
    return OtpOutcome.PUT_OFF if held else OtpOutcome.FENCED


@in_one_commit
def _mark_unknown(connection: Connection, claim: OtpClaim, *, now: datetime) -> OtpOutcome:
    """Record that it may have arrived. That is final, because the gateway cannot be asked."""
    held = otps.mark_unknown(connection, claim, now=now)
    log.warning("one-time password outcome unknown", extra={"otp_id": claim.otp_id})
    return OtpOutcome.UNKNOWN if held else OtpOutcome.FENCED


@in_one_commit
def _refused(connection: Connection, claim: OtpClaim, why: Refused, *, now: datetime) -> OtpOutcome:
    """Record a refusal; one of the account stops all sending, and this one waits until it expires."""
    if not installation.hold_if_blocked(connection, why, now=now):
        return _decided(connection, claim, why.code, now=now)
    held = otps.release(connection, claim, due_at=now, now=now)
    log.error("sending stopped", extra={"otp_id": claim.otp_id, "code": why.code})
    return OtpOutcome.ACCOUNT_HELD if held else OtpOutcome.FENCED


def _decided(connection: Connection, claim: OtpClaim, code: int, *, now: datetime) -> OtpOutcome:
    held = otps.refuse(connection, claim, code=code, now=now)
    log.warning("one-time password refused", extra={"otp_id": claim.otp_id, "code": code})
    return OtpOutcome.REFUSED if held else OtpOutcome.FENCED


# ── follow: verdicts, and the calls that follow SMS without good news ──


@dataclass(frozen=True, slots=True)
class Followed:
    """The result of one round. `calls` are the ids of the calls to send now."""

    asked: int = 0
    moved: int = 0
    calls: Sequence[int] = ()

    @property
    def summary(self) -> str:
        """Return the text for Flower."""
        return f"asked {self.asked}, moved {self.moved}, calls {len(self.calls)}" if self.asked else "nothing due"


@dataclass(frozen=True, slots=True)
class _Answers:
    """The gateway's answer by its ids; `again_after` if there was none."""

    rows: Mapping[int, MessageStatus]
    again_after: timedelta | None = None


def follow_otps(context: Context) -> Followed:
    """Poll the next 500 that are due. Running twice is harmless: a polled one is due again much later.

    A call that is due by the clock follows also where the gateway could not be asked: nothing good was heard in time.
    """
    asked = otp_due.claim_polls(context.database, now=context.now(), lease=context.policy.lease)
    if not asked:
        return Followed()
    answers = _query_statuses(context, asked)  # no transaction is open here
    return _record_answers(context.database, context, asked, answers, now=context.now())


def _query_statuses(context: Context, asked: Sequence[OtpPoll]) -> _Answers:
    try:
        rows = context.gateway.status([each.gateway_id for each in asked], lane=Lane.POLL)
    except Postpone as why:
        return _Answers({}, timedelta(seconds=why.retry_after_s))
    except Refused as why:
        log.warning("status query refused", extra={"otps": len(asked), "code": why.code})
        installation.hold_if_blocked(context.database, why, now=context.now())
        return _Answers({}, context.policy.hold_recheck)
    return _Answers({row.messageid: row for row in rows if row.is_known})


@in_one_commit
def _record_answers(
    connection: Connection, context: Context, asked: Sequence[OtpPoll], answers: _Answers, *, now: datetime
) -> Followed:
    moved = otp_due.record_facts(connection, [_fact(context, each, answers, now) for each in asked], now=now)
    calls = otp_due.create_calls(connection, [each.otp_id for each in asked], now=now)
    for otp_id in calls:
        log.info("one-time password call ordered", extra={"otp_id": otp_id})
    return Followed(len(asked), moved, calls)


def _fact(context: Context, asked: OtpPoll, answers: _Answers, now: datetime) -> OtpFact:
    """Return the fact of a row. No row, and status 100, are no fact: the state stays until the window closes."""
    row = answers.rows.get(asked.gateway_id)
    state = OtpState.ACCEPTED if row is None else _state_of(row.status)
    if state is OtpState.ACCEPTED and asked.sent_at + context.policy.status_window <= now:
        state = OtpState.EXPIRED
    poll_at = _follow_at(context, asked, answers, now) if state is OtpState.ACCEPTED else None
    return OtpFact(asked.otp_id, state, None if row is None else row.status, poll_at)


def _follow_at(context: Context, asked: OtpPoll, answers: _Answers, now: datetime) -> datetime:
    usual = next_otp_poll(context, sent_at=asked.sent_at, now=now, call_at=asked.call_at, expires_at=asked.expires_at)
    return usual if answers.again_after is None else min(usual, now + answers.again_after)
