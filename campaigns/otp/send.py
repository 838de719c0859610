"""Send one one-time password: claim, call, write down. Every ending is in sight, and none leads to a second request.

It waits again only where nothing has left us, or the gateway itself asked for fewer calls. A request without a clear
answer, and a claim whose worker died, are unknown, and stay so.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import Connection

from campaigns.errors import AccountBlocked, OutcomeUnknown, Postpone, Refused
from campaigns.house import House
from campaigns.kavenegar.codes import NO_LONGER_KNOWN, standing
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.messages import SentMessage
from campaigns.otp.looking import next_look
from campaigns.otp.ordering import advised
from campaigns.rules.states import OtpState
from campaigns.rules.tokens import Order, Secret
from campaigns.store import installation, otp_due, otps
from campaigns.store.otps import Otp, OtpClaim

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What came of one ring: Flower shows it."""

    NOT_DUE = "not due"
    PUT_OFF = "put off"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    ACCOUNT_HELD = "account on hold"
    FENCED = "another worker decided"


def send(house: House, wish: Order) -> Otp:
    """Order it, send it in this thread, and tell how it stands; under a key that was used before, only tell.

    Without a key it gets one: a commit that is tried anew must not order it twice.

    Raises: KeyConflict; OutcomeUnknown where it left and no usable answer came, now or when the key was used first.
    """
    keyed = wish if wish.key is not None else replace(wish, key=Secret(f"straight:{uuid4()}"))
    otp_id, new = house.database(otps.order, keyed, now=house.now())
    if new:
        run(house, otp_id)
    found = house.database(otps.read, otp_id)
    if found.state is OtpState.UNKNOWN:
        raise OutcomeUnknown(
            f"one-time password {otp_id} left and no usable answer came: it may have arrived, or not. It is not sent "
            "again by itself; if nobody enters it, order a new one under another key"
        )
    return advised(found)


def run(house: House, otp_id: int) -> Outcome:
    """Send one that is due. Ringing twice is harmless: the claim decides."""
    vain = _admitted(house, otp_id)
    if vain is not None:
        return vain
    claim = house.database(otps.claim, otp_id, owner=uuid4(), now=house.now(), lease=house.policy.lease)
    if claim is None:
        return Outcome.NOT_DUE
    try:
        answered = _lookup(house, claim)  # no transaction is open here
    except Postpone as why:
        return house.database(_put_off, claim, why, now=house.now())
    except OutcomeUnknown:
        return house.database(_doubt, claim, now=house.now())
    except Refused as why:
        return house.database(_refused, claim, why, now=house.now())
    return house.database(_accepted, house, claim, answered, now=house.now())


def _admitted(house: House, otp_id: int) -> Outcome | None:
    """Take a slot of the pace before anything is claimed; None once it is had. A ring that comes twice takes none."""
    if not house.database(otps.waits, otp_id, now=house.now()):
        return Outcome.NOT_DUE
    try:
        house.gateway.admit(Lane.OTP)
    except Postpone as why:
        now = house.now()
        house.database(otps.postpone, otp_id, due_at=now + timedelta(seconds=why.retry_after_s), now=now)
        return Outcome.PUT_OFF
    return None


def _lookup(house: House, claim: OtpClaim) -> SentMessage:
    def in_time() -> bool:
        """Whether a request that leaves now is worth something, and over before its lease is."""
        now = house.now()
        return now < claim.expires_at and now + house.policy.deadline <= claim.lease_ends

    return house.gateway.lookup(
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


def _accepted(connection: Connection, house: House, claim: OtpClaim, row: SentMessage, *, now: datetime) -> Outcome:
    """The gateway has it. With a verdict in the same breath (blocked, or debug mode), a call may follow at once."""
    state = OtpState(standing(row.status).value)
    held = otps.accept(
        connection,
        claim,
        state=state,
        gateway_id=row.messageid,
        status=None if row.status == NO_LONGER_KNOWN else row.status,
        cost_rial=row.cost,
        poll_at=_poll_at(house, claim, now) if state is OtpState.ACCEPTED else None,
        now=now,
    )
    if state is not OtpState.ACCEPTED:
        otp_due.call_instead(connection, [claim.otp_id], now=now)
    log.info("one-time password accepted", extra={"otp_id": claim.otp_id, "state": state.value})
    return Outcome.ACCEPTED if held else Outcome.FENCED


def _poll_at(house: House, claim: OtpClaim, now: datetime) -> datetime:
    return next_look(house, sent_at=claim.sent_at, now=now, call_at=claim.call_at, expires_at=claim.expires_at)


def _put_off(connection: Connection, claim: OtpClaim, why: Postpone, *, now: datetime) -> Outcome:
    """Nothing left us, or the gateway wants fewer calls: it waits, and expires where that is too late."""
    held = otps.release(connection, claim, due_at=now + timedelta(seconds=why.retry_after_s), now=now)
    log.info("one-time password postponed", extra={"otp_id": claim.otp_id, "code": why.code})
    return Outcome.PUT_OFF if held else Outcome.FENCED


def _doubt(connection: Connection, claim: OtpClaim, *, now: datetime) -> Outcome:
    """It may have arrived. There is nobody to ask, so this is the last word."""
    held = otps.doubt(connection, claim, now=now)
    log.warning("one-time password outcome unknown", extra={"otp_id": claim.otp_id})
    return Outcome.UNKNOWN if held else Outcome.FENCED


def _refused(connection: Connection, claim: OtpClaim, why: Refused, *, now: datetime) -> Outcome:
    """What is wrong with the account stops everybody, and this one waits as long as it is worth something."""
    if not isinstance(why, AccountBlocked):
        return _decided(connection, claim, why.code, now=now)
    installation.hold_for(connection, why, now=now)
    held = otps.release(connection, claim, due_at=now, now=now)
    log.error("sending stopped", extra={"otp_id": claim.otp_id, "code": why.code})
    return Outcome.ACCOUNT_HELD if held else Outcome.FENCED


def _decided(connection: Connection, claim: OtpClaim, code: int, *, now: datetime) -> Outcome:
    held = otps.refuse(connection, claim, code=code, now=now)
    log.warning("one-time password refused", extra={"otp_id": claim.otp_id, "code": code})
    return Outcome.REFUSED if held else Outcome.FENCED
