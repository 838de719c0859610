"""One-time passwords for tests: ordered as a web app orders them, and looked at from outside."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.rules.otp_request import OtpRequest
from kavenegar_campaigns.rules.otp_request import parse_otp_request as checked
from tests.world import Sandbox

CODE = "481516"
NUMBER = "09121234567"


def ordered(engine: Engine, **options: Any) -> int:
    """One that waits to be sent."""
    with engine.begin() as connection:
        return campaigns.order_otp(
            connection, **{"number": NUMBER, "template": "verify", "token": CODE, "key": "login-1", **options}
        )


def state_of(engine: Engine, otp_id: int) -> campaigns.Otp:
    with engine.connect() as connection:
        return campaigns.otp_state(connection, otp_id)


def tokens_kept(engine: Engine) -> int:
    """How many rows still hold tokens."""
    with engine.connect() as connection:
        found: int = connection.execute(text("SELECT count(tokens) FROM sms.otps")).scalar_one()
        return found


def otp_request(**options: object) -> OtpRequest:
    """What the straight door is asked for."""
    given = {"kind": "sms", "number": NUMBER, "template": "verify", "tokens": {"token": CODE}, "key": None, "tag": None}
    return checked(**{**given, "call_after": None, "lifetime": timedelta(minutes=2), **options})  # type: ignore[arg-type]


def sent(sandbox: Sandbox) -> int:
    """How many messages the gateway really sent."""
    return int(sandbox.summary()["messages"])
