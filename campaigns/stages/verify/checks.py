"""Check a campaign's record: against itself, and its ids, verdicts, count and cost against what the gateway says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar import methods
from kavenegar_campaigns.kavenegar.codes import final_state
from kavenegar_campaigns.kavenegar.sent_messages import MessageStatus, OutboxCount
from kavenegar_campaigns.rules.batches import BATCH_SIZE, POLL_SIZE, may_resend
from kavenegar_campaigns.rules.message_options import CampaignKind
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.store import in_one_commit, ledger, report
from kavenegar_campaigns.store.lookups import Sampled
from kavenegar_campaigns.store.records import Campaign, Progress

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
        """Return whether nothing was found wrong."""
        return all(check.holds is not False for check in self.checks)

    @property
    def checked(self) -> bool:
        """Return whether everything was checked that applies to the campaign."""
        return not any(check.missed for check in self.checks)


@in_one_commit
def check_record(connection: Connection, progress: Progress, census: Sequence[report.StateCount]) -> list[Check]:
    """Check the database's record against itself."""
    campaign = progress.campaign
    wrong = report.count_miscounted_batches(connection, campaign.id)
    counted = {row.state: row.messages for row in census}
    total = sum(counted.values())
    known = sum(row.known for row in census)
    distinct = report.count_gateway_ids(connection, campaign.id)
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
    """Check that every message has a verdict; uncertain messages have none."""
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


# ── ids and verdicts at the gateway ──

T = TypeVar("T")


