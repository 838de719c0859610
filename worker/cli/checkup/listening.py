"""What comes in: the lines that are pulled, and the gateway's callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from campaigns.store import inbound, lines
from campaigns.store.installation import Installation
from campaigns.store.lines import Line
from worker.cli.checkup.finding import Finding, Level
from worker.cli.words import duration, moment

DOUBTED_AFTER: Final = timedelta(minutes=15)
"""A line in doubt is gone through by itself; that it takes so long is worth a look."""

UNTAKEN_AFTER: Final = timedelta(minutes=15)
"""By then a message was handed over four times."""
UNTAKEN_FOR_LONG: Final = timedelta(hours=1)
"""By then nobody takes any."""


def inbox(connection: Connection, *, now: datetime) -> Iterator[Finding]:
    """Whether every line that is pulled is complete, and what came in is taken."""
    pulled = [line for line in lines.listed(connection) if line.enabled]
    worries = [finding for line in pulled if (finding := _line(line, now=now)) is not None]
    yield from worries
    if pulled and not worries:
        yield Finding("inbox", Level.OK, f"{len(pulled)} lines are pulled")
    yield from _hand_over(connection, now=now)


def _hand_over(connection: Connection, *, now: datetime) -> Iterator[Finding]:
    """Whether whoever is to be told of inbound messages takes them."""
    waiting, given_up = inbound.untaken(connection)
    longest = inbound.longest_untaken(connection)
    do = "see whether INBOX_TASK says `campaigns.taken`, or INBOX_WEBHOOK 2xx, and what the log of worker-poll says"
    if longest is not None and now - longest[0] > UNTAKEN_AFTER:
        stored_at, times = longest
        waits = f"{waiting:,} messages wait to be taken, the oldest for {duration((now - stored_at).total_seconds())}"
        level = Level.BAD if now - stored_at > UNTAKEN_FOR_LONG else Level.WARN
        yield Finding("hand-over", level, f"{waits}, handed over {times:,} times and never taken", do)
    if given_up:
        says = f"{given_up:,} messages were handed over for a week and never taken: nobody is told of them any more"
        yield Finding("hand-over", Level.BAD, says, f"`campaigns inbox list` shows them; {do}")


def _line(line: Line, *, now: datetime) -> Finding | None:
    if line.trouble:
        says = f"line {line.line}: {line.trouble}"
        return Finding("inbox", Level.WARN, says, "`campaigns inbox lines` shows how it stands")
    if line.doubtful_since is not None and now - line.doubtful_since > DOUBTED_AFTER:
        says = f"line {line.line}: in doubt since {moment(line.doubtful_since)}, and still being gone through"
        return Finding("inbox", Level.WARN, says, "see whether a worker serves the queue inbox")
    return None


def callbacks(found: Installation, *, now: datetime) -> Finding:
    """Whether any come."""
    if found.called_back_at is None:
        do = "see docs/callbacks.md; until one comes, verdicts are polled for, which is enough"
        return Finding("callbacks", Level.WARN, "none that proved true has ever come", do)
    came = f"the last one that proved true came {duration(max(0.0, (now - found.called_back_at).total_seconds()))} ago"
    return Finding("callbacks", Level.OK, came + (": polls lean on them" if found.leans_on_callbacks else ""))
