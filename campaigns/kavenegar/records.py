"""What comes back, as records. The names are the gateway's own.

The service is loose with types: numbers come as text, costs as 120.0, ids of ours as text, `statustext` not at all.
Each reader takes what can be understood. A row that cannot is left out, and the caller sees it as missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from campaigns.kavenegar.envelope import Row

Record = TypeVar("Record")


class Unreadable(ValueError):
    """A row lacks what its record cannot be without."""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One row of sms/send, sms/sendarray and sms/select. `date` is unix time, `cost` rial. No localid comes back."""

    messageid: int
    receptor: str
    sender: str
    message: str
    status: int
    statustext: str
    date: int
    cost: int

    @classmethod
    def read(cls, row: Row) -> SentMessage:
        return cls(
            messageid=_identity(row.get("messageid")),
            receptor=_text(row.get("receptor")),
            sender=_text(row.get("sender")),
            message=_text(row.get("message")),
            status=_number(row.get("status")),
            statustext=_text(row.get("statustext") or ""),
            date=_number_or_zero(row.get("date")),
            cost=_number_or_zero(row.get("cost")),
        )


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """One row of sms/status. Status 100: no longer known (after 48 h), never known, or not ours."""

    messageid: int
    status: int
    statustext: str

    @classmethod
    def read(cls, row: Row) -> MessageStatus:
        return cls(_identity(row.get("messageid")), _number(row.get("status")), _text(row.get("statustext") or ""))


@dataclass(frozen=True, slots=True)
class LocalStatus:
    """One row of sms/statuslocalmessageid. The gateway never saw a localid whose status is 100 within its 12 hours.

    `messageid` is None where the gateway knows none (absent, null or 0 on the wire).
    """

    localid: int
    messageid: int | None
    status: int

    @classmethod
    def read(cls, row: Row) -> LocalStatus:
        return cls(
            _identity(row.get("localid")), _number(row.get("messageid") or 0) or None, _number(row.get("status"))
        )


@dataclass(frozen=True, slots=True)
class Cancelled:
    """One row of sms/cancel: the message's status now. Only 13 means that it was cancelled."""

    messageid: int
    status: int
    statustext: str

    @classmethod
    def read(cls, row: Row) -> Cancelled:
        return cls(_identity(row.get("messageid")), _number(row.get("status")), _text(row.get("statustext") or ""))


@dataclass(frozen=True, slots=True)
class OutboxCount:
    """sms/countoutbox: messages, parts and rial in a span of unix times (as the gateway echoes them)."""

    sumcount: int
    sumpart: int
    cost: int
    startdate: int
    enddate: int

    @classmethod
    def read(cls, row: Row) -> OutboxCount:
        return cls(
            sumcount=_number(row.get("sumcount")),
            sumpart=_number(row.get("sumpart")),
            cost=_number_or_zero(row.get("cost")),
            startdate=_number_or_zero(row.get("startdate")),
            enddate=_number_or_zero(row.get("enddate")),
        )


@dataclass(frozen=True, slots=True)
class Account:
    """account/info: credit in rial, "master" or "child". The gateway asks us to ignore `expiredate`."""

    remaincredit: int
    type: str
    expiredate: int

    @classmethod
    def read(cls, row: Row) -> Account:
        return cls(
            remaincredit=_number(row.get("remaincredit")),
            type=_text(row.get("type") or "").lower(),
            expiredate=_number_or_zero(row.get("expiredate")),
        )


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """account/config. The service spells keys and values in mixed case, and on as enabled, true or 1.

    `debugmode`: nothing is sent and every message gets status 13. `resendfailed`: an undelivered message (11) may
    become delivered (10) later. `mincreditalarm` is in rial, 0 where none is set.
    """

    apilogs: str
    defaultsender: str
    debugmode: bool
    resendfailed: bool
    mincreditalarm: int

    @classmethod
    def read(cls, row: Row) -> AccountConfig:
        known = {key.lower(): value for key, value in row.items()}
        return cls(
            apilogs=str(known.get("apilogs") or "").lower(),
            defaultsender=str(known.get("defaultsender") or ""),
            debugmode=_switch(known.get("debugmode")),
            resendfailed=_switch(known.get("resendfailed")),
            mincreditalarm=_number_or_zero(known.get("mincreditalarm")),
        )


@dataclass(frozen=True, slots=True)
class ServerDate:
    """utils/getdate. Only `unixtime` can be trusted, and only to notice that a clock is off."""

    unixtime: int

    @classmethod
    def read(cls, row: Row) -> ServerDate:
        return cls(_number(row.get("unixtime")))


def readable(read: Callable[[Row], Record], rows: Iterable[Row]) -> list[Record]:
    """The records of the rows that can be understood, in the order they came."""
    records = []
    for row in rows:
        try:
            records.append(read(row))
        except Unreadable:
            continue
    return records


def _number(value: Any) -> int:
    """A whole number, however it was written: 120, "120", 120.0, "120.0"."""
    if type(value) is int:
        return value
    exact = _float(value)
    if not exact.is_integer():
        raise Unreadable
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else int(exact)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unreadable
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise Unreadable from None


def _number_or_zero(value: Any) -> int:
    """A number that a record can do without; a broken cost is rounded to rial."""
    if type(value) is int:
        return value
    try:
        return round(_float(value))
    except (Unreadable, ValueError, OverflowError):
        return 0


def _identity(value: Any) -> int:
    number = _number(value)
    if not 0 < number < 2**63:
        raise Unreadable
    return number


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | list | dict):
        raise Unreadable
    return str(value)


def _switch(value: Any) -> bool:
    return str(value).strip().lower() in {"enabled", "true", "1"}
