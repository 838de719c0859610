"""Send a one-time password from a web process, now, in the thread that asks.

    from worker import otp

    sent = otp.send(number="09121234567", template="login", token="481516", key=f"login:{attempt.id}")

The process finds DATABASE_URL, BROKER_URL (the pace is kept there) and KAVENEGAR_API_KEY in its environment, as the
workers do. A person waits for the answer: an HTTP_DEADLINE of a few seconds suits such a process. Whoever wants no call
to the gateway in a web process orders with `campaigns.order_otp` and rings for a worker.
"""

from __future__ import annotations

from datetime import timedelta

import campaigns
from campaigns.api import work
from campaigns.rules.otp_request import parse_otp_request
from worker import wiring


def send(
    *,
    number: str,
    template: str,
    token: str,
    token2: str | None = None,
    token3: str | None = None,
    token10: str | None = None,
    token20: str | None = None,
    key: str | None = None,
    tag: str | None = None,
    kind: str = campaigns.OtpKind.SMS,
    call_after: timedelta | None = None,
    lifetime: timedelta = timedelta(minutes=2),
) -> campaigns.Otp:
    """Order, commit, send; how it stands then. What may be ordered, and `call_after`: see `campaigns.order_otp`.

    `accepted` has the gateway's id and the cost, `refused` the code and its advice. `waiting`: the pace had no room,
    the gateway could not be reached, or the account is on hold; the workers send it as soon as they may, until it is
    `expired`. A verdict may be there already (in the account's debug mode: `cancelled`).

    The same key again sends nothing and gives the same row, which another thread may just be sending (`claimed`).

    Raises:
        BadInput, KeyConflict: nothing was ordered; never holds a token or a full number.
        OutcomeUnknown: it left and no usable answer came, now or when this key was used first. It may have arrived, and
            is not sent again by itself.
    """
    tokens = {"token": token, "token2": token2, "token3": token3, "token10": token10, "token20": token20}
    otp_request = parse_otp_request(
        kind, number, template, tokens, key=key, tag=tag, call_after=call_after, lifetime=lifetime
    )
    return work.send_at_once(wiring.context(), otp_request)
