"""SMS campaigns."""

from __future__ import annotations

from collections.abc import Sequence

from campaigns.kavenegar import call, form, limits, methods
from campaigns.kavenegar.call import Calls
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.messages import SentMessage
from campaigns.kavenegar.transport import InTime


class SendingCalls(Calls):
    """Sends. They raise `OutcomeUnknown` where one left and no usable answer came."""

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
        """One text to at most 200 receptors. `date` is unix time, None for now; a `tag` must exist in the panel.

        `type` is how a phone shows it (0 to 3, lines beginning with 3000 only); `hide` keeps the receptor out of the
        panel's lists; `policy` names a sending flow of the account's. Rows come in any order and may be fewer: match
        them by (receptor, sender, message). A localid the account has used before brings back the old row and sends
        nothing. Source: kavenegar-rest, Send.
        """
        limits.batch(methods.SEND, receptors, localids)
        limits.text(message, at_most=self.longest_text)
        limits.display_types([] if type is None else [type])
        limits.tag(tag)
        parameters = {
            "receptor": form.comma_list(receptors),
            "message": message,
            "sender": sender,
            "localid": None if localids is None else form.comma_list(localids),
            "date": date,
            "type": type,
            "hide": 1 if hide else None,
            "tag": tag,
            "policy": policy,
        }
        request = call.of(methods.SEND, parameters, call.some(SentMessage.read))
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
        """To each of at most 200 receptors a text and a sender of its own; the rest as in `send`.

        Source: kavenegar-rest, SendArray.
        """
        if not len(receptors) == len(messages) == len(senders) == len(receptors if types is None else types):
            raise ValueError("receptors, messages, senders and types differ in length")
        limits.batch(methods.SENDARRAY, receptors, localids)
        for message in messages:
            limits.text(message, at_most=self.longest_text)
        limits.display_types(types or [])
        limits.tag(tag)
        parameters = {
            "receptor": form.json_array(receptors),
            "message": form.json_array(messages),
            "sender": form.json_array(senders),
            "localmessageids": None if localids is None else form.json_array(localids),
            "date": date,
            "type": None if types is None else form.json_array(types),
            "hide": 1 if hide else None,
            "tag": tag,
            "policy": policy,
        }
        request = call.of(methods.SENDARRAY, parameters, call.some(SentMessage.read))
        return self.perform(request, lane=lane, in_time=in_time)
