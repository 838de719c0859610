"""Status and cancelling: the methods."""

from __future__ import annotations

from collections.abc import Sequence

from campaigns.kavenegar import call, form, limits, methods
from campaigns.kavenegar.call import Calls, Parameters
from campaigns.kavenegar.methods import Method
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.messages import Cancelled, LocalStatus, MessageStatus, ReceptorStatus, SentMessage


class FollowingCalls(Calls):
    """No row for an id, or no rows at all, says that nothing is known; it is no verdict."""

    def status(self, messageids: Sequence[int], *, lane: Lane = Lane.POLL) -> list[MessageStatus]:
        """Of at most 500 messages, within 48 hours of sending. Source: kavenegar-rest, Status."""
        request = call.of(methods.STATUS, _ids(methods.STATUS, "messageid", messageids), call.rows(MessageStatus.read))
        return self.perform(request, lane=lane)

    def statuslocalmessageid(self, localids: Sequence[int], *, lane: Lane = Lane.POLL) -> list[LocalStatus]:
        """Of at most 500 of our own ids, within 12 hours of sending. Source: kavenegar-rest, StatusByLocalid."""
        method = methods.STATUSLOCALMESSAGEID
        request = call.of(method, _ids(method, "localid", localids), call.rows(LocalStatus.read))
        return self.perform(request, lane=lane)

    def statusbyreceptor(
        self, receptor: str, start: int, end: int | None = None, *, lane: Lane = Lane.HOUSEKEEPING
    ) -> list[ReceptorStatus]:
        """Of all that went to one number in a span of unix times: a day at most, which it is without an end.

        Not to be found here proves nothing: messages of verify/lookup were missing on the real service.
        Source: kavenegar-rest, StatusByReceptor.
        """
        method = methods.STATUSBYRECEPTOR
        limits.single("receptor", receptor)
        limits.span(method, start, end, now=self.clock())
        parameters: Parameters = {"receptor": receptor, "startdate": start, "enddate": end}
        return self.perform(call.of(method, parameters, call.rows(ReceptorStatus.read)), lane=lane)

    def select(self, messageids: Sequence[int], *, lane: Lane = Lane.POLL) -> list[SentMessage]:
        """At most 500 whole messages; 407 unless our IP address is registered. Source: kavenegar-rest, Select."""
        request = call.of(methods.SELECT, _ids(methods.SELECT, "messageid", messageids), call.rows(SentMessage.read))
        return self.perform(request, lane=lane)

    def cancel(self, messageids: Sequence[int], *, lane: Lane = Lane.SEND) -> list[Cancelled]:
        """Take back at most 200 scheduled messages. May be repeated freely. Source: kavenegar-rest, Cancel."""
        request = call.of(methods.CANCEL, _ids(methods.CANCEL, "messageid", messageids), call.rows(Cancelled.read))
        return self.perform(request, lane=lane)


def _ids(method: Method, name: str, ids: Sequence[int]) -> Parameters:
    method.check_size(len(ids))
    return {name: form.comma_list(ids)}
