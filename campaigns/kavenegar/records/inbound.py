"""Messages that people sent to our lines: the records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from campaigns.kavenegar.envelope import Envelope, Row
from campaigns.kavenegar.records.paged import pages
from campaigns.kavenegar.records.reading import (
    extra,
    identity,
    nothing_more,
    number,
    number_or_zero,
    readable,
    text_or_empty,
)


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One row of sms/receive and sms/inboxpaged. `sender` is a person's number, `receptor` our line, `date` unix time.

    All but the id may be missing: the gateway hands a message out as new only once, so nothing else is worth losing
    it for.
    """

    messageid: int
    message: str = field(repr=False)
    sender: str = field(repr=False)
    receptor: str
    date: int
    extra: Mapping[str, Any] = field(default_factory=nothing_more, repr=False, compare=False)

    @classmethod
    def read(cls, row: Row) -> InboundMessage:
        return cls(
            messageid=identity(row.get("messageid")),
            message=text_or_empty(row.get("message")),
            sender=text_or_empty(row.get("sender")),
            receptor=text_or_empty(row.get("receptor")),
            date=number_or_zero(row.get("date")),
            extra=extra(cls, row),
        )


@dataclass(frozen=True, slots=True)
class InboxPage:
    """An answer of sms/receive (100 messages at most) or sms/inboxpaged (200).

    `rows` counts the rows of the answer; fewer messages than rows means that some could not be read. The other numbers
    are sms/inboxpaged's, None in an answer of sms/receive. Its `totalcount` is, for unread messages, how many there are
    beside those of this answer; for read ones, how many there are.
    """

    messages: list[InboundMessage]
    rows: int
    totalcount: int | None = None
    currentpage: int | None = None
    totalpages: int | None = None
    pagesize: int | None = None

    @classmethod
    def read(cls, answer: Envelope) -> InboxPage:
        return cls(readable(InboundMessage.read, answer.rows), len(answer.rows), **pages(answer.metadata))


def comes_again(page: InboxPage, before: InboxPage | None) -> bool:
    """Whether unread messages are those of the page before: nothing marks them read, and there would be no end.

    Two pages in a row of which nothing can be read are the same as far as anybody can tell.
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
    extra: Mapping[str, Any] = field(default_factory=nothing_more, repr=False, compare=False)

    @classmethod
    def read(cls, row: Row) -> InboxCount:
        return cls(
            sumcount=number(row.get("sumcount")),
            startdate=number_or_zero(row.get("startdate")),
            enddate=number_or_zero(row.get("enddate")),
            extra=extra(cls, row),
        )
