"""Voice campaigns."""

from __future__ import annotations

from collections.abc import Sequence

from campaigns.kavenegar import call, form, limits, methods
from campaigns.kavenegar.call import Calls
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.messages import SentMessage
from campaigns.kavenegar.transport import InTime


class VoiceCalls(Calls):
    """A call is a message like any other: localids, statuses and refunds work the same."""

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
        """Call at most 200 receptors and read a text out; the rest as in `send`.

        `repeat` is how often to try again, three minutes apart, 0 to 5; the gateway says that it ignores it for now.
        Source: kavenegar-rest, TTS.
        """
        limits.batch(methods.MAKETTS, receptors, localids)
        limits.text(message, at_most=self.longest_text)
        limits.repeat(repeat)
        limits.tag(tag)
        parameters = {
            "receptor": form.comma_list(receptors),
            "message": message,
            "localid": None if localids is None else form.comma_list(localids),
            "date": date,
            "repeat": repeat,
            "tag": tag,
        }
        request = call.of(methods.MAKETTS, parameters, call.some(SentMessage.read))
        return self.perform(request, lane=lane, in_time=in_time)
