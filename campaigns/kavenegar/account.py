"""Methods for the account: its credit, its settings, the gateway's clock, and the block lists of its lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kavenegar_campaigns.kavenegar import call, methods
from kavenegar_campaigns.kavenegar.answers import (
    Envelope,
    Row,
    Unreadable,
    extra_values,
    no_extra,
    parse_int,
    parse_int_or_none,
    parse_int_or_zero,
    parse_switch,
    parse_text,
    parse_text_or_empty,
    read_page_counts,
    read_rows,
)
from kavenegar_campaigns.kavenegar.call import MethodGroup, Parameters
from kavenegar_campaigns.kavenegar.inbox import InboxPage
from kavenegar_campaigns.kavenegar.methods import Method
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.rules.suppression import UNKNOWN_BLOCKREASON

# ── the account: the records ──


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """account/info: credit in rial, "master" or "child". The gateway asks us to ignore `expiredate`."""

    remaincredit: int
    type: str
    expiredate: int
    extra: Mapping[str, Any] = field(default_factory=no_extra, repr=False, compare=False)

    @classmethod
    def from_row(cls, row: Row) -> AccountInfo:
        return cls(
            remaincredit=parse_int(row.get("remaincredit")),
            type=parse_text(row.get("type") or "").lower(),
            expiredate=parse_int_or_zero(row.get("expiredate")),
            extra=extra_values(cls, row),
        )


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """account/config. The service spells keys and values in mixed case, and on as enabled, true or 1.

    `debugmode`: nothing is sent and every message gets status 13. `resendfailed`: an undelivered message (11) may
    become delivered (10) later. `mincreditalarm` is in rial, 0 where none is set. `extra` has its names in lower case.
    """

    apilogs: str
    defaultsender: str
    debugmode: bool
    resendfailed: bool
    mincreditalarm: int
    dailyreport: bool = False
    extra: Mapping[str, Any] = field(default_factory=no_extra, repr=False, compare=False)

    @classmethod
    def from_row(cls, row: Row) -> AccountConfig:
        """Read the row. Raises: Unreadable where it holds no known setting."""
        known = {name.lower(): value for name, value in row.items()}
        if known.keys().isdisjoint(cls.__dataclass_fields__):
            raise Unreadable  # read as an answer, the row would say that debug mode is off
        return cls(
            apilogs=parse_text_or_empty(known.get("apilogs")).lower(),
            defaultsender=parse_text_or_empty(known.get("defaultsender")),
            debugmode=parse_switch(known.get("debugmode")),
            resendfailed=parse_switch(known.get("resendfailed")),
            mincreditalarm=parse_int_or_zero(known.get("mincreditalarm")),
            dailyreport=parse_switch(known.get("dailyreport")),
            extra=extra_values(cls, known),
        )


@dataclass(frozen=True, slots=True)
class ServerDate:
    """utils/getdate. Only `unixtime` can be trusted, and only to notice that a clock is off."""

    unixtime: int
    extra: Mapping[str, Any] = field(default_factory=no_extra, repr=False, compare=False)

    @classmethod
    def from_row(cls, row: Row) -> ServerDate:
        return cls(unixtime=parse_int(row.get("unixtime")), extra=extra_values(cls, row))


API_LOGS = ("justfaults", "enabled", "disabled")


class AccountMethods(MethodGroup):
    """Methods for the account itself: its credit, its settings, its clock."""

    def account_info(self, *, lane: Lane = Lane.HOUSEKEEPING) -> AccountInfo:
        """Return the credit. Raises: Postpone, Refused. Source: kavenegar-rest, Info."""
        return self.perform(call.build_call(methods.ACCOUNT_INFO, {}, call.first_row(AccountInfo.from_row)), lane=lane)

    def account_config(self, *, lane: Lane = Lane.HOUSEKEEPING) -> AccountConfig:
        """Return the settings; changes nothing. Raises: Postpone, Refused. Source: kavenegar-rest, Config."""
        return self.perform(
            call.build_call(methods.ACCOUNT_CONFIG, {}, call.first_row(AccountConfig.from_row)), lane=lane
        )

    def configure(
        self,
        *,
        apilogs: str | None = None,
        debugmode: bool | None = None,
        defaultsender: str | None = None,
        mincreditalarm: int | None = None,
        resendfailed: bool | None = None,
        dailyreport: bool | None = None,
        lane: Lane = Lane.HOUSEKEEPING,
    ) -> AccountConfig:
        """Change the settings that are given and leave the others. Returns the settings as they are now.

        `apilogs` is "justfaults", "enabled" or "disabled"; `mincreditalarm` is rial. `dailyreport` is documented in the
        sample of the answer only, so the gateway may ignore a write of it: check the settings that come back.
        Raises: ValueError, Postpone, Refused. Source: kavenegar-rest, Config.
        """
        if apilogs is not None and apilogs not in API_LOGS:
            raise ValueError(f"apilogs is one of {', '.join(API_LOGS)}")
        if defaultsender is not None and not defaultsender.strip():
            raise ValueError("a blank default sender would take the account's away; name a line")
        if mincreditalarm is not None and mincreditalarm < 0:
            raise ValueError("mincreditalarm is an amount in rial, 0 or more")
        changes: dict[str, str | int | None] = {
            "apilogs": apilogs,
            "debugmode": _switch(debugmode),
            "defaultsender": defaultsender,
            "mincreditalarm": mincreditalarm,
            "resendfailed": _switch(resendfailed),
            "dailyreport": _switch(dailyreport),
        }
        if all(value is None for value in changes.values()):
            raise ValueError("name at least one setting to change; account_config reads them")
        return self.perform(
            call.build_call(methods.ACCOUNT_CONFIG, changes, call.first_row(AccountConfig.from_row)), lane=lane
        )

    def getdate(self, *, lane: Lane = Lane.HOUSEKEEPING) -> ServerDate:
        """Return the gateway's clock. Raises: Postpone, Refused. Source: kavenegar-rest, the first example."""
        return self.perform(call.build_call(methods.GETDATE, {}, call.first_row(ServerDate.from_row)), lane=lane)


