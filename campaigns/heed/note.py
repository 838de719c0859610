"""Write down what the gateway tells, as it comes in. Nothing of it is acted upon here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from campaigns.house import Policy
from campaigns.kavenegar.codes import STATUSES, verdict
from campaigns.store import callbacks, inbound
from campaigns.store.callbacks import StatusCallback
from campaigns.store.inbound import Arrival, Via, Watch

GONE_THROUGH_AGAIN: Final = timedelta(minutes=5)
"""A line is gone through no more often than this, however many messages the gateway tells of: it is many calls."""


class LineNotPulled(Exception):
    """The gateway tells of a message on a line that nobody goes through: it must not take it for read."""


@dataclass(frozen=True, slots=True)
class Received:
    """The gateway says that somebody wrote to a line (bare digits). It does not say when."""

    gateway_id: int
    line: str
    number: str = field(repr=False)
    text: str = field(repr=False)


def statuses(connection: Connection, told: Sequence[StatusCallback], *, now: datetime) -> int:
    """Park what may be news: a verdict, or a status that nobody has documented. Returns how many were new.

    All other statuses are on the way to one of these.
    """
    news = [each for each in told if each.status not in STATUSES or verdict(each.status) is not None]
    return callbacks.park(connection, news, now=now) if news else 0


def received(connection: Connection, told: Sequence[Received], policy: Policy, *, now: datetime) -> None:
    """Have the lines that we pull gone through soon; where callbacks are trusted, store the messages instead.

    What the gateway has told this way counts as read there: pulling what is unread would not find it. Nothing would
    find it on a line that is not pulled. Raises: LineNotPulled, and nothing of the call was taken.
    """
    lines = sorted({each.line for each in told})
    if policy.trust_callbacks:
        watch = Watch(policy.opt_out_words, anywhere=policy.opt_out_anywhere, hand_over=policy.hand_over)
        for line in lines:
            arrivals = [Arrival(each.gateway_id, each.number, each.text, now) for each in told if each.line == line]
            inbound.take_in(connection, line, arrivals, via=Via.CALLBACK, watch=watch, now=now)
    elif callbacks.hurry_lines(connection, lines, now=now, again=GONE_THROUGH_AGAIN) < set(lines):
        raise LineNotPulled
