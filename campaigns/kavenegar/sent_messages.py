"""Messages that we sent: their records, and the methods for their status, the outbox and cancelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from kavenegar_campaigns.kavenegar import call, methods
from kavenegar_campaigns.kavenegar.answers import (
    Envelope,
    Row,
    StatusRow,
    extra_values,
    no_extra,
    parse_id,
    parse_int,
    parse_int_or_zero,
    parse_text,
    read_rows,
)
from kavenegar_campaigns.kavenegar.call import MethodGroup, Parameters
from kavenegar_campaigns.kavenegar.methods import Method
from kavenegar_campaigns.kavenegar.sending import SentMessage
from kavenegar_campaigns.rules.pace import Lane


@dataclass(frozen=True, slots=True)
class MessageStatus(StatusRow):
    """One row of sms/status. Status 100: no longer known (after 48 h), never known, or not ours."""

    messageid: int
    status: int
    statustext: str
    extra: Mapping[str, Any] = field(default_factory=no_extra, repr=False, compare=False)

    @classmethod
    def from_row(cls, row: Row) -> Self:
        return cls(
            messageid=parse_id(row.get("messageid")),
            status=parse_int(row.get("status")),
            statustext=parse_text(row.get("statustext") or ""),
            extra=extra_values(cls, row),
        )


@dataclass(frozen=True, slots=True)
class LocalStatus(StatusRow):
    """One row of sms/statuslocalmessageid. The gateway never saw a localid whose status is 100 within its 12 hours.

    `messageid` is None where the gateway knows none (absent, null or 0 on the wire).
    """

    localid: int
    messageid: int | None
    status: int
    statustext: str = ""
    extra: Mapping[str, Any] = field(default_factory=no_extra, repr=False, compare=False)

    @classmethod
    def from_row(cls, row: Row) -> LocalStatus:
        return cls(
            localid=parse_id(row.get("localid")),
            messageid=parse_int(row.get("messageid") or 0) or None,
            status=parse_int(row.get("status")),
            statustext=parse_text(row.get("statustext") or ""),
            extra=extra_values(cls, row),
        )


@dataclass(frozen=True, slots=True)
class ReceptorStatus(StatusRow):
    """One row of sms/statusbyreceptor: a message that went to the number asked for."""

    messageid: int
    receptor: str = field(repr=False)
    status: int
    statustext: str
    extra: Mapping[str, Any] = field(default_factory=no_extra, repr=False, compare=False)

    @classmethod
    def from_row(cls, row: Row) -> ReceptorStatus:
        return cls(
            messageid=parse_id(row.get("messageid")),
            receptor=parse_text(row.get("receptor")),
            status=parse_int(row.get("status")),
            statustext=parse_text(row.get("statustext") or ""),
            extra=extra_values(cls, row),
        )


@dataclass(frozen=True, slots=True)
class CancelStatus(MessageStatus):
    """One row of sms/cancel: the message's status now. Only 13 means that it was cancelled."""


@dataclass(frozen=True, slots=True)
class OutboxCount:
    """sms/countoutbox: messages, parts and rial in a span of unix times (as the gateway echoes them)."""

    sumcount: int
    sumpart: int
    cost: int
    startdate: int
    enddate: int
    extra: Mapping[str, Any] = field(default_factory=no_extra, repr=False, compare=False)

    @classmethod
    def from_row(cls, row: Row) -> OutboxCount:
        return cls(
            sumcount=parse_int(row.get("sumcount")),
            sumpart=parse_int(row.get("sumpart")),
            cost=parse_int_or_zero(row.get("cost")),
            startdate=parse_int_or_zero(row.get("startdate")),
            enddate=parse_int_or_zero(row.get("enddate")),
            extra=extra_values(cls, row),
        )


# ── status and cancelling: the methods ──


