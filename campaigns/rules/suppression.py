"""Reasons for suppressing a number, and the opt-out words that people send."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from kavenegar_campaigns.rules.dates import TEHRAN
from kavenegar_campaigns.rules.text import fold_letters


class SuppressionReason(StrEnum):
    """Why a number is suppressed. An operator may also give words of their own."""

    OPTED_OUT = "opted_out"
    BLOCKED = "blocked"
    UNREACHABLE = "unreachable"
    GATEWAY_OPT_OUT = "gateway_opt_out"
    GATEWAY_PANEL = "gateway_panel"
    GATEWAY_SERVICE = "gateway_service"
    GATEWAY_ADMIN = "gateway_admin"
    GATEWAY_UNKNOWN = "gateway_unknown"
    MANUAL = "by_hand"
    BY_HAND = "by_hand"  # the old name of MANUAL, for one release more
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class ReasonInfo:
    """One row of the table: the words for an operator, the gateway's number, and which side reports it to the other.

    We add numbers whose reason is `written_to_gateway` to the lines' block lists. The other reasons come from the
    gateway; unreachable numbers are on no block list. Among the reasons that the gateway gives by number, only
    numbers with a `removable` one may be taken off its lists.
    Source: kavenegar-rest, blockedlist (the numbers) and blocked-remove (which can be removed).
    """

    text: str
    written_to_gateway: bool = False
    blockreason: int | None = None
    removable: bool = False


SERVICE_BLOCKREASON: Final = 0
"""The reason that the gateway gives for numbers that we add."""

UNKNOWN_BLOCKREASON: Final = 10

REASONS: Final[dict[SuppressionReason, ReasonInfo]] = {
    SuppressionReason.OPTED_OUT: ReasonInfo("opted out by an inbound message", written_to_gateway=True),
    SuppressionReason.BLOCKED: ReasonInfo("blocked by the recipient, as a status of the gateway says (14)"),
    SuppressionReason.UNREACHABLE: ReasonInfo("message after message did not reach it (status 11 or 6)"),
    SuppressionReason.GATEWAY_OPT_OUT: ReasonInfo("opted out at the gateway (لغو۱۱)", blockreason=2),
    SuppressionReason.GATEWAY_PANEL: ReasonInfo(
        "blocked by hand in the gateway's panel", blockreason=1, removable=True
    ),
    SuppressionReason.GATEWAY_SERVICE: ReasonInfo(
        "blocked at the gateway through its web service", blockreason=SERVICE_BLOCKREASON, removable=True
    ),
    SuppressionReason.GATEWAY_ADMIN: ReasonInfo("blocked by the gateway's administrators", blockreason=3),
    SuppressionReason.GATEWAY_UNKNOWN: ReasonInfo(
        "blocked at the gateway, which does not say why", blockreason=UNKNOWN_BLOCKREASON
    ),
    SuppressionReason.MANUAL: ReasonInfo("suppressed by hand", written_to_gateway=True),
    SuppressionReason.IMPORTED: ReasonInfo("imported from a list", written_to_gateway=True),
}

NOT_WRITTEN_TO_GATEWAY: Final = tuple(reason for reason, meaning in REASONS.items() if not meaning.written_to_gateway)
"""All other reasons are written to the gateway's block lists, including an operator's own words."""

UNREACHABLE_AFTER: Final = 3
"""Verdicts of one number in a row, all undelivered or failed, after which it counts as unreachable."""

SYNC_EVERY: Final = timedelta(hours=1)
"""Time between two synchronisations of a line's block list, unless a setting says another."""

MAX_REASON_LENGTH: Final = 200
"""Characters of an operator's own words."""

BLOCK_REASONS: Final = dict(
    sorted((row.blockreason, reason) for reason, row in REASONS.items() if row.blockreason is not None)
)
"""Our reason for each of the gateway's numbers."""

REMOVABLE_BLOCKREASONS: Final = tuple(number for number, reason in BLOCK_REASONS.items() if REASONS[reason].removable)
"""Only numbers that the web service or the panel has blocked may be taken off the gateway's lists."""


def reason_of_blockreason(number: int) -> SuppressionReason:
    """Return our reason for the gateway's number. An undocumented number is an unknown reason."""
    return BLOCK_REASONS.get(number, SuppressionReason.GATEWAY_UNKNOWN)


def reason_text(reason: str) -> str:
    """Return a reason in words. A reason outside of the table is an operator's own words, and stays as it is."""
    return REASONS[SuppressionReason(reason)].text if reason in REASONS else reason


def suppressed_text(reason: str, since: datetime) -> str:
    """Return, as an example, `suppressed: opted out by an inbound message, 2026-11-20`. The day is a day of Tehran."""
    return f"suppressed: {reason_text(reason)}, {since.astimezone(TEHRAN).date()}"


# Opt-out words: a message opts out if it *is* an opt-out word, however it is written.
#
# «ساعت ۱۱ می‌آیم» is no opt-out, and neither are 2011 and «لغوی»: a number that is suppressed by mistake misses messages
# that its owner wants, and the mistake stays unnoticed.

OPT_OUT_WORDS: Final = ("لغو", "لغو۱۱", "لغو 11", "11", "STOP")
"""Words that people send to opt out. Iranian operators ask them to send 11 or «لغو۱۱»."""

_TATWEEL: Final = "\u0640"
_UNSEEN: Final = frozenset({"Cf", "Mn", "Me"})  # half-spaces and bidi marks, vowel signs, the frame of a keycap emoji
_RUNS: Final = re.compile(r"[^\W\d_]+|[0-9]+")

WordRuns = tuple[str, ...]
"""Runs of letters and runs of digits: «لغو ۱۱» and «لغو۱۱» are both ("لغو", "11"), and «1 1» is not ("11",)."""


def is_opt_out(text: str, words: Sequence[str] = OPT_OUT_WORDS, *, anywhere: bool = False) -> bool:
    """Return whether `text` is one of `words`.

    Differences in spelling do not matter: case, Arabic or Persian letters and digits, half-spaces, vowel signs, spaces
    between a word and its digits, and the punctuation and emoji around it.

    With `anywhere`, a word that has a letter in it also counts as a whole word within a sentence: «لطفا لغو کنید».
    """
    said = word_runs(text)
    asked = [_runs_of_word(word) for word in words]
    if said and said in asked:
        return True
    return anywhere and any(_within(said, word) for word in asked if _has_letter(word))


def word_runs(text: str) -> WordRuns:
    """Return the runs of letters and digits of a text, in one spelling; empty where there is no letter and no digit."""
    return tuple(_RUNS.findall("".join(map(_visible, fold_letters(text)))))


_runs_of_word = lru_cache(maxsize=64)(word_runs)


def _visible(letter: str) -> str:
    if letter == _TATWEEL or unicodedata.category(letter) in _UNSEEN:
        return ""
    digit = unicodedata.decimal(letter, None)
    return letter if digit is None else str(digit)


def _has_letter(word: WordRuns) -> bool:
    return any(not run.isdecimal() for run in word)


def _within(said: WordRuns, word: WordRuns) -> bool:
    return any(said[at : at + len(word)] == word for at in range(len(said) - len(word) + 1))
