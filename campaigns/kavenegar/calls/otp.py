"""One-time passwords."""

from __future__ import annotations

from campaigns.kavenegar import call, limits, methods
from campaigns.kavenegar.call import Calls
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.messages import SentMessage
from campaigns.kavenegar.transport import InTime


class OtpCalls(Calls):
    """A send that the gateway cannot recognise when it comes again, because there is no localid."""

    def lookup(
        self,
        receptor: str,
        template: str,
        token: str,
        *,
        token2: str | None = None,
        token3: str | None = None,
        token10: str | None = None,
        token20: str | None = None,
        type: str = "sms",  # noqa: A002  the gateway's own word
        tag: str | None = None,
        lane: Lane = Lane.OTP,
        in_time: InTime | None = None,
    ) -> SentMessage:
        """A code to one receptor, in a template approved in the panel; the gateway chooses the sender.

        Tokens have at most 100 characters; the first three hold no blank, `token10` five and `token20` eight. `type` is
        "sms" or "call", for which `token` is all digits; a land line is called anyway. A number outside Iran begins
        with 00 and the country. Raises `OutcomeUnknown` where it left and no usable answer came: it may have arrived.
        Source: kavenegar-rest, Lookup.
        """
        tokens = {"token": token, "token2": token2, "token3": token3, "token10": token10, "token20": token20}
        limits.single("receptor", receptor)
        limits.single("template", template)
        limits.tokens(tokens, type)
        limits.tag(tag)
        parameters = {"receptor": receptor, "template": template, **tokens, "type": type, "tag": tag}
        request = call.of(methods.LOOKUP, parameters, call.one(SentMessage.read))
        return self.perform(request, lane=lane, in_time=in_time)
