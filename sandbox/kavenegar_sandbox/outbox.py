"""What was sent, as the listings of the service show it: a span of time, the rows in it, and nothing found.

SMS, one-time passwords and calls alike, in the order they were accepted. The sandbox forgets none of them.
Source: kavenegar-rest, sms/selectoutbox, sms/latestoutbox and sms/countoutbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import compress

from kavenegar_sandbox.acceptance import record
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.arrangement import arranged
from kavenegar_sandbox.codes import Refusal
from kavenegar_sandbox.envelope import Answer, Row
from kavenegar_sandbox.lines import own_line
from kavenegar_sandbox.parameters import UNSET, unix_seconds

DAY_S = 86400
_DEEPEST_S = 3 * DAY_S
_MASKED = "09*********"  # as in the samples of the spec


def recent_span(account: Account, startdate: str, enddate: str) -> tuple[int, int]:
    """The seconds asked for, up to now where no end is given.

    Raises Refusal(417) beyond three days back, beyond one day, or backwards.
    """
    now = account.clock.now()
    start = unix_seconds(startdate)
    if start < now - _DEEPEST_S:
        raise Refusal(417)
    return a_day_at_most(start, int(now) if enddate in UNSET else unix_seconds(enddate))


def a_day_at_most(start: int, end: int) -> tuple[int, int]:
    """The two as they are. Raises Refusal(417) for more than a day, and for less than nothing."""
    if not start <= end <= start + DAY_S:
        raise Refusal(417)
    return start, end


def rows_between(account: Account, start: int, end: int) -> Iterator[int]:
    """The messages that set out in these seconds; the second `end` counts."""
    dates = account.ledger.starts_at
    return compress(range(len(dates)), [start <= date < end + 1 for date in dates])


def listable(account: Account, rows: Iterable[int], sender: str) -> Iterator[int]:
    """Those of one line, or of all where `sender` says nothing, without what is hidden altogether.

    Raises Refusal(412) for a line of somebody else's, at once.
    """
    ledger, omitted = account.ledger, account.knobs.hidden_receptors == "omit"
    line = None if sender in UNSET else own_line(account.knobs, sender)
    return (
        row
        for row in rows
        if (line is None or ledger.sender(row) == line) and not (omitted and ledger.manner(row).hidden)
    )


def listing(account: Account, rows: Iterable[int]) -> Answer:
    """Whole records, the receptors of hidden ones masked."""
    now = account.clock.now()
    return found(account, [_listed(account, row, now) for row in rows])


def found(account: Account, rows: list[Row]) -> Answer:
    """The rows as an answer; where there are none, what the knob `outbox_empty` says. Raises Refusal(449)."""
    if rows:
        return Answer(entries=arranged(account, rows))
    if account.knobs.outbox_empty == "449":
        raise Refusal(449)
    return Answer(entries=None if account.knobs.outbox_empty == "null" else [])


def registered(account: Account) -> None:
    """Raises Refusal(407) unless the address that calls is registered in the panel."""
    if not account.knobs.ip_registered:
        raise Refusal(407)


def _listed(account: Account, row: int, now: float) -> Row:
    shown = record(account, row, now)
    return {**shown, "receptor": _MASKED} if account.ledger.manner(row).hidden else shown
