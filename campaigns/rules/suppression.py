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

from campaigns.rules.dates import TEHRAN
from campaigns.rules.text import fold_letters


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
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class ReasonInfo:
    """One row of the table: the words an operator reads; the gateway's number for it; who has to tell whom.

    Numbers whose reason is `written_to_gateway` are added to the lines' block lists by us. The others come from the
    gateway; the unreachable are on no block list. Of the reasons that the gateway gives by number, only those that are
    `removable` may be taken off its lists.
    Source: kavenegar-rest, blockedlist (the numbers) and blocked-remove (which can be removed).
    """

    text: str
    written_to_gateway: bool = False
    blockreason: int | None = None
    removable: bool = False


SERVICE_BLOCKREASON: Final = 0
"""The reason that the gateway gives for what we add."""

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
"""Everything else is written to the gateway's block lists, an operator's own words included."""

UNREACHABLE_AFTER: Final = 3
"""Verdicts of one number in a row, all undelivered or failed, after which it counts as unreachable."""

SYNC_EVERY: Final = timedelta(hours=1)
"""Time between two looks at a line's block list, where no setting says another."""

MAX_REASON_LENGTH: Final = 200
"""Characters of an operator's own words."""

BLOCK_REASONS: Final = dict(
    sorted((row.blockreason, reason) for reason, row in REASONS.items() if row.blockreason is not None)
)
"""Our reason for each number that the gateway gives."""

REMOVABLE_BLOCKREASONS: Final = tuple(number for number, reason in BLOCK_REASONS.items() if REASONS[reason].removable)
"""Only what the web service or the panel has blocked may be taken off the gateway's lists."""


def reason_of_blockreason(number: int) -> SuppressionReason:
    """The reason behind the gateway's number; one that the spec does not know is an unknown one."""
    return BLOCK_REASONS.get(number, SuppressionReason.GATEWAY_UNKNOWN)


def reason_text(reason: str) -> str:
    """A reason in words; what is not one of ours is in the operator's own."""
    return REASONS[SuppressionReason(reason)].text if reason in REASONS else reason


def suppressed_text(reason: str, since: datetime) -> str:
    """`suppressed: opted out by an inbound message, 2026-11-20`: the day is Tehran's."""
    return f"suppressed: {reason_text(reason)}, {since.astimezone(TEHRAN).date()}"


# Opt-out words: a message opts out if it *is* an opt-out word, however it is written.
#
# «ساعت ۱۱ می‌آیم» is no opt-out, and neither are 2011 and «لغوی»: a number that is suppressed by mistake misses messages
# that its owner wants, and nobody notices.

OPT_OUT_WORDS: Final = ("لغو", "لغو۱۱", "لغو 11", "11", "STOP")
"""What people send to be left alone; 11 and «لغو۱۱» are what Iranian operators tell them to send."""

_TATWEEL: Final = "\u0640"
_UNSEEN: Final = frozenset({"Cf", "Mn", "Me"})  # half-spaces and bidi marks, vowel signs, the frame of a keycap emoji
_RUNS: Final = re.compile(r"[^\W\d_]+|[0-9]+")

WordRuns = tuple[str, ...]
"""Runs of letters and runs of digits: «لغو ۱۱» and «لغو۱۱» are both ("لغو", "11"), and «1 1» is not ("11",)."""


def is_opt_out(text: str, words: Sequence[str] = OPT_OUT_WORDS, *, anywhere: bool = False) -> bool:
    """Whether `text` is one of `words`.

    What people and keyboards vary does not matter: case, Arabic or Persian letters and digits, half-spaces, vowel
    signs, spaces between a word and its digits, and the punctuation and emoji around it.

    With `anywhere`, a word that has a letter in it also counts as a whole word within a sentence: «لطفا لغو کنید».
    """
    said = word_runs(text)
    asked = [_runs_of_word(word) for word in words]
    if said and said in asked:
        return True
    return anywhere and any(_within(said, word) for word in asked if _has_letter(word))


def word_runs(text: str) -> WordRuns:
    """What is left of a text when everything is gone that may vary; nothing where there is no letter and no digit."""
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
