"""One-time passwords: ordered in the caller's transaction, sent once, and followed by a call if requested.

The gateway takes no localid for them, so nobody can find out later what became of a request without an answer. Such a
one is unknown for good: it is never sent again by itself, and whoever ordered it is told.

    ordering  ordered in the caller's transaction, and how it stands
    send      one that is due: claim, call, write down
    follow    verdicts, and the calls that follow some of them
    looking   when one is asked about

The parts are imported one by one: whoever only orders needs no gateway.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.kavenegar import codes
from kavenegar_campaigns.rules.otp_request import OtpRequest
from kavenegar_campaigns.store import otps
from kavenegar_campaigns.store.otps import Otp

# ── ordered in the caller's transaction ──


def order_otp(connection: Connection, otp_request: OtpRequest, *, now: datetime) -> int:
    """Order a one-time password. Returns its id, under the same key always the same. Raises: KeyConflict."""
    return otps.create(connection, otp_request, now=now)[0]


def otp_state(connection: Connection, otp_id: int | None = None, *, key: str | None = None) -> Otp:
    """Read the state of a one-time password, by its id or its key. Raises: NotFound, BadInput unless one is given."""
    if (otp_id is None) == (key is None):
        raise BadInput("name a one-time password by its id or by its key, and not by both")
    return with_advice(otps.read(connection, otp_id) if otp_id is not None else otps.find_by_key(connection, key or ""))


def with_advice(otp: Otp) -> Otp:
    """Return the one-time password with the advice for the gateway's code."""
    return otp if otp.refused_code is None else replace(otp, advice=codes.return_code(otp.refused_code).advice)
