"""A cancelled campaign whose messages wait at the gateway for their date: withdrawn there, and refunded.

The gateway's answer tells where each message stands and nothing about money: what comes back is what our rows say that
it cost. Source: kavenegar-rest, Cancel.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from campaigns.errors import GatewayError
from campaigns.facts import of_statuses
from campaigns.house import House
from campaigns.kavenegar.pace import Lane
from campaigns.rules.states import MessageState
from campaigns.store import holders, messages
from campaigns.store.records import Fact

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What one withdrawal did; messages that had already left keep their state."""

    asked: int = 0
    withdrawn: int = 0
    trouble: str = ""

    @property
    def summary(self) -> str:
        """What Flower shows."""
        return f"withdrew {self.withdrawn} of {self.asked}" + (f", {self.trouble}" if self.trouble else "")


def run(house: House, batch_id: int) -> Withdrawn:
    """Withdraw one batch. Harmless to repeat: the gateway answers with where each message stands."""
    ids = house.database(messages.withdrawable, batch_id)
    if not ids:
        return Withdrawn()
    try:
        house.gateway.admit(Lane.SEND)
        answered = house.gateway.cancel(list(ids))
    except GatewayError as why:
        log.warning("withdrawal failed", extra={"batch_id": batch_id, "messages": len(ids), "code": why.code})
        return Withdrawn(asked=len(ids), trouble=str(why))
    facts = list(of_statuses(ids, answered).values())
    house.database(_write, batch_id, facts, now=house.now(), suppress_after=house.policy.suppress_after)
    withdrawn = sum(fact.state is MessageState.CANCELLED for fact in facts)
    log.info("batch withdrawn", extra={"batch_id": batch_id, "messages": len(ids), "withdrawn": withdrawn})
    return Withdrawn(asked=len(ids), withdrawn=withdrawn)


def _write(connection: Connection, batch_id: int, facts: Sequence[Fact], *, now: datetime, suppress_after: int) -> None:
    ids = holders.lock(connection, [batch_id], [fact.message_id for fact in facts])
    messages.merge(connection, facts, now=now, known=True, suppress_after=suppress_after)
    messages.recount(connection, ids, now=now)
