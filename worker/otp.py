"""Send a one-time password from a web process at once, in the calling thread.

    from kavenegar_worker import otp

    sent = otp.send(number="09121234567", template="login", token="481516", key=f"login:{attempt.id}")

The process finds DATABASE_URL, CAMPAIGNS_BROKER_URL (the pace is kept there) and KAVENEGAR_API_KEY in its environment,
as the workers do; without them it raises BadInput, and never starts servers of its own. A person waits for the answer:
an HTTP_DEADLINE of a few seconds suits such a process. To make no call to the gateway in a web process, order with
`campaigns.order_otp`: a worker sends it within a second or two.
"""

from __future__ import annotations

from datetime import timedelta

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.api.boundary import public
from kavenegar_campaigns.extras import missing
from kavenegar_campaigns.rules.otp_request import parse_otp_request

try:
    from kavenegar_campaigns.api import work
    from kavenegar_worker import wiring
except ModuleNotFoundError as why:
    raise ModuleNotFoundError(missing("worker", "kavenegar_worker.otp") or str(why), name=why.name) from why


@public
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
    """Order a one-time password, commit, and send it. Returns its row. For the arguments see `campaigns.order_otp`.

    An `accepted` row has the gateway's id and the cost, a `refused` row the code and its advice. `waiting`: the pace
    had no room, the gateway could not be reached, or the account is on hold; the workers send it as soon as they may,
    until it is `expired`. The row may have a verdict already (in the account's debug mode: `cancelled`).

    A second call with one key sends nothing and returns the first call's row, which another thread may be sending just
    then (`claimed`).

    Raises:
        BadInput, KeyConflict: nothing was ordered. The error never holds a token or a full number.
        DatabaseFailed: the database stayed away, or refused; with a key, ask `campaigns.otp_state` what came of it.
        OutcomeUnknown: the request left and no usable answer came, in this call or in the first call with this key.
            The password may have arrived, and is not sent again by itself.
    """
    tokens = {"token": token, "token2": token2, "token3": token3, "token10": token10, "token20": token20}
    otp_request = parse_otp_request(
        kind, number, template, tokens, key=key, tag=tag, call_after=call_after, lifetime=lifetime
    )
    del number, token, token2, token3, token10, token20, tokens, key  # what shows the stack of a log shows no variables
    return work.send_at_once(wiring.context(), otp_request)
