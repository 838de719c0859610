"""The daily ledger: the gateway counts what left the account on a day, and our own rows are held beside it.

The gateway looks three days back and one day at a time, so every day is counted while it can be, and kept.
Source: kavenegar-rest, sms/countoutbox.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from campaigns.errors import GatewayError
from campaigns.house import House
from campaigns.rules.calendar import TEHRAN, begins
from campaigns.store import ledger
from campaigns.store.ledger import Counted, Day

log = logging.getLogger(__name__)

DAYS_BACK = 3
"""Days that the gateway can still be asked about, today included."""
DEEPEST = timedelta(days=3) - timedelta(minutes=2)
"""How long ago a span may have begun, a little short of the gateway's three days: clocks differ."""


def keep(house: House) -> Sequence[Day]:
    """Count the last three days anew, the newest first. A day the gateway did not answer for keeps what it said before.

    A day is one of Tehran; of today, what has left so far.
    """
    count_anew(house)
    return house.database(ledger.newest, limit=DAYS_BACK)


def count_anew(house: House) -> Sequence[date]:
    """Count the last three days anew; the days that the gateway should have answered for, and did not."""
    today, unanswered = house.now().astimezone(TEHRAN).date(), list[date]()
    for day in (today - timedelta(days=back) for back in range(DAYS_BACK)):
        start, end = _span(day)
        asked = house.now() - start < DEEPEST
        gateway = _asked(house, day, start, end) if asked else None
        if asked and gateway is None:
            unanswered.append(day)
        house.database(_write, house.account, (day, start, end), gateway, now=house.now())
    return unanswered


def _span(day: date) -> tuple[datetime, datetime]:
    return begins(day), begins(day + timedelta(days=1))


def _asked(house: House, day: date, start: datetime, end: datetime) -> Counted | None:
    """What the gateway counts from the first second of the day to its last; None where it does not say."""
    try:
        count = house.gateway.countoutbox(int(start.timestamp()), int(end.timestamp()) - 1)
    except GatewayError as why:
        log.warning(
            "ledger count failed", extra={"day": day.isoformat(), "code": why.code, "error": type(why).__name__}
        )
        return None
    return Counted(count.sumcount, count.sumpart, count.cost)


def _write(
    connection: Connection,
    account: str,
    span: tuple[date, datetime, datetime],
    gateway: Counted | None,
    *,
    now: datetime,
) -> None:
    day, start, end = span
    ours = ledger.ours(connection, account=account, start=start, end=end)
    unexplained = None
    if gateway is not None:
        unexplained = max(0, gateway.messages - ledger.most(connection, account=account, start=start, end=end))
    ledger.write(connection, day, ours, gateway, unexplained=unexplained, now=now)
