"""The outbox of the account, with the messages of every program that uses it: the methods."""

from __future__ import annotations

from campaigns.kavenegar import call, limits, methods
from campaigns.kavenegar.call import Calls
from campaigns.kavenegar.envelope import Envelope
from campaigns.kavenegar.methods import Method
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.messages import OutboxCount, SentMessage
from campaigns.kavenegar.records.reading import readable


class OutboxCalls(Calls):
    """The two that show messages answer 407 unless our IP address is registered.

    Spans are unix times, a day at most, and begin at most three days ago. Without an end they reach till now.
    """

    def selectoutbox(
        self, start: int, end: int | None = None, sender: str | None = None, *, lane: Lane = Lane.HOUSEKEEPING
    ) -> list[SentMessage]:
        """The messages of a span, of all lines or of one. There are no pages: 500 rows may be a part of more.

        Source: kavenegar-rest, SelectOutbox.
        """
        self._check_span(methods.SELECTOUTBOX, start, end)
        parameters = {"startdate": start, "enddate": end, "sender": sender}
        return self.perform(call.of(methods.SELECTOUTBOX, parameters, call.rows(SentMessage.read)), lane=lane)

    def latestoutbox(
        self, pagesize: int = 200, sender: str | None = None, *, lane: Lane = Lane.HOUSEKEEPING
    ) -> list[SentMessage]:
        """The last messages, 200 at most, of all lines or of one. Source: kavenegar-rest, LatestOutBox."""
        if not 1 <= pagesize <= methods.LATESTOUTBOX.answers:
            raise ValueError(f"{methods.LATESTOUTBOX.path} shows 1 to {methods.LATESTOUTBOX.answers} messages")
        parameters = {"pagesize": pagesize, "sender": sender}
        return self.perform(call.of(methods.LATESTOUTBOX, parameters, call.rows(SentMessage.read)), lane=lane)

    def countoutbox(
        self, start: int, end: int | None = None, status: int | None = None, *, lane: Lane = Lane.HOUSEKEEPING
    ) -> OutboxCount:
        """What was sent in a span, of all statuses or of one; 1 counts what is queued. An empty span counts 0.

        Source: kavenegar-rest, CountOutbox.
        """
        self._check_span(methods.COUNTOUTBOX, start, end)

        def read(answer: Envelope) -> OutboxCount:
            counts = readable(OutboxCount.read, answer.rows)
            return counts[0] if counts else OutboxCount(0, 0, 0, start, end or start)

        parameters = {"startdate": start, "enddate": end, "status": status}
        return self.perform(call.of(methods.COUNTOUTBOX, parameters, read), lane=lane)

    def _check_span(self, method: Method, start: int, end: int | None) -> None:
        now = self.clock()
        limits.span(method, start, end, now=now, open_until=now)
