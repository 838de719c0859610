"""What the gateway itself says was sent: of one person's messages, or of everything that left the account.

The panel, another program or another database may send on the same account: what is not ours is told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from campaigns.house import House
from campaigns.kavenegar import methods
from campaigns.kavenegar.records.messages import ReceptorStatus, SentMessage
from campaigns.rules.phone import is_mobile, normalise
from campaigns.store import people
from campaigns.store.people import Owner

FULL: Final = methods.SELECTOUTBOX.answers
"""Rows that sms/selectoutbox answers with at most: one more page cannot be asked for, only a shorter span."""


@dataclass(frozen=True, slots=True)
class Left:
    """A message in the gateway's outbox, and what it is of ours: a campaign's, or a one-time password."""

    message: SentMessage
    campaign_id: int | None
    otp_id: int | None = None

    @property
    def is_ours(self) -> bool:
        """Whether we sent it."""
        return self.campaign_id is not None or self.otp_id is not None


@dataclass(frozen=True, slots=True)
class NotShown:
    """In one second more left than the gateway shows. `messages` of them are not shown; None where it does not say."""

    at: datetime
    messages: int | None


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


def between(house: House, start: datetime, end: datetime, *, sender: str | None = None) -> Iterator[Left | NotShown]:
    """Everything that left in a span of at most a day, begun at most three days ago, a few hundred at a time.

    The gateway gives 500 rows and no second page, so a span that fills them is halved until its parts do not. Of a
    second in which more than 500 left, it shows no more: then NotShown follows what it shows.
    Raises: GatewayError. Source: kavenegar-rest, sms/selectoutbox.
    """
    spans = [(int(start.timestamp()), int(end.timestamp()))]
    while spans:
        first, last = spans.pop()
        found = house.gateway.selectoutbox(first, last, sender)
        if len(found) < FULL:
            yield from _told_apart(house, found)
        elif first == last:
            yield from _told_apart(house, found)
            yield from _hidden_behind(house, first, len(found), sender=sender)
        else:
            middle = (first + last) // 2
            spans += [(middle + 1, last), (first, middle)]  # both ends of a span belong to it


def _hidden_behind(house: House, second: int, shown: int, *, sender: str | None) -> Iterator[NotShown]:
    """How many messages of a second are not shown. The gateway counts those of all lines together."""
    counted = None if sender is not None else house.gateway.countoutbox(second, second).sumcount
    if counted is None or counted > shown:
        yield NotShown(datetime.fromtimestamp(second, UTC), None if counted is None else counted - shown)


def counted(house: House, start: datetime, end: datetime) -> int:
    """How many messages the gateway counts in such a span; more than it shows, where some are hidden. GatewayError."""
    return house.gateway.countoutbox(int(start.timestamp()), int(end.timestamp())).sumcount


def _told_apart(house: House, found: Sequence[SentMessage]) -> Sequence[Left]:
    ours: Mapping[int, Owner] = house.database(
        people.owners,
        [(normalise(message.receptor), message.messageid) for message in found if is_mobile(message.receptor)],
    )
    owners = (ours.get(message.messageid, Owner()) for message in found)
    return [Left(message, owner.campaign_id, owner.otp_id) for message, owner in zip(found, owners, strict=True)]
