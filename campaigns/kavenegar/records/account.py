"""The account: the records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from campaigns.kavenegar.envelope import Row
from campaigns.kavenegar.records.reading import (
    Unreadable,
    extra,
    nothing_more,
    number,
    number_or_zero,
    switch,
    text,
    text_or_empty,
)


@dataclass(frozen=True, slots=True)
class Account:
    """account/info: credit in rial, "master" or "child". The gateway asks us to ignore `expiredate`."""

    remaincredit: int
    type: str
    expiredate: int
    extra: Mapping[str, Any] = field(default_factory=nothing_more, repr=False, compare=False)

    @classmethod
    def read(cls, row: Row) -> Account:
        return cls(
            remaincredit=number(row.get("remaincredit")),
            type=text(row.get("type") or "").lower(),
            expiredate=number_or_zero(row.get("expiredate")),
            extra=extra(cls, row),
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
    extra: Mapping[str, Any] = field(default_factory=nothing_more, repr=False, compare=False)

    @classmethod
    def read(cls, row: Row) -> AccountConfig:
        known = {name.lower(): value for name, value in row.items()}
        if known.keys().isdisjoint(cls.__dataclass_fields__):
            raise Unreadable  # whoever took it for an answer would think that debug mode is off
        return cls(
            apilogs=text_or_empty(known.get("apilogs")).lower(),
            defaultsender=text_or_empty(known.get("defaultsender")),
            debugmode=switch(known.get("debugmode")),
            resendfailed=switch(known.get("resendfailed")),
            mincreditalarm=number_or_zero(known.get("mincreditalarm")),
            dailyreport=switch(known.get("dailyreport")),
            extra=extra(cls, known),
        )


@dataclass(frozen=True, slots=True)
class ServerDate:
    """utils/getdate. Only `unixtime` can be trusted, and only to notice that a clock is off."""

    unixtime: int
    extra: Mapping[str, Any] = field(default_factory=nothing_more, repr=False, compare=False)

    @classmethod
    def read(cls, row: Row) -> ServerDate:
        return cls(unixtime=number(row.get("unixtime")), extra=extra(cls, row))
