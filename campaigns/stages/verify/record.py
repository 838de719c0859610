"""Check a campaign's record against itself, and choose the messages that the gateway is asked about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import Connection, text

from campaigns.rules.states import MessageState
from campaigns.store import in_one_commit, messages
from campaigns.store.loading import LINE_OF_BATCH
from campaigns.store.records import Campaign, Progress

# ── checks ──


@dataclass(frozen=True, slots=True)
class Check:
    """One claim about a campaign's record; `says` is a sentence.

    `holds` is None where the claim was not checked. `missed`: it is a claim about this campaign that should have been
    checked, and could not be: the gateway did not answer, or no longer tells. Else it does not apply.
    """

    name: str
    holds: bool | None
    says: str
    missed: bool = False


@dataclass(frozen=True, slots=True)
class Verified:
    """All checks of a campaign. It is true when nothing that was checked was found wrong."""

    checks: Sequence[Check]

    @property
    def true(self) -> bool:
        """Whether nothing was found wrong."""
        return all(check.holds is not False for check in self.checks)

    @property
    def checked(self) -> bool:
        """Whether everything was checked that applies to the campaign."""
        return not any(check.missed for check in self.checks)


@in_one_commit
def check_record(connection: Connection, progress: Progress, census: Sequence[messages.StateCount]) -> list[Check]:
    """What the database says of itself."""
    campaign = progress.campaign
    wrong = messages.count_miscounted_batches(connection, campaign.id)
    counted = {row.state: row.messages for row in census}
    total = sum(counted.values())
    known = sum(row.known for row in census)
    distinct = messages.count_gateway_ids(connection, campaign.id)
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


# ── the sample: spread evenly over the campaign ──

T = TypeVar("T")

# Which messages, spread evenly over the campaign, are asked about?
_SAMPLE: Final = text(f"""
    SELECT spread.id, gateway_id, spread.state, status, number, text, cost_rial, batch.accepted_at, batch.sender FROM (
        SELECT message.id, message.gateway_id, message.state, message.status, message.number, message.text,
               message.cost_rial, row_number() OVER (ORDER BY message.id) AS place
          FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
          JOIN sms.messages AS message ON message.id >= lower(span) AND message.id < upper(span)
         WHERE campaign.id = :id AND message.state <> 'refused') AS spread
      LEFT JOIN LATERAL (
           SELECT batch.accepted_at, {LINE_OF_BATCH} AS sender
             FROM sms.batches AS batch JOIN sms.campaigns AS campaign ON campaign.id = batch.campaign_id
            WHERE campaign.id = :id AND batch.first_id <= spread.id AND batch.state <> 'split'
         ORDER BY batch.first_id DESC LIMIT 1) AS batch ON true
     WHERE place % :step = 0
  ORDER BY spread.id
""")  # noqa: S608 - with an expression of ours


@dataclass(frozen=True, slots=True)
class Sampled:
    """A message as our record has it. `text` is None where it is the campaign's."""

    id: int
    gateway_id: int | None
    state: MessageState
    status: int | None
    number: str = field(repr=False)
    text: str | None = field(repr=False)
    cost_rial: int | None
    accepted_at: datetime | None
    sender: str | None  # the line that its batch leaves from


@in_one_commit
def sample_messages(connection: Connection, campaign_id: int, *, step: int) -> list[Sampled]:
    """Every message in so many, but for those that the gateway refused."""
    rows = connection.execute(_SAMPLE, {"id": campaign_id, "step": step}).mappings()
    return [Sampled(**{**row, "state": MessageState(row["state"])}) for row in rows]


def in_pages(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """As many as one request takes, after one another."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
