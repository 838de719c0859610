"""A campaign's record held against itself: rows, counters, ids and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from campaigns.rules.states import MessageState
from campaigns.store import messages
from campaigns.store.records import Campaign, Progress
from campaigns.verify.checks import Check


def within(connection: Connection, progress: Progress, census: Sequence[messages.Counted]) -> list[Check]:
    """What the database says of itself."""
    campaign = progress.campaign
    wrong = messages.miscounted(connection, campaign.id)
    counted = {row.state: row.messages for row in census}
    total = sum(counted.values())
    known = sum(row.known for row in census)
    distinct = messages.gateway_ids(connection, campaign.id)
    stored = {state: count for state, count in progress.counts.items() if count}
    return [
        Check(
            "rows",
            total == campaign.messages and total + campaign.duplicates + campaign.rejects == campaign.rows_read,
            f"{campaign.rows_read:,} rows read: {total:,} messages, {campaign.duplicates:,} duplicates, "
            f"{campaign.rejects:,} rejects",
        ),
        Check(
            "counters",
            (counted == stored and not wrong) or not progress.batches,
            f"{progress.batches:,} batches held against their messages one by one: {wrong:,} are miscounted",
        ),
        Check(
            "gateway ids",
            known == distinct,
            f"{known:,} messages were accepted, under {distinct:,} different gateway ids",
        ),
        _verdicts(campaign, counted),
    ]


def _verdicts(campaign: Campaign, counted: Mapping[MessageState, int]) -> Check:
    """An uncertain message has no verdict: nobody knows whether it was sent."""
    total, uncertain = sum(counted.values()), counted.get(MessageState.UNCERTAIN, 0)
    open_ = sum(counted.get(state, 0) for state in (MessageState.PENDING, MessageState.ACCEPTED))
    says = f"{total - open_ - uncertain:,} of {total:,} messages have their verdict"
    if uncertain:
        says += f"; {uncertain:,} are uncertain: nobody knows whether they were sent"
    if not campaign.finished_at:
        return Check("verdicts", None, says)
    if open_:
        return Check("verdicts", False, says)
    return Check("verdicts", None if uncertain else True, says, missed=bool(uncertain))
