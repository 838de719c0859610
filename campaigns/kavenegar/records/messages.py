"""Messages that we sent: the records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from campaigns.kavenegar.envelope import Row
from campaigns.kavenegar.records.reading import extra, identity, nothing_more, number, number_or_zero, text


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message as the sends, verify/lookup, call/maketts and the outbox methods show it. No localid comes back.

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
    extra: Mapping[str, Any] = field(default_factory=nothing_more, repr=False, compare=False)

    @classmethod
    def read(cls, row: Row) -> SentMessage:
        return cls(
            messageid=identity(row.get("messageid")),
            receptor=text(row.get("receptor")),
            sender=text(row.get("sender")),
            message=text(row.get("message")),
            status=number(row.get("status")),
            statustext=text(row.get("statustext") or ""),
            date=number_or_zero(row.get("date")),
            cost=number_or_zero(row.get("cost")),
            extra=extra(cls, row),
        )


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """One row of sms/status. Status 100: no longer known (after 48 h), never known, or not ours."""

    messageid: int
    status: int
    statustext: str
    extra: Mapping[str, Any] = field(default_factory=nothing_more, repr=False, compare=False)

    @classmethod
    def read(cls, row: Row) -> Self:
        return cls(
            messageid=identity(row.get("messageid")),
            status=number(row.get("status")),
            statustext=text(row.get("statustext") or ""),
            extra=extra(cls, row),
        )


@dataclass(frozen=True, slots=True)
class LocalStatus:
    """One row of sms/statuslocalmessageid. The gateway never saw a localid whose status is 100 within its 12 hours.

    `messageid` is None where the gateway knows none (absent, null or 0 on the wire).
    """

    localid: int
    messageid: int | None
    status: int
    statustext: str = ""
    extra: Mapping[str, Any] = field(default_factory=nothing_more, repr=False, compare=False)

    @classmethod
    def read(cls, row: Row) -> LocalStatus:
        return cls(
            localid=identity(row.get("localid")),
            messageid=number(row.get("messageid") or 0) or None,
            status=number(row.get("status")),
            statustext=text(row.get("statustext") or ""),
            extra=extra(cls, row),
        )


@dataclass(frozen=True, slots=True)
class ReceptorStatus:
    """One row of sms/statusbyreceptor: a message that went to the number asked for."""

    messageid: int
    receptor: str = field(repr=False)
    status: int
    statustext: str
    extra: Mapping[str, Any] = field(default_factory=nothing_more, repr=False, compare=False)

    @classmethod
    def read(cls, row: Row) -> ReceptorStatus:
        return cls(
            messageid=identity(row.get("messageid")),
            receptor=text(row.get("receptor")),
            status=number(row.get("status")),
            statustext=text(row.get("statustext") or ""),
            extra=extra(cls, row),
        )


@dataclass(frozen=True, slots=True)
class Cancelled(MessageStatus):
    """One row of sms/cancel: the message's status now. Only 13 means that it was cancelled."""


@dataclass(frozen=True, slots=True)
class OutboxCount:
    """sms/countoutbox: messages, parts and rial in a span of unix times (as the gateway echoes them)."""

    sumcount: int
    sumpart: int
    cost: int
    startdate: int
    enddate: int
    extra: Mapping[str, Any] = field(default_factory=nothing_more, repr=False, compare=False)

    @classmethod
    def read(cls, row: Row) -> OutboxCount:
        return cls(
            sumcount=number(row.get("sumcount")),
            sumpart=number(row.get("sumpart")),
            cost=number_or_zero(row.get("cost")),
            startdate=number_or_zero(row.get("startdate")),
            enddate=number_or_zero(row.get("enddate")),
            extra=extra(cls, row),
        )
