"""What the gateway itself says was sent: of one person's messages, or of everything that left the account.

The panel, another program or another database may send on the same account: what is not ours is told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from campaigns.errors import BadInput
from campaigns.house import House
from campaigns.kavenegar import methods
from campaigns.kavenegar.records import ReceptorStatus, SentMessage
from campaigns.rules.phone import is_mobile, normalise
from campaigns.store import people

FULL: Final = methods.SELECTOUTBOX.answers
"""Rows that sms/selectoutbox answers with at most: one more page cannot be asked for, only a shorter span."""


@dataclass(frozen=True, slots=True)
class Left:
    """A message in the gateway's outbox, and the campaign of ours that it belongs to."""

    message: SentMessage
    campaign_id: int | None


def asked_about(house: House, number: str, *, start: datetime) -> Sequence[ReceptorStatus]:
    """What the gateway says it sent to one number in the day that begins at `start`. Raises: GatewayError.

    Source: kavenegar-rest, sms/statusbyreceptor.
    """
    return house.gateway.statusbyreceptor(number, int(start.timestamp()))


def latest(house: House, *, count: int, sender: str | None = None) -> Sequence[Left]:
    """The newest messages that left the account, at most 200. Raises: GatewayError; 407 unless our IP is registered.

    Source: kavenegar-rest, sms/latestoutbox.
    """
    return _told_apart(house, house.gateway.latestoutbox(count, sender))


def between(house: House, start: datetime, end: datetime, *, sender: str | None = None) -> Iterator[Left]:
    """Everything that left in a span of at most a day, begun at most three days ago, a few hundred at a time.

    The gateway gives 500 rows and no second page, so a span that fills them is halved until its parts do not.
    Raises: BadInput where more than 500 left within one second; GatewayError. Source: kavenegar-rest, sms/selectoutbox.
    """
    spans = [(int(start.timestamp()), int(end.timestamp()))]
    while spans:
        first, last = spans.pop()
        found = house.gateway.selectoutbox(first, last, sender)
        if len(found) < FULL:
            yield from _told_apart(house, found)
        elif first == last:
            raise BadInput(f"more than {FULL} messages left within one second: the gateway shows no more of them")
        else:
            middle = (first + last) // 2
            spans += [(middle + 1, last), (first, middle)]  # both ends of a span belong to it


def counted(house: House, start: datetime, end: datetime) -> int:
    """How many messages the gateway counts in such a span; more than it shows, where some are hidden. GatewayError."""
    return house.gateway.countoutbox(int(start.timestamp()), int(end.timestamp())).sumcount


def _told_apart(house: House, found: Sequence[SentMessage]) -> Sequence[Left]:
    ours: Mapping[int, int] = house.database(
        people.campaigns_of,
        [(normalise(message.receptor), message.messageid) for message in found if is_mobile(message.receptor)],
    )
    return [Left(message, ours.get(message.messageid)) for message in found]
