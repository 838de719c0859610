"""Is our record true? The database is held against itself, and against what the gateway says of the same messages.

checks    what a check says, and what all of them come to
record    the database held against itself
gateway   ids and verdicts against what the gateway says, and its outbox
contents  recipients, texts and prices against what the gateway says
outbox    how many messages left the account, and what they cost
"""

from __future__ import annotations

from campaigns.context import Context
from campaigns.errors import GatewayError
from campaigns.stages.verify.contents import check_contents
from campaigns.stages.verify.gateway import check_ids, check_outbox, check_statuses
from campaigns.stages.verify.record import Check, Verified, check_record, sample_messages
from campaigns.store import campaigns, messages
from campaigns.store.records import Progress

__all__ = ["Check", "Verified", "verify_campaign"]


def verify_campaign(context: Context, campaign_id: int, *, sample: int = 2000) -> Verified:
    """Check a campaign's record; at most about `sample` messages are asked about, spread over the whole campaign.

    Raises: NotFound.
    """
    progress = campaigns.progress(context.database, campaign_id)
    census = messages.count_by_state(context.database, campaign_id)
    known = sum(row.known for row in census)
    return Verified(
        [*check_record(context.database, progress, census), *_at_the_gateway(context, progress, known, sample)]
    )


def _at_the_gateway(context: Context, progress: Progress, known: int, sample: int) -> list[Check]:
    """What the gateway says of a sample, inside the windows in which it still answers."""
    campaign = progress.campaign
    if campaign.started_at is None:
        return [Check("gateway", None, "nothing was sent yet")]
    asked = sample_messages(context.database, campaign.id, step=max(1, campaign.messages // sample))
    now, found = context.now(), list[Check]()
    try:
        found.append(check_ids(context, asked, campaign.started_at, now))
        found.append(check_statuses(context, asked, campaign.started_at, now))
        found += check_contents(context, campaign, asked, campaign.started_at, now)
        found += check_outbox(context, campaign, known, now)
    except GatewayError as why:
        found.append(Check("gateway", None, f"the gateway could not be asked: {why}", missed=True))
    return found
