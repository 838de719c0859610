"""What became of one-time passwords: their verdicts, and the calls that follow SMS without good news."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from campaigns.errors import AccountBlocked, Postpone, Refused
from campaigns.house import House
from campaigns.kavenegar.codes import NO_LONGER_KNOWN, standing
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.messages import MessageStatus
from campaigns.otp.looking import next_look
from campaigns.rules.states import OtpState
from campaigns.store import installation, otp_due
from campaigns.store.otp_due import OtpAsked, OtpFact

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Followed:
    """What one round did. `calls` are the ids of the calls that are to leave now."""

    asked: int = 0
    moved: int = 0
    calls: Sequence[int] = ()

    @property
    def summary(self) -> str:
        """What Flower shows."""
        return f"asked {self.asked}, moved {self.moved}, calls {len(self.calls)}" if self.asked else "nothing due"


@dataclass(frozen=True, slots=True)
class _Heard:
    """The gateway's answer by its ids; `again_after` where there was none."""

    rows: Mapping[int, MessageStatus]
    again_after: timedelta | None = None


def follow(house: House) -> Followed:
    """Ask about the next 500 that are due. Ringing twice is harmless: what is asked about is due again much later.

    A call that is due by the clock follows also where the gateway could not be asked: nothing good was heard in time.
    """
    asked = house.database(otp_due.ask, now=house.now(), lease=house.policy.lease)
    if not asked:
        return Followed()
    heard = _heard(house, asked)  # no transaction is open here
    return house.database(_settle, house, asked, heard, now=house.now())


def _heard(house: House, asked: Sequence[OtpAsked]) -> _Heard:
    try:
        rows = house.gateway.status([each.gateway_id for each in asked], lane=Lane.POLL)
    except Postpone as why:
        return _Heard({}, timedelta(seconds=why.retry_after_s))
    except Refused as why:
        log.warning("status query refused", extra={"otps": len(asked), "code": why.code})
        if isinstance(why, AccountBlocked):
            house.database(installation.hold_for, why, now=house.now())
        return _Heard({}, house.policy.hold_recheck)
    return _Heard({row.messageid: row for row in rows if row.status != NO_LONGER_KNOWN})


def _settle(
    connection: Connection, house: House, asked: Sequence[OtpAsked], heard: _Heard, *, now: datetime
) -> Followed:
    moved = otp_due.learn(connection, [_fact(house, each, heard, now) for each in asked], now=now)
    calls = otp_due.call_instead(connection, [each.otp_id for each in asked], now=now)
    for otp_id in calls:
        log.info("one-time password call ordered", extra={"otp_id": otp_id})
    return Followed(len(asked), moved, calls)


def _fact(house: House, asked: OtpAsked, heard: _Heard, now: datetime) -> OtpFact:
    """Without a row, or with status 100, nothing was said: it stands as it stood, until its window closes."""
    row = heard.rows.get(asked.gateway_id)
    state = OtpState.ACCEPTED if row is None else OtpState(standing(row.status).value)
    if state is OtpState.ACCEPTED and asked.sent_at + house.policy.status_window <= now:
        state = OtpState.EXPIRED
    poll_at = _poll_at(house, asked, heard, now) if state is OtpState.ACCEPTED else None
    return OtpFact(asked.otp_id, state, None if row is None else row.status, poll_at)


def _poll_at(house: House, asked: OtpAsked, heard: _Heard, now: datetime) -> datetime:
    usual = next_look(house, sent_at=asked.sent_at, now=now, call_at=asked.call_at, expires_at=asked.expires_at)
    return usual if heard.again_after is None else min(usual, now + heard.again_after)
