"""Is our record true? The database is held against itself, and against what the gateway says of the same messages.

checks    what a check says, and what all of them come to
record    the database held against itself
gateway   ids and verdicts, as the gateway tells them
contents  recipients, texts and prices, as the gateway tells them
outbox    how many messages left the account, and what they cost
"""

from __future__ import annotations

from campaigns.errors import GatewayError
from campaigns.house import House
from campaigns.store import campaigns, messages
from campaigns.store.records import Progress
from campaigns.verify.checks import Check, Verified
from campaigns.verify.contents import contents
from campaigns.verify.gateway import ids, statuses
from campaigns.verify.outbox import outbox
from campaigns.verify.record import within
from campaigns.verify.sample import sampled

__all__ = ["Check", "Verified", "verify"]


def verify(house: House, campaign_id: int, *, sample: int = 2000) -> Verified:
    """Check a campaign's record; at most about `sample` messages are asked about, spread over the whole campaign.

    Raises: NotFound.
    """
    progress = house.database(campaigns.progress, campaign_id)
    census = house.database(messages.census, campaign_id)
    known = sum(row.known for row in census)
    return Verified([*house.database(within, progress, census), *_at_the_gateway(house, progress, known, sample)])


def _at_the_gateway(house: House, progress: Progress, known: int, sample: int) -> list[Check]:
    """What the gateway says of a sample, inside the windows in which it still answers."""
    campaign = progress.campaign
    if campaign.started_at is None:
        return [Check("gateway", None, "nothing was sent yet")]
    asked = house.database(sampled, campaign.id, step=max(1, campaign.messages // sample))
    now, found = house.now(), list[Check]()
    try:
        found.append(ids(house, asked, campaign.started_at, now))
        found.append(statuses(house, asked, campaign.started_at, now))
        found += contents(house, campaign, asked, campaign.started_at, now)
        found += outbox(house, campaign, known, now)
    except GatewayError as why:
        found.append(Check("gateway", None, f"the gateway could not be asked: {why}", missed=True))
    return found
