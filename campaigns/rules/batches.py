"""Batches and their times: sizes and ids, the match between answered rows and messages, how long the gateway answers
about a message, when a message is polled, and which time settings are compatible.

Source: kavenegar-rest, sms/send and sms/status: the limits are per request. sms/statuslocalmessageid: messages of the
last 12 hours; later, "100" proves nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, Protocol, TypeVar

BATCH_SIZE: Final = 200
"""Receptors in one sms/send or sms/sendarray, and localids in one query about them."""

POLL_SIZE: Final = 500
"""Message ids in one sms/status."""

ID_BLOCK_SIZE: Final = 50 * BATCH_SIZE
"""Message ids that intake reserves at once: a multiple of BATCH_SIZE, so that only a campaign's last batch is short."""

EPOCH_SHIFT: Final = 33
"""Ids of one epoch: 2^33, some 8.6 billion; with an epoch of 20 bits an id stays below 2^53."""

EPOCH_COUNT: Final = 1 << 20

LAST_ID_BLOCK: Final = (1 << EPOCH_SHIFT) // ID_BLOCK_SIZE - 1
"""The last block of an epoch. The database gives out no later block; a new epoch begins with the first block."""


def id_block_start(epoch: int, block: int) -> int:
    """Return the first message id of block number `block` (from 1) in `epoch`."""
    return (epoch << EPOCH_SHIFT) + block * ID_BLOCK_SIZE


def halves(first_id: int, last_id: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the two halves of an inclusive range of at least two ids. The first half takes the odd id."""
    middle = first_id + (last_id - first_id) // 2
    return (first_id, middle), (middle + 1, last_id)


# Match the rows of an answer with the messages of a batch.
#
# Answers carry no localid, and rows may come reordered, missing or doubled. So rows are matched by number (unique in
# a batch) and compared with sender and text. Source: the sample of sms/sendarray, whose rows come reversed.

_SENDER: Final = re.compile(r"^(?:\+|00)?98(?=\d)|^0+")
_SPACES: Final = re.compile(r"\s+")
_FOOTER: Final = re.compile(r" ?(?:لغو\s?:?\s?\d{1,3}|\d{1,3}\s?[=:]\s?لغو)?")  # operators add it to advertising


class AnsweredRow(Protocol):
    """A row of an answer."""

    @property
    def receptor(self) -> str: ...
    @property
    def sender(self) -> str: ...
    @property
    def message(self) -> str: ...


Row = TypeVar("Row", bound=AnsweredRow)


@dataclass(frozen=True, slots=True)
class Matched(Generic[Row]):
    """Matched rows: `rows` by our number; `foreign`, the rows with another number, sender or text than ours."""

    rows: Mapping[str, Row]
    foreign: Sequence[Row]


def match_answer(texts: Mapping[str, str], sender: str, answered: Iterable[tuple[str, Row]]) -> Matched[Row]:
    """Match `(number, row)` pairs with `texts` by number. A number that is answered twice counts once."""
    rows: dict[str, Row] = {}
    foreign: list[Row] = []
    for number, row in answered:
        text = texts.get(number)
        if text is None or not same_sender(sender, row.sender) or not same_text(text, row.message):
            foreign.append(row)
        else:
            rows.setdefault(number, row)
    return Matched(rows, foreign)


def same_sender(ours: str, theirs: str) -> bool:
    """Return whether two spellings name one line. An empty one fits every line: voice calls name no sender."""
    return not ours or not theirs or _SENDER.sub("", ours) == _SENDER.sub("", theirs)


def same_text(ours: str, theirs: str) -> bool:
    """Return whether an echoed text is ours: white space may be folded, and a footer added for advertising lines."""
    if ours == theirs:
        return True
    sent, echoed = _folded(ours), _folded(theirs)
    return echoed.startswith(sent) and _FOOTER.fullmatch(echoed, len(sent)) is not None


def _folded(text: str) -> str:
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text)).strip()


# ── how long the gateway answers about a message ──

LOCALID_WINDOW: Final = timedelta(hours=12)
"""How long the gateway answers queries by our own ids, at most. Source: kavenegar-rest, sms/statuslocalmessageid."""
STATUS_WINDOW: Final = timedelta(hours=48)
"""How long the gateway answers for a message's status, at most. Source: kavenegar-rest, sms/status."""

MAX_CLOCK_SKEW: Final = timedelta(minutes=5)
"""The largest difference allowed between our clock and the gateway's, by which it dates messages."""

WINDOW_MARGIN: Final = 12
"""Queries stop a twelfth of the window before its end: clocks differ, and a request takes time."""


def localid_cutoff(now: datetime, *, window: timedelta) -> datetime:
    """Return the moment up to which a first send is too old: for it, "never seen" proves nothing any more."""
    return now - window + window / WINDOW_MARGIN


def may_resend(first_sent_at: datetime, now: datetime, *, window: timedelta) -> bool:
    """Return whether "never seen" still proves that a message sent first at `first_sent_at` does not exist."""
    return first_sent_at > localid_cutoff(now, window=window)


# When a batch is polled, by its age since the gateway accepted it; and when a callback is confirmed.
#
# Source: kavenegar-rest, sms/status: a verdict can be expected from five minutes after submission; 48 hours after the
# send the gateway no longer knows the message (status 100).

AGES: Final = (
    *(timedelta(minutes=minutes) for minutes in (5, 10, 20, 40, 80)),
    *(timedelta(hours=hours) for hours in (3, 6, 12, 24, 36, 44, 47)),
)
"""Ages of a batch at which the statuses of its messages are polled, unless STATUS_POLLS sets others."""

QUIET_SHARE: Final = 72
"""Phones that are on receive their message within 1/72 of the window: within 40 minutes of 48 hours."""

CALLBACK_RECHECKS: Final = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=1))
"""Ages at which a callback without a match is matched again: it may have come before our own commit."""


