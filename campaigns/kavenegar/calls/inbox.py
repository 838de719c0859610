"""Messages that people sent to our lines: the methods."""

from __future__ import annotations

from campaigns.kavenegar import call, limits, methods
from campaigns.kavenegar.call import Calls, Parameters
from campaigns.kavenegar.envelope import Envelope
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.inbound import InboxCount, InboxPage
from campaigns.kavenegar.records.reading import readable
from campaigns.kavenegar.transport import InTime


class InboxCalls(Calls):
    """Unread messages become read as they are handed out: asking for them raises `AnswerLost` where no answer came."""

    def receive(
        self,
        linenumber: str,
        *,
        isread: bool = False,
        lane: Lane = Lane.HOUSEKEEPING,
        in_time: InTime | None = None,
    ) -> InboxPage:
        """A line's unread messages, 100 at most: as long as 100 come there may be more.

        With `isread` the same 100 read ones come every time. Source: kavenegar-rest, Receive.
        """
        limits.single("linenumber", linenumber)
        parameters: Parameters = {"linenumber": linenumber, "isread": int(isread)}
        request = call.of(methods.RECEIVE, parameters, InboxPage.read, consumes=not isread)
        return self.perform(request, lane=lane, in_time=in_time)

    def inboxpaged(
        self,
        linenumber: str,
        *,
        isread: bool,
        start: int | None = None,
        end: int | None = None,
        page: int = 1,
        lane: Lane = Lane.HOUSEKEEPING,
        in_time: InTime | None = None,
    ) -> InboxPage:
        """A page of 200 of a line's messages, read or unread, of two days at most: the last two if nothing is said.

        Unread ones have no second page: what page 1 hands out becomes read, so page 1 is asked for again, and page 2 of
        what is left would pass over 200. Among the read ones a message that becomes read meanwhile moves the others by
        one: it can come twice, and the last page has been seen only when it says itself that it is the last.
        Source: kavenegar-rest, InboxPaged.
        """
        limits.single("linenumber", linenumber)
        limits.page(page)
        limits.span(methods.INBOXPAGED, start, end, now=self.clock())
        parameters: Parameters = {
            "linenumber": linenumber,
            "isread": int(isread),
            "startdate": start,
            "enddate": end,
            "pagenumber": page,
        }
        request = call.of(methods.INBOXPAGED, parameters, InboxPage.read, consumes=not isread)
        return self.perform(request, lane=lane, in_time=in_time)

    def countinbox(
        self,
        start: int,
        end: int | None = None,
        linenumber: str | None = None,
        isread: bool | None = None,
        *,
        lane: Lane = Lane.HOUSEKEEPING,
    ) -> InboxCount:
        """How many messages came in a span of unix times: a day at most, begun at most 60 days ago, till now without
        an end. Of one line or of all, of one read state or of both. An empty span counts 0.

        Source: kavenegar-rest, CountInbox.
        """
        now = self.clock()
        limits.span(methods.COUNTINBOX, start, end, now=now, open_until=now)
        if linenumber is not None:
            limits.single("linenumber", linenumber)

        def read(answer: Envelope) -> InboxCount:
            counts = readable(InboxCount.read, answer.rows)
            return counts[0] if counts else InboxCount(0, start, end or start)

        parameters: Parameters = {
            "startdate": start,
            "enddate": end,
            "linenumber": linenumber,
            "isread": None if isread is None else int(isread),
        }
        return self.perform(call.of(methods.COUNTINBOX, parameters, read), lane=lane)