def _switch(value: bool | None) -> str | None:
    return None if value is None else ("enabled" if value else "disabled")


# The block list of a line: the records. The recipient or we blocked these numbers.


@dataclass(frozen=True, slots=True)
class BlockedNumber:
    """One row of line/blocked/list. `rules.suppression` lists the meanings of `blockreason`; `date` is unix time."""

    number: str = field(repr=False)
    blockreason: int
    date: int
    extra: Mapping[str, Any] = field(default_factory=no_extra, repr=False, compare=False)

    @classmethod
    def from_row(cls, row: Row) -> BlockedNumber:
        reason = parse_int_or_none(row.get("blockreason"))
        return cls(
            number=parse_text(row.get("number")),
            blockreason=UNKNOWN_BLOCKREASON if reason is None else reason,
            date=parse_int_or_zero(row.get("date")),
            extra=extra_values(cls, row),
        )


@dataclass(frozen=True, slots=True)
class BlockedPage:
    """An answer of line/blocked/list, 200 numbers at most. `row_count` includes rows that cannot be read."""

    numbers: list[BlockedNumber]
    row_count: int
    totalcount: int | None = None
    currentpage: int | None = None
    totalpages: int | None = None
    pagesize: int | None = None

    @classmethod
    def from_answer(cls, answer: Envelope) -> BlockedPage:
        return cls(
            read_rows(BlockedNumber.from_row, answer.rows), len(answer.rows), **read_page_counts(answer.metadata)
        )


def is_last_page(page: BlockedPage | InboxPage, number: int, full: int) -> bool:
    """Return whether no page follows this one. An answer without page counts is the last if it is not `full`."""
    if page.row_count == 0:
        return True
    return page.row_count < (page.pagesize or full) if page.totalpages is None else number >= page.totalpages


