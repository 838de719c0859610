"""Invariants that hold at every instant, each as a question that one snapshot answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from kavenegar_campaigns.rules.states import MessageState

_SUM: Final = " + ".join(MessageState)

# I6: which campaigns' counters do not add up?
_UNEVEN: Final = text(f"""
    SELECT campaign.id FROM sms.campaigns AS campaign
      JOIN (SELECT campaign_id, sum({_SUM}) AS messages FROM sms.batches WHERE state <> 'split' GROUP BY campaign_id)
           AS counted ON counted.campaign_id = campaign.id
     WHERE counted.messages <> campaign.messages
""")

# I7: which leases ended well before the dispatcher's last tick, and are held all the same? While the database's clock
# is in doubt, no lease is expired.
_OVERDUE: Final = text("""
    SELECT batch.id, batch.attempt FROM sms.batches AS batch, sms.installation
     WHERE batch.state = 'claimed' AND batch.due_at < installation.ticked_at - interval '2 seconds'
       AND installation.clock_leapt_at IS NULL
""")

# I11: since when is the account on hold, and what was the last claim to send?
_HOLD: Final = text("""
    SELECT held_since, (SELECT max(id) FROM sms.attempts WHERE kind = 'send' AND event = 'began') AS last_claim
      FROM sms.installation
""")


@dataclass(frozen=True, slots=True)
class Hold:
    """The account's hold at one instant. `last_claim` is an id of `sms.attempts`."""

    since: datetime | None
    last_claim: int | None

    def broken_by(self, later: Hold) -> bool:
        """Whether a batch was claimed between two samples of one hold."""
        return self.since is not None and self.since == later.since and self.last_claim != later.last_claim


FIRST_LOOK: Final = Hold(None, None)


def uneven(connection: Connection) -> list[int]:
    """Return the campaigns whose counters do not add up to their recipients."""
    return [row.id for row in connection.execute(_UNEVEN)]


def overdue(connection: Connection) -> frozenset[tuple[int, int]]:
    """Return the claims, as (batch, attempt), that outlive their lease. One that commits late is seen once only."""
    return frozenset((row.id, row.attempt) for row in connection.execute(_OVERDUE))


def ticked_at(connection: Connection) -> datetime | None:
    """Return the time of the dispatcher's last tick."""
    moment: datetime | None = connection.execute(text("SELECT ticked_at FROM sms.installation")).scalar_one()
    return moment


def hold(connection: Connection) -> Hold:
    """Return the account's hold and the last claim to send."""
    row = connection.execute(_HOLD).one()
    return Hold(row.held_since, row.last_claim)
