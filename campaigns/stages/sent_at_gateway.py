"""The messages that the gateway says it sent, and the daily ledger that counts them.

The panel, another program or another database may send on the same account: what is not ours is told apart.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import GatewayError
from kavenegar_campaigns.kavenegar import methods
from kavenegar_campaigns.kavenegar.sending import SentMessage
from kavenegar_campaigns.kavenegar.sent_messages import ReceptorStatus
from kavenegar_campaigns.rules.dates import TEHRAN, day_start
from kavenegar_campaigns.rules.phone import is_mobile, normalise_mobile
from kavenegar_campaigns.store import in_one_commit, ledger, lookups
from kavenegar_campaigns.store.ledger import Counted, Day
from kavenegar_campaigns.store.lookups import MessageOwner

log = logging.getLogger(__name__)

MAX_LATEST: Final = methods.LATESTOUTBOX.max_answer_rows
"""Of the newest messages so many are shown at most."""
PAGE_SIZE: Final = methods.SELECTOUTBOX.max_answer_rows
"""Rows that sms/selectoutbox answers with at most: one more page cannot be asked for, only a shorter span."""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A message in the gateway's outbox, with our campaign or one-time password if it is ours."""

    message: SentMessage
    campaign_id: int | None
    otp_id: int | None = None

    @property
    def is_ours(self) -> bool:
        """Return whether we sent it."""
        return self.campaign_id is not None or self.otp_id is not None


@dataclass(frozen=True, slots=True)
class Unlisted:
    """The gateway hides messages of one second, which had too many: `messages` of them; None if it gives no count."""

    at: datetime
    messages: int | None


def sent_to_number(context: Context, number: str, *, start: datetime) -> Sequence[ReceptorStatus]:
    """List the gateway's messages to one number in the day that begins at `start`. Raises: Postpone, Refused.

    Source: kavenegar-rest, sms/statusbyreceptor.
    """
    return context.gateway.statusbyreceptor(number, int(start.timestamp()))


def latest_sent(context: Context, *, count: int, sender: str | None = None) -> Sequence[OutboxMessage]:
    """List the newest messages of the account, at most 200. Raises: Postpone; Refused (407: our IP is not registered).

    Source: kavenegar-rest, sms/latestoutbox.
    """
    return _with_owners(context, context.gateway.latestoutbox(count, sender))


def sent_between(
    context: Context, start: datetime, end: datetime, *, sender: str | None = None
) -> Iterator[OutboxMessage | Unlisted]:
    """List the messages of a span of at most a day, begun at most three days ago, a few hundred at a time.

    The gateway gives 500 rows and no second page, so a span that fills them is halved until its parts do not. Of a
    second in which more than 500 left, it shows no more: then NotShown follows what it shows.
    Raises: GatewayError. Source: kavenegar-rest, sms/selectoutbox.
    """
    spans = [(int(start.timestamp()), int(end.timestamp()))]
    while spans:
        first, last = spans.pop()
        found = context.gateway.selectoutbox(first, last, sender)
        if len(found) < PAGE_SIZE:
            yield from _with_owners(context, found)
        elif first == last:
            yield from _with_owners(context, found)
            yield from _unlisted(context, first, len(found), sender=sender)
        else:
            middle = (first + last) // 2
            spans += [(middle + 1, last), (first, middle)]  # both ends of a span belong to it


def _unlisted(context: Context, second: int, shown: int, *, sender: str | None) -> Iterator[Unlisted]:
    """Count the messages of a second that the gateway hides; it counts those of all lines together."""
    counted = None if sender is not None else context.gateway.countoutbox(second, second).sumcount
    if counted is None or counted > shown:
        yield Unlisted(datetime.fromtimestamp(second, UTC), None if counted is None else counted - shown)


def count_sent(context: Context, start: datetime, end: datetime) -> int:
    """Count the messages of a span at the gateway, hidden ones included. Raises: Postpone, Refused."""
    return context.gateway.countoutbox(int(start.timestamp()), int(end.timestamp())).sumcount


def _with_owners(context: Context, found: Sequence[SentMessage]) -> Sequence[OutboxMessage]:
    ours: Mapping[int, MessageOwner] = lookups.message_owners(
        context.database,
        [(normalise_mobile(message.receptor), message.messageid) for message in found if is_mobile(message.receptor)],
    )
    owners = (ours.get(message.messageid, MessageOwner()) for message in found)
    return [
        OutboxMessage(message, owner.campaign_id, owner.otp_id) for message, owner in zip(found, owners, strict=True)
    ]


# ── the daily ledger ──
#
# The gateway looks three days back and one day at a time, so every day is counted while it can be, and kept.
# Source: kavenegar-rest, sms/countoutbox.

DAYS_BACK: Final = methods.COUNTOUTBOX.max_age_s // methods.DAY_S + 1
"""Days that the gateway can still be asked about, today included."""
LONGEST_LOOKBACK: Final = methods.COUNTOUTBOX.max_age - timedelta(seconds=methods.START_MARGIN_S)
"""How long ago a span may have begun, a little short of the gateway's three days: clocks differ."""


def keep_ledger(context: Context) -> Sequence[Day]:
    """Count the last three days again. Returns them newest first; a day without an answer keeps its last count.

    A day is one of Tehran; of today, what has left so far.
    """
    recount_days(context)
    return ledger.newest_days(context.database, limit=DAYS_BACK)


def recount_days(context: Context) -> Sequence[date]:
    """Count the last three days again. Returns the days for which the gateway should have answered, and did not."""
    today, unanswered = context.now().astimezone(TEHRAN).date(), list[date]()
    for day in (today - timedelta(days=back) for back in range(DAYS_BACK)):
        start, end = _day_span(day)
        asked = context.now() - start < LONGEST_LOOKBACK
        gateway = _count_at_gateway(context, day, start, end) if asked else None
        if asked and gateway is None:
            unanswered.append(day)
        _write_day(context.database, context.account, (day, start, end), gateway, now=context.now())
    return unanswered


def _day_span(day: date) -> tuple[datetime, datetime]:
    return day_start(day), day_start(day + timedelta(days=1))


def _count_at_gateway(context: Context, day: date, start: datetime, end: datetime) -> Counted | None:
    """Return the gateway's count from the first second of the day to its last; None if it does not answer."""
    try:
        count = context.gateway.countoutbox(int(start.timestamp()), int(end.timestamp()) - 1)
    except GatewayError as why:
        log.warning(
            "ledger count failed", extra={"day": day.isoformat(), "code": why.code, "error": type(why).__name__}
        )
        return None
    return Counted(count.sumcount, count.sumpart, count.cost)


@in_one_commit
def _write_day(
    connection: Connection,
    account: str,
    span: tuple[date, datetime, datetime],
    gateway: Counted | None,
    *,
    now: datetime,
) -> None:
    day, start, end = span
    ours = ledger.count_ours(connection, account=account, start=start, end=end)
    unexplained = None
    if gateway is not None:
        unexplained = max(
            0, gateway.messages - ledger.count_possible(connection, account=account, start=start, end=end)
        )
    ledger.write_day(connection, day, ours, gateway, unexplained=unexplained, now=now)
