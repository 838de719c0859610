"""The block list of a line: the records. The recipient or we blocked these numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from campaigns.kavenegar.codes import BLOCKED_FOR_UNKNOWN
from campaigns.kavenegar.envelope import Envelope, Row
from campaigns.kavenegar.records.paged import pages
from campaigns.kavenegar.records.reading import (
    extra,
    nothing_more,
    number_or_none,
    number_or_zero,
    readable,
    text,
    text_or_empty,
)


@dataclass(frozen=True, slots=True)
class BlockedNumber:
    """One row of line/blocked/list. What `blockreason` means stands in `codes.BLOCK_REASONS`; `date` is unix time."""

    number: str = field(repr=False)
    blockreason: int
    date: int
    extra: Mapping[str, Any] = field(default_factory=nothing_more, repr=False, compare=False)

    @classmethod
    def read(cls, row: Row) -> BlockedNumber:
        reason = number_or_none(row.get("blockreason"))
        return cls(
            number=text(row.get("number")),
            blockreason=BLOCKED_FOR_UNKNOWN if reason is None else reason,
            date=number_or_zero(row.get("date")),
            extra=extra(cls, row),
        )


@dataclass(frozen=True, slots=True)
class BlockedPage:
    """An answer of line/blocked/list, 200 numbers at most. `rows` counts its rows, readable or not."""

    numbers: list[BlockedNumber]
    rows: int
    totalcount: int | None = None
    currentpage: int | None = None
    totalpages: int | None = None
    pagesize: int | None = None

    @classmethod
    def read(cls, answer: Envelope) -> BlockedPage:
        return cls(readable(BlockedNumber.read, answer.rows), len(answer.rows), **pages(answer.metadata))


def is_last(page: BlockedPage, number: int, full: int) -> bool:
    """Whether no page follows this one; where it does not say, whether it is not `full`."""
    if page.rows == 0:
        return True
    return page.rows < (page.pagesize or full) if page.totalpages is None else number >= page.totalpages


@dataclass(frozen=True, slots=True)
class BlockedStatus:
    """One row of line/blocked/add ("Active", "AlreadyExists") and line/blocked/exists ("Active", "NotExists").

    The `linenumber` is an echo that need not be the line asked for.
    """

    linenumber: str
    receptor: str = field(repr=False)
    status: str
    extra: Mapping[str, Any] = field(default_factory=nothing_more, repr=False, compare=False)

    @classmethod
    def read(cls, row: Row) -> BlockedStatus:
        return cls(
            linenumber=text_or_empty(row.get("linenumber")),
            receptor=text(row.get("receptor")),
            status=text(row.get("status")),
            extra=extra(cls, row),
        )

    @property
    def blocked(self) -> bool:
        """Whether the number stands on the line's list now."""
        return self.status.strip().lower() in {"active", "alreadyexists"}
