"""Reasons for suppressing a number: their words for an operator, and their numbers at the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from campaigns.rules.calendar import TEHRAN


class Reason(StrEnum):
    """Why a number is suppressed. An operator may also give words of their own."""

    OPTED_OUT = "opted_out"
    BLOCKED = "blocked"
    UNREACHABLE = "unreachable"
    GATEWAY_OPT_OUT = "gateway_opt_out"
    GATEWAY_PANEL = "gateway_panel"
    GATEWAY_SERVICE = "gateway_service"
    GATEWAY_ADMIN = "gateway_admin"
    GATEWAY_UNKNOWN = "gateway_unknown"
    BY_HAND = "by_hand"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One row of the table: the words an operator reads; the gateway's number for it; who has to tell whom.

    `written` numbers are added to the lines' block lists by us. The others the gateway has told us, or, of the
    unreachable, nobody has asked for anything.
    """

    told: str
    written: bool = False
    blockreason: int | None = None


MEANINGS: Final[dict[Reason, Meaning]] = {
    Reason.OPTED_OUT: Meaning("opted out by an inbound message", written=True),
    Reason.BLOCKED: Meaning("blocked by the recipient, as a status of the gateway says (14)"),
    Reason.UNREACHABLE: Meaning("message after message did not reach it (status 11 or 6)"),
    Reason.GATEWAY_OPT_OUT: Meaning("opted out at the gateway (لغو۱۱)", blockreason=2),
    Reason.GATEWAY_PANEL: Meaning("blocked by hand in the gateway's panel", blockreason=1),
    Reason.GATEWAY_SERVICE: Meaning("blocked at the gateway through its web service", blockreason=0),
    Reason.GATEWAY_ADMIN: Meaning("blocked by the gateway's administrators", blockreason=3),
    Reason.GATEWAY_UNKNOWN: Meaning("blocked at the gateway, which does not say why", blockreason=10),
    Reason.BY_HAND: Meaning("suppressed by hand", written=True),
    Reason.IMPORTED: Meaning("imported from a list", written=True),
}

NOT_WRITTEN: Final = tuple(reason for reason, meaning in MEANINGS.items() if not meaning.written)
"""Everything else is written to the gateway's block lists, an operator's own words included."""

BLOCKED_BY_SERVICE: Final = 0
"""What the gateway gives as the reason of what we add. Source: kavenegar-rest, blockedlist."""

REMOVABLE: Final = (BLOCKED_BY_SERVICE, 1)
"""Only what the web service or the panel has blocked may be removed. Source: kavenegar-rest, blocked-remove."""

AFTER: Final = 3
"""Verdicts of one number in a row, all undelivered or failed, after which it counts as unreachable."""

LONGEST_REASON: Final = 200
"""Characters of an operator's own words."""

_OF_BLOCKREASON: Final = {
    meaning.blockreason: reason for reason, meaning in MEANINGS.items() if meaning.blockreason is not None
}


def of_blockreason(number: int) -> Reason:
    """The reason behind the gateway's number; one that the spec does not know is an unknown one."""
    return _OF_BLOCKREASON.get(number, Reason.GATEWAY_UNKNOWN)


def told(reason: str) -> str:
    """A reason in words; what is not one of ours is in the operator's own."""
    return MEANINGS[Reason(reason)].told if reason in MEANINGS else reason


def told_of(reason: str, since: datetime) -> str:
    """`suppressed: opted out by an inbound message, 2026-11-20`: the day is Tehran's."""
    return f"suppressed: {told(reason)}, {since.astimezone(TEHRAN).date()}"
