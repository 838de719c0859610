"""What somebody wants sent goes into the database, in the caller's own transaction; and how it stands comes out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from campaigns.errors import BadInput
from campaigns.kavenegar import codes
from campaigns.rules.tokens import Order
from campaigns.store import otps
from campaigns.store.otps import Otp


def order(connection: Connection, wish: Order, *, now: datetime) -> int:
    """The id of the one-time password; under the same key always the same. Raises: KeyConflict."""
    return otps.order(connection, wish, now=now)[0]


def state(connection: Connection, otp_id: int | None = None, *, key: str | None = None) -> Otp:
    """How one stands, by its id or its key: one look at an index. Raises: NotFound."""
    if (otp_id is None) == (key is None):
        raise BadInput("name a one-time password by its id or by its key, and not by both")
    return advised(otps.read(connection, otp_id) if otp_id is not None else otps.by_key(connection, key or ""))


def advised(otp: Otp) -> Otp:
    """The same, with what the gateway's code means."""
    return otp if otp.code is None else replace(otp, advice=codes.meaning(otp.code).advice)