class StatusMethods(MethodGroup):
    """Methods for statuses and cancelling. A missing row means that nothing is known; it is no verdict."""

    def status(self, messageids: Sequence[int], *, lane: Lane = Lane.POLL) -> list[MessageStatus]:
        """Return the statuses of at most 500 messages, within 48 hours of sending.

        Raises: Postpone, Refused. Source: kavenegar-rest, Status.
        """
        request = call.build_call(
            methods.STATUS, _id_list(methods.STATUS, "messageid", messageids), call.all_rows(MessageStatus.from_row)
        )
        return self.perform(request, lane=lane)

    def statuslocalmessageid(self, localids: Sequence[int], *, lane: Lane = Lane.POLL) -> list[LocalStatus]:
        """Return the statuses under at most 500 of our own ids, within 12 hours of sending.

        Raises: Postpone, Refused. Source: kavenegar-rest, StatusByLocalid.
        """
        method = methods.STATUSLOCALMESSAGEID
        request = call.build_call(method, _id_list(method, "localid", localids), call.all_rows(LocalStatus.from_row))
        return self.perform(request, lane=lane)

    def statusbyreceptor(
        self, receptor: str, start: int, end: int | None = None, *, lane: Lane = Lane.HOUSEKEEPING
    ) -> list[ReceptorStatus]:
        """Return the statuses of all messages to one number in a span of unix times: at most, and by default, a day.

        A missing row proves nothing: messages of verify/lookup were missing on the real service.
        Raises: Postpone, Refused. Source: kavenegar-rest, StatusByReceptor.
        """
        method = methods.STATUSBYRECEPTOR
        call.check_single("receptor", receptor)
        call.check_span(method, start, end, now=self.clock())
        parameters: Parameters = {"receptor": receptor, "startdate": start, "enddate": end}
        return self.perform(call.build_call(method, parameters, call.all_rows(ReceptorStatus.from_row)), lane=lane)

    def select(self, messageids: Sequence[int], *, lane: Lane = Lane.POLL) -> list[SentMessage]:
        """Return at most 500 whole messages.

        Raises: Postpone; Refused, with 407 unless our IP address is registered. Source: kavenegar-rest, Select.
        """
        request = call.build_call(
            methods.SELECT, _id_list(methods.SELECT, "messageid", messageids), call.all_rows(SentMessage.from_row)
        )
        return self.perform(request, lane=lane)

    def cancel(self, messageids: Sequence[int], *, lane: Lane = Lane.SEND) -> list[CancelStatus]:
        """Cancel at most 200 scheduled messages. The call may be repeated freely.

        Raises: Postpone, Refused. Source: kavenegar-rest, Cancel.
        """
        request = call.build_call(
            methods.CANCEL, _id_list(methods.CANCEL, "messageid", messageids), call.all_rows(CancelStatus.from_row)
        )
        return self.perform(request, lane=lane)


def _id_list(method: Method, name: str, ids: Sequence[int]) -> Parameters:
    call.check_size(method, len(ids))
    return {name: call.comma_list(ids)}


# ── the outbox of the account, with the messages of every program that uses it: the methods ──


class OutboxMethods(MethodGroup):
    """Methods for the outbox. `selectoutbox` and `latestoutbox` answer 407 unless our IP address is registered.

    Spans are unix times, a day at most, and begin at most three days ago. Without an end they reach till now.
    """

    def selectoutbox(
        self, start: int, end: int | None = None, sender: str | None = None, *, lane: Lane = Lane.HOUSEKEEPING
    ) -> list[SentMessage]:
        """Return the messages of a span, of all lines or of one. There are no pages: an answer of 500 may lack some.

        Raises: Postpone, Refused. Source: kavenegar-rest, SelectOutbox.
        """
        self._check_span(methods.SELECTOUTBOX, start, end)
        parameters = {"startdate": start, "enddate": end, "sender": sender}
        return self.perform(
            call.build_call(methods.SELECTOUTBOX, parameters, call.all_rows(SentMessage.from_row)), lane=lane
        )

    def latestoutbox(
        self,
        pagesize: int = methods.LATESTOUTBOX.max_answer_rows,
        sender: str | None = None,
        *,
        lane: Lane = Lane.HOUSEKEEPING,
    ) -> list[SentMessage]:
        """Return the last messages, 200 at most, of all lines or of one.

        Raises: ValueError, Postpone, Refused. Source: kavenegar-rest, LatestOutBox.
        """
        if not 1 <= pagesize <= methods.LATESTOUTBOX.max_answer_rows:
            raise ValueError(f"{methods.LATESTOUTBOX.path} shows 1 to {methods.LATESTOUTBOX.max_answer_rows} messages")
        parameters = {"pagesize": pagesize, "sender": sender}
        return self.perform(
            call.build_call(methods.LATESTOUTBOX, parameters, call.all_rows(SentMessage.from_row)), lane=lane
        )

    def countoutbox(
        self, start: int, end: int | None = None, status: int | None = None, *, lane: Lane = Lane.HOUSEKEEPING
    ) -> OutboxCount:
        """Count the messages sent in a span, of all statuses or of one; 1 counts queued ones. An empty span counts 0.

        Raises: Postpone, Refused. Source: kavenegar-rest, CountOutbox.
        """
        self._check_span(methods.COUNTOUTBOX, start, end)

        def read(answer: Envelope) -> OutboxCount:
            counts = read_rows(OutboxCount.from_row, answer.rows)
            return counts[0] if counts else OutboxCount(0, 0, 0, start, end or start)

        parameters = {"startdate": start, "enddate": end, "status": status}
        return self.perform(call.build_call(methods.COUNTOUTBOX, parameters, read), lane=lane)

    def _check_span(self, method: Method, start: int, end: int | None) -> None:
        now = self.clock()
        call.check_span(method, start, end, now=now, open_until=now)