def next_poll(accepted_at: datetime, now: datetime, *, ages: Sequence[timedelta], closes_at: datetime) -> datetime:
    """Return the time of the next of `ages` (ascending), or the end of the window.

    After a time without polls, one poll makes up for all ages that have passed.
    """
    for age in ages:
        if accepted_at + age > now:
            return min(accepted_at + age, closes_at)
    return closes_at


def quiet_age(window: timedelta) -> timedelta:
    """Return the age after which few verdicts still come."""
    return window / QUIET_SHARE


def reduce_polls(ages: Sequence[timedelta], *, window: timedelta) -> tuple[timedelta, ...]:
    """Return the `ages` to poll while callbacks are active: the first, which checks them, and all from `quiet_age`."""
    return tuple(age for place, age in enumerate(ages) if place == 0 or age >= quiet_age(window))


def callback_batch_at(seen_at: datetime, *, window: timedelta) -> datetime:
    """Return when a callback is confirmed: at the end of the span in which it came, with all others of that span."""
    spans = seen_at.timestamp() // window.total_seconds() + 1
    return datetime.fromtimestamp(spans * window.total_seconds(), UTC)


def next_callback_recheck(seen_at: datetime, now: datetime) -> datetime | None:
    """Return when a callback without a match is matched again; None when it is given up."""
    return next((seen_at + age for age in CALLBACK_RECHECKS if seen_at + age > now), None)


# Incompatible time settings: with them a message could be lost, sent twice, or never sent.
#
# Every span is counted by a clock that also counts the time a machine sleeps.

MIN_HTTP_DEADLINE: Final = timedelta(seconds=1)
"""A distant gateway takes some hundred milliseconds; with a shorter deadline every send would be unknown."""

MIN_QUERY_ROUNDS: Final = 10
"""Rounds of LEASE and UNKNOWN_GRACE that must fit into the localid window."""


def incompatible_times(
    *,
    http_deadline: timedelta,
    unknown_grace: timedelta,
    lease: timedelta,
    localid_window: timedelta,
    status_window: timedelta,
    stuck_after: timedelta,
) -> Iterator[str]:
    """Yield a sentence for each conflict between these times: the rule, and the effect of breaking it."""
    if http_deadline < MIN_HTTP_DEADLINE:
        yield "HTTP_DEADLINE must be at least 1s: a request cut off before its answer can come is unknown every time"
    if unknown_grace < http_deadline:
        yield (
            "UNKNOWN_GRACE must be at least HTTP_DEADLINE: a request that was given up may still be on its way, and "
            "the gateway may act on it later; asked before that, it says that it never saw it, and it is sent twice"
        )
    if lease < http_deadline + unknown_grace:
        yield (
            "LEASE must be at least HTTP_DEADLINE and UNKNOWN_GRACE together: a request must be over before its lease "
            "is, tries and waits included, or it never leaves; and the gateway must have had its time by then"
        )
    if localid_window > LOCALID_WINDOW:
        yield (
            "LOCALID_WINDOW must be at most 12h: the gateway answers for our own ids of the last 12 hours; later, "
            '"never seen" proves nothing, and what was sent would be sent again'
        )
    if localid_window < MIN_QUERY_ROUNDS * (lease + unknown_grace):
        yield (
            f"LOCALID_WINDOW must be at least {MIN_QUERY_ROUNDS} times LEASE and UNKNOWN_GRACE together: in a shorter "
            "time the gateway cannot be asked, and every unanswered message becomes uncertain"
        )
    if status_window > STATUS_WINDOW:
        yield "STATUS_WINDOW must be at most 48h: the gateway tells no status after that"
    if stuck_after <= http_deadline:
        yield (
            "STUCK_AFTER must be longer than HTTP_DEADLINE: a worker whose threads all wait for the gateway consumes "
            "nothing meanwhile, and would end itself"
        )
