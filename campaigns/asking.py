"""What the gateway says of messages by our own ids: which it has, and which it never saw.

Source: kavenegar-rest, sms/statuslocalmessageid: status 100 is an id that it does not know, or knows no longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from campaigns.errors import Postpone, Refused
from campaigns.kavenegar.codes import NO_LONGER_KNOWN
from campaigns.kavenegar.gateway import Gateway
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.messages import LocalStatus

MOST_QUESTIONS: Final = 6
"""Questions about the same ids in a row. Answers that leave out a third of their rows leave one of 200 ids."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was answered: rows of ids that the gateway has, and ids that it never saw. Others were not answered for."""

    rows: Sequence[LocalStatus]
    unseen: AbstractSet[int]


def by_localid(gateway: Gateway, ids: Sequence[int]) -> Known:
    """Ask about at most 200 ids. What an answer leaves out is asked about again, as long as each answers for more.

    Nothing may leave under these ids meanwhile, so that answers of several moments are true together. What waits for
    the answer is a send, so it is asked in the lane of sends.
    Raises: Postpone, Refused, where not even the first question is answered.
    """
    answered: list[LocalStatus] = []
    left = list(ids)
    for _ in range(MOST_QUESTIONS):
        try:
            rows = gateway.statuslocalmessageid(left, lane=Lane.SEND)
        except (Postpone, Refused):
            if not answered:
                raise
            break
        answered += rows
        heard = {row.localid for row in rows}
        rest = [message_id for message_id in left if message_id not in heard]
        if not rest or len(rest) == len(left):
            break
        left = rest
    return _sorted(set(ids), answered)


def _sorted(asked: AbstractSet[int], answered: Sequence[LocalStatus]) -> Known:
    ours = [row for row in answered if row.localid in asked]
    known = [row for row in ours if row.status != NO_LONGER_KNOWN and row.messageid is not None]
    unseen = {row.localid for row in ours if row.status == NO_LONGER_KNOWN and row.messageid is None}
    return Known(known, unseen - {row.localid for row in known})