@dataclass(frozen=True, slots=True)
class BlockedStatus:
    """One row of line/blocked/add ("Active", "AlreadyExists") and line/blocked/exists ("Active", "NotExists").

    The `linenumber` is an echo that need not be the line asked for.
    """

    linenumber: str
    receptor: str = field(repr=False)
    status: str
    extra: Mapping[str, Any] = field(default_factory=no_extra, repr=False, compare=False)

    @classmethod
    def from_row(cls, row: Row) -> BlockedStatus:
        return cls(
            linenumber=parse_text_or_empty(row.get("linenumber")),
            receptor=parse_text(row.get("receptor")),
            status=parse_text(row.get("status")),
            extra=extra_values(cls, row),
        )

    @property
    def is_blocked(self) -> bool:
        """Return whether the number is on the line's list now."""
        return self.status.strip().lower() in {"active", "alreadyexists"}


# ── the block list of a line: the methods ──


class BlocklistMethods(MethodGroup):
    """Methods for a line's block list. All four calls may be repeated freely."""

    def blocked_list(
        self,
        linenumber: str,
        *,
        blockreason: int | None = None,
        start: int | None = None,
        page: int = 1,
        lane: Lane = Lane.HOUSEKEEPING,
    ) -> BlockedPage:
        """Return a page of 200 numbers blocked since `start` (unix time; None: today), for one reason or for any.

        `rules.suppression.BLOCK_REASONS` lists the reasons.
        Raises: Postpone, Refused. Source: kavenegar-rest, blockedlist.
        """
        call.check_single("linenumber", linenumber)
        call.check_block_reason(blockreason)
        call.check_page(page)
        parameters = {"linenumber": linenumber, "blockreason": blockreason, "startdate": start, "pagenumber": page}
        return self.perform(call.build_call(methods.BLOCKED_LIST, parameters, BlockedPage.from_answer), lane=lane)

    def blocked_add(
        self, linenumber: str, receptors: Sequence[str], *, lane: Lane = Lane.HOUSEKEEPING
    ) -> list[BlockedStatus]:
        """Block at most 200 numbers. Raises: Postpone, Refused. Source: kavenegar-rest, blocked-add."""
        return self._blocked_statuses(methods.BLOCKED_ADD, linenumber, receptors, lane)

    def blocked_exists(
        self, linenumber: str, receptors: Sequence[str], *, lane: Lane = Lane.HOUSEKEEPING
    ) -> list[BlockedStatus]:
        """Look up at most 200 numbers. Raises: Postpone, Refused. Source: kavenegar-rest, blocked-exists."""
        return self._blocked_statuses(methods.BLOCKED_EXISTS, linenumber, receptors, lane)

    def _blocked_statuses(
        self, method: Method, linenumber: str, receptors: Sequence[str], lane: Lane
    ) -> list[BlockedStatus]:
        parameters = _number_list(method, linenumber, receptors)
        return self.perform(call.build_call(method, parameters, call.all_rows(BlockedStatus.from_row)), lane=lane)

    def blocked_remove(self, linenumber: str, receptors: Sequence[str], *, lane: Lane = Lane.HOUSEKEEPING) -> str:
        """Unblock at most 50 numbers. Returns the gateway's sentence about it, for a person to read.

        Numbers that neither the panel nor the API blocked stay blocked. Raises: Postpone, Refused.
        Source: kavenegar-rest, blocked-remove.
        """
        method = methods.BLOCKED_REMOVE
        return self.perform(
            call.build_call(method, _number_list(method, linenumber, receptors), _first_message), lane=lane
        )


def _number_list(method: Method, linenumber: str, receptors: Sequence[str]) -> Parameters:
    call.check_single("linenumber", linenumber)
    call.check_size(method, len(receptors))
    return {"linenumber": linenumber, "receptor": call.comma_list(receptors)}


def _first_message(answer: Envelope) -> str:
    return next((str(row["message"]) for row in answer.rows if row.get("message")), "")
