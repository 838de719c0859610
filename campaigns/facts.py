"""What the gateway's answer about our messages says, as facts that the store merges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from campaigns.kavenegar.codes import NO_LONGER_KNOWN, standing
from campaigns.kavenegar.records.messages import MessageStatus
from campaigns.store.records import Fact


def of_statuses(ids: Mapping[int, int], answered: Iterable[MessageStatus]) -> dict[int, Fact]:
    """Facts by our message ids; `ids` has them by the gateway's. A message it no longer knows (100) brings none."""
    return {
        message_id: Fact(message_id, standing(row.status), row.messageid, row.status)
        for row in answered
        if row.status != NO_LONGER_KNOWN and (message_id := ids.get(row.messageid)) is not None
    }
