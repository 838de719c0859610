"""Methods that send: SMS, one-time passwords, voice calls; and the record of their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kavenegar_campaigns.kavenegar import call, methods
from kavenegar_campaigns.kavenegar.answers import (
    Row,
    StatusRow,
    extra_values,
    no_extra,
    parse_id,
    parse_int,
    parse_int_or_zero,
    parse_text,
)
from kavenegar_campaigns.kavenegar.call import MethodGroup
from kavenegar_campaigns.kavenegar.transport import InTime
from kavenegar_campaigns.rules.message_options import check_repeat, check_tag, check_type
from kavenegar_campaigns.rules.otp_request import OtpKind, check_kind, check_tokens
from kavenegar_campaigns.rules.pace import Lane


@dataclass(frozen=True, slots=True)
class SentMessage(StatusRow):
    """One row of the sends, verify/lookup, call/maketts and the outbox methods. It holds no localid.

    `date` is unix time, `cost` rial.
    """

    messageid: int
    receptor: str = field(repr=False)
    sender: str
    message: str = field(repr=False)
    status: int
    statustext: str
    date: int
    cost: int
    extra: Mapping[str, Any] = field(default_factory=no_extra, repr=False, compare=False)

    @classmethod
    def from_row(cls, row: Row) -> SentMessage:
        return cls(
            messageid=parse_id(row.get("messageid")),
            receptor=parse_text(row.get("receptor")),
            sender=parse_text(row.get("sender")),
            message=parse_text(row.get("message")),
            status=parse_int(row.get("status")),
            statustext=parse_text(row.get("statustext") or ""),
            date=parse_int_or_zero(row.get("date")),
            cost=parse_int_or_zero(row.get("cost")),
            extra=extra_values(cls, row),
        )


class SendMethods(MethodGroup):
    """Methods that send SMS. They raise `OutcomeUnknown` where a request left and no usable answer came."""

    def send(
        self,
        receptors: Sequence[str],
        message: str,
        *,
        sender: str | None,
        localids: Sequence[int] | None,
        date: int | None = None,
        type: int | None = None,  # noqa: A002  the gateway's own word
        hide: bool = False,
        tag: str | None = None,
        policy: str | None = None,
        lane: Lane = Lane.SEND,
        in_time: InTime | None = None,
    ) -> list[SentMessage]:
        """Send one text to at most 200 receptors. `date` is unix time, None for now; a `tag` must exist in the panel.

        `type` is how a phone shows it (0 to 3, lines beginning with 3000 only); `hide` keeps the receptor out of the
        panel's lists; `policy` names a sending flow of the account's. Rows come in any order and may be fewer: match
        them by (receptor, sender, message). A localid the account has used before brings back the old row and sends
        nothing. Raises: OutcomeUnknown, Postpone, Refused. Source: kavenegar-rest, Send.
        """
        call.check_batch(methods.SEND, receptors, localids)
        call.check_text(message, at_most=self.longest_text)
        if type is not None:
            call.check(check_type, type)
        if tag is not None:
            call.check(check_tag, tag)
        parameters = {
            "receptor": call.comma_list(receptors),
            "message": message,
            "sender": sender,
            "localid": None if localids is None else call.comma_list(localids),
            "date": date,
            "type": type,
            "hide": 1 if hide else None,
            "tag": tag,
            "policy": policy,
        }
        request = call.build_call(methods.SEND, parameters, call.at_least_one_row(SentMessage.from_row))
        return self.perform(request, lane=lane, in_time=in_time)

    def sendarray(
        self,
        receptors: Sequence[str],
        messages: Sequence[str],
        senders: Sequence[str],
        localids: Sequence[int] | None,
        *,
        date: int | None = None,
        types: Sequence[int] | None = None,
        hide: bool = False,
        tag: str | None = None,
        policy: str | None = None,
        lane: Lane = Lane.SEND,
        in_time: InTime | None = None,
    ) -> list[SentMessage]:
        """Send each of at most 200 receptors its own text from its own sender. Other arguments are as in `send`.

        Raises: ValueError, OutcomeUnknown, Postpone, Refused. Source: kavenegar-rest, SendArray.
        """
        if not len(receptors) == len(messages) == len(senders) == len(receptors if types is None else types):
            raise ValueError("receptors, messages, senders and types differ in length")
        call.check_batch(methods.SENDARRAY, receptors, localids)
        for message in messages:
            call.check_text(message, at_most=self.longest_text)
        for each in types or []:
            call.check(check_type, each)
        if tag is not None:
            call.check(check_tag, tag)
        parameters = {
            "receptor": call.json_array(receptors),
            "message": call.json_array(messages),
            "sender": call.json_array(senders),
            "localmessageids": None if localids is None else call.json_array(localids),
            "date": date,
            "type": None if types is None else call.json_array(types),
            "hide": 1 if hide else None,
            "tag": tag,
            "policy": policy,
        }
        request = call.build_call(methods.SENDARRAY, parameters, call.at_least_one_row(SentMessage.from_row))
        return self.perform(request, lane=lane, in_time=in_time)


# ── one-time passwords ──


class OtpMethods(MethodGroup):
    """Methods for one-time passwords. Without a localid, the gateway cannot recognise a repeated send."""

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
        """Send a code to one receptor, in a template approved in the panel; the gateway chooses the sender.

        `rules.otp_request` says which tokens are valid. `type` is "sms" or "call"; a call needs a `token` of digits
        only (428). A landline is always called. A number outside Iran begins with 00 and the country.
        Raises: ValueError, Postpone, Refused; OutcomeUnknown where no usable answer came: the code may have arrived.
        Source: kavenegar-rest, Lookup.
        """
        tokens = {"token": token, "token2": token2, "token3": token3, "token10": token10, "token20": token20}
        call.check_single("receptor", receptor)
        call.check_single("template", template)
        call.check(check_kind, type)
        call.check(check_tokens, tokens)
        if type == OtpKind.CALL and not token.isdecimal():
            raise ValueError("a call takes a token of digits only")
        if tag is not None:
            call.check(check_tag, tag)
        parameters = {"receptor": receptor, "template": template, **tokens, "type": type, "tag": tag}
        request = call.build_call(methods.LOOKUP, parameters, call.first_row(SentMessage.from_row))
        return self.perform(request, lane=lane, in_time=in_time)


# ── voice campaigns ──


class VoiceMethods(MethodGroup):
    """Methods for voice calls. A call is a message: localids, statuses and refunds work as for an SMS."""

    def maketts(
        self,
        receptors: Sequence[str],
        message: str,
        *,
        localids: Sequence[int] | None,
        date: int | None = None,
        repeat: int | None = None,
        tag: str | None = None,
        lane: Lane = Lane.SEND,
        in_time: InTime | None = None,
    ) -> list[SentMessage]:
        """Call at most 200 receptors and read a text out. Other arguments are as in `send`.

        `repeat`: further tries, 0 to 5, three minutes apart; the gateway says that it ignores the value for now.
        Raises: OutcomeUnknown, Postpone, Refused. Source: kavenegar-rest, TTS.
        """
        call.check_batch(methods.MAKETTS, receptors, localids)
        call.check_text(message, at_most=self.longest_text)
        call.check(check_repeat, repeat)
        if tag is not None:
            call.check(check_tag, tag)
        parameters = {
            "receptor": call.comma_list(receptors),
            "message": message,
            "localid": None if localids is None else call.comma_list(localids),
            "date": date,
            "repeat": repeat,
            "tag": tag,
        }
        request = call.build_call(methods.MAKETTS, parameters, call.at_least_one_row(SentMessage.from_row))
        return self.perform(request, lane=lane, in_time=in_time)
