"""Methods for messages that people send to our lines, and the records that come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kavenegar_campaigns.kavenegar import call, methods
from kavenegar_campaigns.kavenegar.answers import (
    Envelope,
    Row,
    extra_values,
    no_extra,
    parse_id,
    parse_int,
    parse_int_or_zero,
    parse_text_or_empty,
    read_page_counts,
    read_rows,
)
from kavenegar_campaigns.kavenegar.call import MethodGroup, Parameters
from kavenegar_campaigns.kavenegar.transport import InTime
from kavenegar_campaigns.rules.pace import Lane

# ── messages that people sent to our lines: the records ──


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One row of sms/receive and sms/inboxpaged. `sender` is a person's number, `receptor` our line, `date` unix time.

    Every field but the id may be missing: the gateway returns a message as unread only once, so no other missing field
    makes us drop it.
    """

    messageid: int
    message: str = field(repr=False)
    sender: str = field(repr=False)
    receptor: str
    date: int
    extra: Mapping[str, Any] = field(default_factory=no_extra, repr=False, compare=False)

    @classmethod
    def from_row(cls, row: Row) -> InboundMessage:
        return cls(
            messageid=parse_id(row.get("messageid")),
            message=parse_text_or_empty(row.get("message")),
            sender=parse_text_or_empty(row.get("sender")),
            receptor=parse_text_or_empty(row.get("receptor")),
            date=parse_int_or_zero(row.get("date")),
            extra=extra_values(cls, row),
        )


@dataclass(frozen=True, slots=True)
class InboxPage:
    """An answer of sms/receive (100 messages at most) or sms/inboxpaged (200).

    `row_count` counts the rows of the answer; with fewer messages than rows, some rows could not be read. The other
    numbers are sms/inboxpaged's, None in an answer of sms/receive. For unread messages, `totalcount` counts the
    messages beside those of this answer; for read messages it counts all.
    """

    messages: list[InboundMessage]
    row_count: int
    totalcount: int | None = None
    currentpage: int | None = None
    totalpages: int | None = None
    pagesize: int | None = None

    @classmethod
    def from_answer(cls, answer: Envelope) -> InboxPage:
        return cls(
            read_rows(InboundMessage.from_row, answer.rows), len(answer.rows), **read_page_counts(answer.metadata)
        )


def is_repeated_page(page: InboxPage, before: InboxPage | None) -> bool:
    """Return whether a page of unread messages repeats the page before: without marking as read there is no end.

    Two unreadable pages in a row count as repeated.
    """
    if before is None:
        return False
    ids, known = ({message.messageid for message in each.messages} for each in (page, before))
    return ids <= known if ids else not known


@dataclass(frozen=True, slots=True)
class InboxCount:
    """sms/countinbox: messages received in a span of unix times (as the gateway echoes them)."""

    sumcount: int
    startdate: int
    enddate: int
    extra: Mapping[str, Any] = field(default_factory=no_extra, repr=False, compare=False)

    @classmethod
    def from_row(cls, row: Row) -> InboxCount:
        return cls(
            sumcount=parse_int(row.get("sumcount")),
            startdate=parse_int_or_zero(row.get("startdate")),
            enddate=parse_int_or_zero(row.get("enddate")),
            extra=extra_values(cls, row),
        )


class InboxMethods(MethodGroup):
    """Methods for inbound messages. Unread ones become read when returned: a lost answer raises `AnswerLost`."""

    def receive(
        self,
        linenumber: str,
        *,
        isread: bool = False,
        lane: Lane = Lane.HOUSEKEEPING,
        in_time: InTime | None = None,
    ) -> InboxPage:
        """Return a line's unread messages, 100 at most. After an answer of 100 there may be more.

        With `isread` every call returns one fixed set of 100 read messages.
        Raises: Postpone (AnswerLost where messages may have been marked read), Refused.
        Source: kavenegar-rest, Receive.
        """
        call.check_single("linenumber", linenumber)
        parameters: Parameters = {"linenumber": linenumber, "isread": int(isread)}
        request = call.build_call(methods.RECEIVE, parameters, InboxPage.from_answer, consumes=not isread)
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
        """Return a page of 200 of a line's messages, read or unread, of at most two days: by default the last two.

        Ask for page 1 of the unread messages again and again: messages that it returns become read, so page 2 would
        skip 200. Among the read messages, one that becomes read meanwhile moves the others by one place. A message can
        then come twice, and only a page that says that it is the last is the last.
        Raises: Postpone (AnswerLost where messages may have been marked read), Refused.
        Source: kavenegar-rest, InboxPaged.
        """
        call.check_single("linenumber", linenumber)
        call.check_page(page)
        call.check_span(methods.INBOXPAGED, start, end, now=self.clock())
        parameters: Parameters = {
            "linenumber": linenumber,
            "isread": int(isread),
            "startdate": start,
            "enddate": end,
            "pagenumber": page,
        }
        request = call.build_call(methods.INBOXPAGED, parameters, InboxPage.from_answer, consumes=not isread)
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
        """Count the messages that came in a span of unix times, to one line or all, of one read state or both.

        The span is a day at most and begins at most 60 days ago; without an end it lasts till now. An empty span
        counts 0.
        Raises: Postpone, Refused. Source: kavenegar-rest, CountInbox.
        """
        now = self.clock()
        call.check_span(methods.COUNTINBOX, start, end, now=now, open_until=now)
        if linenumber is not None:
            call.check_single("linenumber", linenumber)

        def read(answer: Envelope) -> InboxCount:
            counts = read_rows(InboxCount.from_row, answer.rows)
            return counts[0] if counts else InboxCount(0, start, end or start)

        parameters: Parameters = {
            "startdate": start,
            "enddate": end,
            "linenumber": linenumber,
            "isread": None if isread is None else int(isread),
        }
        return self.perform(call.build_call(methods.COUNTINBOX, parameters, read), lane=lane)