def in_pages(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Split items into pages of one request each."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


NOT_CLAIMED: Final = frozenset({MessageState.PENDING, MessageState.UNCERTAIN})
"""Of these we claim nothing that the gateway could contradict."""

TOO_OLD: Final = timedelta(minutes=10)
"""Nothing is asked about statuses that the gateway forgets so soon."""


def still_answered(context: Context, started_at: datetime, now: datetime) -> bool:
    """Return whether the gateway still gives the statuses of a campaign that began at `started_at`."""
    return now < started_at + context.policy.status_window - TOO_OLD


def check_ids(context: Context, sampled: Sequence[Sampled], started_at: datetime, now: datetime) -> Check:
    """Check that the gateway knows each localid under the id that we hold, or not at all. Raises: Postpone, Refused."""
    if not may_resend(started_at, now, window=context.policy.localid_window):
        says = "the gateway can no longer be asked by our own ids"
        return Check("ids at the gateway", None, says, missed=True)
    wrong = compared = 0
    for page in in_pages(sampled, BATCH_SIZE):
        context.gateway.acquire_slot(Lane.HOUSEKEEPING)
        answered = context.gateway.statuslocalmessageid([message.id for message in page])
        theirs = {row.localid: row.messageid if row.is_known else None for row in answered}
        settled = [message for message in page if message.id in theirs and message.state not in NOT_CLAIMED]
        wrong += sum(theirs[message.id] != message.gateway_id for message in settled)
        compared += len(theirs)
    return Check(
        "ids at the gateway",
        wrong == 0 if compared else None,
        f"{compared:,} of {len(sampled):,} messages told of by our own ids: {wrong:,} stand otherwise at the gateway",
        missed=bool(sampled) and not compared,
    )


def check_statuses(context: Context, sampled: Sequence[Sampled], started_at: datetime, now: datetime) -> Check:
    """Check that no message has a verdict here that the gateway contradicts. Raises: Postpone, Refused."""
    if not still_answered(context, started_at, now):
        says = "the gateway no longer tells statuses this old"
        return Check("verdicts at the gateway", None, says, missed=True)
    known = {message.gateway_id: message for message in sampled if message.gateway_id is not None}
    wrong = compared = 0
    for page in in_pages(list(known), POLL_SIZE):
        context.gateway.acquire_slot(Lane.HOUSEKEEPING)
        for row in context.gateway.status(page):
            message = known.get(row.messageid)
            compared += message is not None
            wrong += message is not None and _contradicts(message, row)
    return Check(
        "verdicts at the gateway",
        wrong == 0 if compared or not known else None,
        f"{compared:,} of {len(known):,} statuses compared: {wrong:,} contradict ours",
        missed=bool(known) and not compared,
    )


def _contradicts(message: Sampled, row: MessageStatus) -> bool:
    """Return whether the gateway's status contradicts our state. Not to know the id contradicts it, too."""
    theirs = final_state(row.status)
    if not row.is_known:
        return True
    if message.state in (MessageState.ACCEPTED, MessageState.EXPIRED):
        return False
    if message.state is MessageState.UNDELIVERED and theirs in (None, MessageState.DELIVERED):
        return False  # the gateway resends by itself
    return theirs != message.state


# ── the count and the cost of the outbox ──

OUTBOX: Final = "outbox at the gateway"
COST: Final = "cost at the gateway"

_OUTBOX_MARGIN: Final = timedelta(hours=1)
OUTBOX_SPAN: Final = methods.COUNTOUTBOX.max_span - _OUTBOX_MARGIN
OUTBOX_REACH: Final = methods.COUNTOUTBOX.max_age - _OUTBOX_MARGIN
"""What sms/countoutbox is asked about, an hour short of its limits: a day, begun at most three days ago."""


def check_outbox(context: Context, campaign: Campaign, ours: int, now: datetime) -> list[Check]:
    """Check that the gateway counts our messages, and no others, at the price we know. Raises: Postpone, Refused.

    Further ones were sent by others, or twice, under whatever ids, or in a history that this database has lost: so all
    of the time since the campaign was created is counted, and not only when its messages left by our own record.
    """
    if why := _why_not_counted(context, campaign, now):
        return [why]
    start = max(campaign.created_at, now - OUTBOX_REACH)
    pieces = [_count_span(context, begins, ends) for begins, ends in _spans(start, now)]
    theirs = sum(piece.sumcount for piece in pieces)
    most = ledger.count_possible(context.database, account=context.account, start=start, end=now)
    count = _compare_counts(context, theirs, ours=ours, most=most)
    if count.holds is False or theirs != ours:
        return [count]
    return [count, _compare_costs(context.database, campaign.id, sum(piece.cost for piece in pieces))]


def _why_not_counted(context: Context, campaign: Campaign, now: datetime) -> Check | None:
    """Say why the outbox cannot be counted for this campaign; None if it can."""
    if campaign.kind is CampaignKind.VOICE:
        return Check(OUTBOX, None, "the gateway does not say whether its outbox counts calls")
    first_at = report.first_reached_gateway_at(context.database, campaign.id)
    if first_at is None or campaign.at_gateway:
        return Check(OUTBOX, None, "the outbox cannot be counted for messages that wait for a date")
    if first_at < now - OUTBOX_REACH:
        return Check(OUTBOX, None, "the gateway counts the outbox of the last three days only", missed=True)
    return None


def _compare_counts(context: Context, theirs: int, *, ours: int, most: int) -> Check:
    says = (
        f"the gateway counts {theirs:,} messages of this account since the campaign was created, {ours:,} of them are "
        "this campaign's"
    )
    if theirs <= most or context.policy.account_shared:
        return Check(OUTBOX, theirs >= ours, says)
    return Check(
        OUTBOX,
        False,
        f"{says}; at least {theirs - most:,} cannot be explained: they were sent twice, in a history that this "
        "database has lost, or by other software (then set ACCOUNT_SHARED=yes)",
    )


@in_one_commit
def _compare_costs(connection: Connection, campaign_id: int, theirs_rial: int) -> Check:
    """Check that the campaign's prices add up to the gateway's sum, for a time in which nothing else left.

    The documentation does not say whether the sum is taken before refunds or after them: either is right.
    """
    ours = report.known_cost(connection, campaign_id)
    says = f"the gateway counts {theirs_rial:,} rial, and the messages cost {ours.rial:,}"
    if ours.priced < ours.known:
        unpriced = ours.known - ours.priced
        return Check(COST, None, f"{says}; of {unpriced:,} the gateway never told the price", missed=True)
    return Check(COST, theirs_rial in {ours.rial, ours.kept_rial}, says)


def _count_span(context: Context, start: int, end: int) -> OutboxCount:
    context.gateway.acquire_slot(Lane.HOUSEKEEPING)
    return context.gateway.countoutbox(start, end)


def _spans(first_at: datetime, last_at: datetime) -> Iterator[tuple[int, int]]:
    """Split a time into spans of unix seconds, both ends included, that the gateway counts in one answer each."""
    start, last = int(first_at.timestamp()) - 1, int(last_at.timestamp()) + 2
    step = int(OUTBOX_SPAN.total_seconds())
    while start <= last:
        yield start, min(start + step, last)
        start += step + 1
