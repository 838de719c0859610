"""Order one-time passwords and read how they stand."""

from __future__ import annotations

from datetime import timedelta

from kavenegar_campaigns.api import Bind, reading_connection, writing_connection
from kavenegar_campaigns.api.boundary import public
from kavenegar_campaigns.rules.arguments import checked
from kavenegar_campaigns.rules.otp_request import OtpKind, parse_otp_request
from kavenegar_campaigns.stages import otp
from kavenegar_campaigns.store import database_now
from kavenegar_campaigns.store.otps import Otp

__all__ = ["Otp", "order_otp", "otp_state"]


@public
@checked
def order_otp(
    bind: Bind,
    *,
    number: str,
    template: str,
    token: str,
    token2: str | None = None,
    token3: str | None = None,
    token10: str | None = None,
    token20: str | None = None,
    key: str,
    tag: str | None = None,
    kind: str = OtpKind.SMS,
    call_after: timedelta | None = None,
    lifetime: timedelta = timedelta(minutes=2),
) -> int:
    """Order a one-time password and return its id. After your commit the workers find it, and send it within a second
    or two. No task is sent for it. `kavenegar_worker.otp.send` takes milliseconds.

    `number` is a mobile one, a landline with its area code (that is called), or one abroad
    with 00 and its country's code. `template` and `tag` exist in the panel. A token has at most 100 characters, no
    space (`token10` five, `token20` eight), no line break, underscore or separator; for a call all are digits.

    The same `key` is the same password: ordered again, also at the same moment, it gives the same id, and nothing is
    sent twice. Tokens are not compared, because they are erased as soon as they are not needed: use one key a code.

    With `call_after`, an SMS that was not delivered by then, or surely will not be, is followed by one call with the
    same tokens. An SMS whose outcome is unknown is not followed: `otp_state` says so, and you decide. A password that
    could not leave within its `lifetime` is not sent any more.

    Raises: BadInput, which never holds a token; KeyConflict when `key` was used for another number, template or kind.
    """
    tokens = {"token": token, "token2": token2, "token3": token3, "token10": token10, "token20": token20}
    otp_request = parse_otp_request(
        kind, number, template, tokens, key=key, tag=tag, call_after=call_after, lifetime=lifetime
    )
    with writing_connection(bind) as connection:
        return otp.order_otp(connection, otp_request, now=database_now(connection))


@public
@checked
def otp_state(bind: Bind, otp_id: int | None = None, *, key: str | None = None) -> Otp:
    """Read how a one-time password stands, by its id or by its key; cheap enough for every second.

    Raises: NotFound; BadInput when neither or both are given.
    """
    with reading_connection(bind) as connection:
        return otp.otp_state(connection, otp_id, key=key)
